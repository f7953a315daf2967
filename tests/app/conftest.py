"""The exporter in the test's own loop, over real sockets.

A simulated API on one side, scrapes on the other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from runtype_exporter.app import Exporter, Options
from runtype_exporter.clock import SystemClock
from runtype_exporter.config import load
from runtype_exporter.metrics import publish
from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.faults import Faults
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import RecordPlan
from tests.support.process import KEY, PATIENCE, Served, samples

RECORDS = "runtype_records_finished_total"


class Api:
    """A simulated account on a loopback port."""

    def __init__(self, served: Served, world: World, faults: Faults, app: Any) -> None:
        self.served, self.world, self.faults, self.app = served, world, faults, app
        self.url = served.url

    def batch(
        self,
        records: int = 10,
        *,
        schedule: str = "nightly",
        seconds: float = 1.0,
        outcome: str = "success",
    ):
        """A batch of records that began `seconds` ago and are final by now."""
        plans = [RecordPlan(0.0, 0.0, seconds, outcome)] * records  # type: ignore[list-item]
        at = time.time() - seconds
        return self.served.call(lambda: self.world.add_batch(plans, at=at, schedule=schedule)).batch

    def asked(self, operation: str) -> list[Any]:
        """The requests of this operation so far."""
        return [
            request
            for request in list(self.app.state.requests.log)
            if request.operation == operation
        ]


class Harness:
    """One exporter: its file, which a test rewrites, and what it serves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "config.yaml"
        self.document: dict[str, Any] = {
            "accounts": [],
            "poll": {"interval": "100ms", "discovery_interval": "200ms", "lookback": "1h"},
            "state": {"path": str(folder / "ledger.db")},
        }
        self.keys = {"KEY": KEY}
        self.exporter: Exporter
        self.serving: asyncio.Task[int]

    def account(self, api: Api, name: str = "acme", **settings: Any) -> dict[str, Any]:
        """Take up an account in the file; its section, to be changed by the test."""
        section = {
            "name": name,
            "base_url": api.url,
            "api_key": {"env": "KEY"},
            "requests_per_hour": 100_000,
            **settings,
        }
        self.document["accounts"].append(section)
        return section

    def write(self, text: str | None = None) -> None:
        """Write the file: the document, or this text."""
        self.file.write_text(yaml.safe_dump(self.document) if text is None else text)

    def options(self, **options: Any) -> Options:
        """How the command line would start it, on a port that the system chooses."""
        read = partial(load, self.file, environ=self.keys)
        return Options(load=read, **{"host": "127.0.0.1", "port": 0, "lifecycle": True, **options})

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[None]:
        """The exporter at work, and stopped in an orderly way."""
        self.write()
        listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.exporter = Exporter(self.options(on_listening=listening.set_result, **options))
        self.serving = asyncio.create_task(self.exporter.serve())
        await asyncio.wait({listening, self.serving}, return_when=asyncio.FIRST_COMPLETED)
        base = f"http://127.0.0.1:{listening.result()}"
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=PATIENCE) as self.http:
            try:
                yield
            finally:
                self.exporter.stop()
                exit_code = await asyncio.wait_for(self.serving, PATIENCE)
        assert exit_code == 0

    async def reload(self) -> httpx.Response:
        """POST /-/reload."""
        return await self.http.post("/-/reload")

    async def reloaded(self) -> None:
        """Write the document and have it taken up."""
        self.write()
        answer = await self.reload()
        assert (200, "reloaded\n") == (answer.status_code, answer.text)

    async def text(self, accept: str = "text/plain") -> str:
        """One scrape."""
        return (await self.http.get("/metrics", headers={"Accept": accept})).text

    async def values(self, metric: str, **labels: str) -> list[float]:
        """The values of a metric's series that have these labels."""
        found = samples(await self.text(), metric)
        return [sample.value for sample in found if labels.items() <= sample.labels.items()]

    async def total(self, metric: str = RECORDS, **labels: str) -> float:
        """Their sum."""
        return sum(await self.values(metric, **labels))

    async def labels(self, metric: str, label: str) -> set[str]:
        """The values that a label has in a metric's series."""
        return {sample.labels[label] for sample in samples(await self.text(), metric)}

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait for what others do, in real time."""
        end = time.monotonic() + PATIENCE
        while not await condition():
            assert time.monotonic() < end, f"nothing happened within {PATIENCE:g} s"
            await asyncio.sleep(0.02)

    async def until_total(self, expected: float, metric: str = RECORDS, **labels: str) -> None:
        """Wait for a sum."""

        async def reached() -> bool:
            return await self.total(metric, **labels) == expected

        await self.until(reached)

    async def until_ready(self) -> None:
        """Wait for the first cycle of each account."""

        async def ready() -> bool:
            return (await self.http.get("/-/ready")).status_code == 200

        await self.until(ready)


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Harness:
    # The same is published, only sooner.
    monkeypatch.setattr(publish, "TICK", 0.05)
    return Harness(tmp_path)


@pytest.fixture
def serve() -> Iterator[Callable[..., Api]]:
    """Serve simulated accounts: small worlds with the schedules given."""
    with ExitStack() as stack:

        def served(*schedules: Any, seed: int = 1) -> Api:
            world, faults = small_world(SystemClock(), *schedules, seed=seed), Faults()
            app = simulator_app(world, keys=[Key(KEY)], faults=faults)
            return Api(stack.enter_context(Served(app)), world, faults, app)

        yield served


@pytest.fixture
def api(serve: Callable[..., Api]) -> Api:
    return serve()
