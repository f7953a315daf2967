"""Poll one account against the simulator in virtual time. Only network and clock are not real.

`Rig` starts, stops and kills the polling, lets time pass, and compares what the ledger counted with
what the simulator knows to be true.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Self

import httpx
import structlog
import yaml

from runtype_exporter import catalogue
from runtype_exporter.config import Config, load
from runtype_exporter.ledger import Ledger
from runtype_exporter.metrics import MaxSeries
from runtype_exporter.model import (
    Batch,
    BatchRef,
    HistogramValue,
    LabelValues,
    Series,
)
from runtype_exporter.polling import AccountPoller, StatusWords, account_context
from runtype_exporter.protocols import Attempt, BatchView, SeriesLimit
from runtype_exporter.runtype import ApiTime, Budget, Client, Exchange
from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.faults import Faults
from runtype_exporter.simulator.settings import WorldSettings
from tests.support.virtual import VirtualClock

START = 1_780_272_000.0
"""2026-06-01T00:00:00Z."""
KEY = "rt_test_rig"
MAX_RESPONSE = 2 << 20
"""The largest answer that the client of the rig reads, in bytes: larger ones only take time."""
TOO_LARGE = MAX_RESPONSE + (1 << 20)
"""The padding of an answer that is too large, in bytes."""


class RecordingTelemetry:
    """Telemetry that keeps what it is called with."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.cycles: list[str] = []
        self.sweeps: list[str] = []
        self.ups: list[bool] = []
        self.collectors: dict[str, tuple[bool, str]] = {}
        self.waiting: list[int] = []
        self.throttles: list[float] = []
        self.skews: list[float] = []
        self.time_sources: list[str] = []
        self.rejects: Counter[tuple[str, str]] = Counter()
        self.horizons: list[float] = []
        # Cycles and sweeps that `take_internal_failures` has looked at.
        self._checked = 0, 0

    def attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    def budget(self, account: str, limit: int, remaining: float) -> None:
        pass

    def throttled(self, account: str, until: float) -> None:
        self.throttles.append(until)

    def skew(self, account: str, seconds: float) -> None:
        self.skews.append(seconds)

    def time_source(self, account: str, source: str) -> None:
        self.time_sources.append(source)

    def rejected(self, account: str, operation: str, reason: str) -> None:
        self.rejects[operation, reason] += 1

    def horizon(self, account: str, at: float) -> None:
        self.horizons.append(at)

    def cycle(self, account: str, seconds: float, at: float, failure: str) -> None:
        self.cycles.append(failure)

    def up(self, account: str, *, up: bool) -> None:
        self.ups.append(up)

    def collector(self, account: str, collector: str, *, up: bool, failure: str) -> None:
        self.collectors[collector] = (up, failure)

    def sweep(self, account: str, failure: str) -> None:
        self.sweeps.append(failure)

    def pending(self, account: str, sweeps: int, oldest: float | None) -> None:
        self.waiting.append(sweeps)

    def forget(self, account: str) -> None:
        pass

    def take_internal_failures(self) -> list[str]:
        """Return which parts failed with the reason `internal` since the last call."""
        reasons = {
            "a cycle": self.cycles[self._checked[0] :],
            "a sweep": self.sweeps[self._checked[1] :],
        }
        for name, (_, reason) in self.collectors.items():
            reasons[f"the collector {name}"] = [reason]
        self._checked = len(self.cycles), len(self.sweeps)
        return [part for part, found in reasons.items() if "internal" in found]


class RecordingGauges:
    """Gauges that keep what they were last set to."""

    def __init__(self) -> None:
        self.batches: dict[BatchRef, BatchView] = {}
        self.finds: dict[str, bool] = {}
        self.families: dict[str, dict[Series, float]] = {}

    def set_batch(self, view: BatchView) -> None:
        self.batches[view.ref] = view

    def set_found(self, account: str, name: str, *, found: bool) -> None:
        self.finds[name] = found

    def retain(
        self, account: str, *, batches: Collection[BatchRef], found: Collection[str]
    ) -> None:
        for ref in self.batches.keys() - batches:
            del self.batches[ref]
        for name in self.finds.keys() - found:
            del self.finds[name]

    def set_collector(self, account: str, collector: str, samples: Mapping[Series, float]) -> None:
        self.families[collector] = dict(samples)

    def forget(self, account: str) -> None:
        self.batches.clear()
        self.families.clear()


class LoggedExceptions:
    """A processor of structlog that keeps the exceptions which one account logs."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.found: list[tuple[str, BaseException | None]] = []

    def __call__(
        self, logger: Any, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        if event.get("exc_info") and event.get("account") == self.account:
            self.found.append((event["event"], sys.exception()))
        return event

    def install(self) -> None:
        """Put the processor before those that end the chain."""
        structlog.get_config()["processors"].insert(0, self)

    def remove(self) -> None:
        """Take the processor out, if nothing else did."""
        processors = structlog.get_config()["processors"]
        if self in processors:
            processors.remove(self)


def _ignore_commit(_: float) -> None:
    """Do nothing: the default callback."""


class DelayedTransport(httpx.AsyncBaseTransport):
    """A transport with a latency of so many seconds in each direction."""

    def __init__(self, app: Any, latency: float) -> None:
        self._near = httpx.ASGITransport(app=app)
        self._latency = latency

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self._latency)
        response = await self._near.handle_async_request(request)
        await asyncio.sleep(self._latency)
        return response


class Rig:
    """One account whose API is a simulated world.

    `account` and `sections` override the default configuration. `scopes` are those of the key.
    `latency` is in seconds, in each direction; without it no time passes within a cycle. A rig with
    `ledger_of` uses the ledger and the clocks of that rig and, without settings of its own, its
    world.

    `clock` is the exporter's, `api_clock` the world's and that of the truth. `skew` is how far ours
    is ahead at the start. The API's clock may not go back: `world.shown_time` sets what it shows.

    A bug in a cycle or a sweep does not stop the polling: it is logged, and the reason of the
    failure is `internal`. Tests must not miss that, so `stop` and the end of the `async with` raise
    AssertionError after such a failure, unless the test calls `expect_internal` first.
    """

    def __init__(
        self,
        folder: Path,
        settings: WorldSettings | None = None,
        *,
        account: Mapping[str, Any] | None = None,
        sections: Mapping[str, Any] | None = None,
        scopes: tuple[str, ...] = ("*",),
        seed: int = 1,
        latency: float = 0.0,
        skew: float = 0.0,
        ledger_of: Rig | None = None,
    ) -> None:
        self.ledger_of = ledger_of
        if ledger_of is None:
            loop = asyncio.get_running_loop()
            self.clock = VirtualClock(loop, START + skew)
            self.api_clock = VirtualClock(loop, START)
        else:
            self.clock, self.api_clock = ledger_of.clock, ledger_of.api_clock
        if ledger_of is None or settings is not None:
            self.world = World(settings or WorldSettings(start=START), seed, self.api_clock)
            self.faults = Faults()
            self.app = simulator_app(self.world, keys=[Key(KEY, scopes)], faults=self.faults)
        else:
            self.world, self.faults, self.app = ledger_of.world, ledger_of.faults, ledger_of.app
        self.key = KEY
        self.path = folder / "ledger.db"
        self.latency = latency
        self.configure(account, sections)
        self.telemetry = RecordingTelemetry()
        self.gauges: Any = RecordingGauges()
        self.series_limit: SeriesLimit = MaxSeries()
        self.ledger: Ledger
        self.poller: AccountPoller
        self._expects_internal = False
        self._exceptions: LoggedExceptions | None = None
        self._task: asyncio.Task[None] | None = None
        self._committed: Callable[[float], None] = _ignore_commit

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def configure(
        self, account: Mapping[str, Any] | None = None, sections: Mapping[str, Any] | None = None
    ) -> None:
        """Set the configuration of the next start."""
        self.config = configured(self.path.parent, account or {}, sections or {})

    def build(self) -> AccountPoller:
        """Open the ledger and build the poller, without polling yet."""
        config = self.config.accounts[0]
        if self._exceptions is None:
            self._exceptions = LoggedExceptions(config.name)
            self._exceptions.install()
        if self.ledger_of is None:
            self._samples: dict[str, dict[LabelValues, Any]] = {}
            self.ledger = Ledger.open(
                self.path,
                clock=self.clock,
                boundaries=catalogue.boundaries(),
                on_commit=self._on_commit,
            )
        else:
            self._samples, self.ledger = self.ledger_of._samples, self.ledger_of.ledger
        self.budget = Budget(
            config.name, config.requests_per_hour, self.ledger, self.clock, self.telemetry
        )
        self.api_time = ApiTime(config.name, self.clock, self.telemetry)
        exchange = Exchange(
            config.name,
            config.base_url,
            lambda: self.key,
            budget=self.budget,
            telemetry=self.telemetry,
            clock=self.clock,
            api_time=self.api_time,
            timeout=config.timeout,
            max_response=MAX_RESPONSE,
            transport=DelayedTransport(self.app, self.latency),
            jitter=lambda: 0.5,
        )
        self.client = Client(exchange, page_size=config.page_size)
        context = account_context(
            config,
            self.config.poll,
            retention=self.config.state.retention,
            batches_per_schedule=1,
            client=self.client,
            ledger=self.ledger,
            status_words=StatusWords(self.config.metrics.status_map),
            telemetry=self.telemetry,
            gauges=self.gauges,
            clock=self.clock,
            api_time=self.api_time,
            series_limit=self.series_limit,
        )
        self.poller = AccountPoller(context)
        return self.poller

    def start(self) -> None:
        """Start polling, in the same ledger as before."""
        self.build()
        self._task = asyncio.create_task(self.poller.run())

    async def stop(self) -> None:
        """Stop in an orderly way. A second call does nothing.

        Raises:
            AssertionError: a cycle, a sweep or a collector failed with the reason `internal`.
        """
        await self._cancel()
        self.budget.close()
        if self.ledger_of is None:
            self.ledger.close()
        self._check_internal_failures()

    def expect_internal(self) -> None:
        """Let the test pass although a bug is injected that ends cycles or sweeps."""
        self._expects_internal = True

    def _check_internal_failures(self) -> None:
        """Raise after an unexpected failure, once."""
        logged: list[tuple[str, BaseException | None]] = []
        if self._exceptions is not None:
            self._exceptions.remove()
            logged = self._exceptions.found
            self._exceptions = None
        failed = self.telemetry.take_internal_failures()
        if self._expects_internal or not (logged or failed):
            return
        parts = ", ".join(failed) or "a background task or the handling of a failure"
        causes = [f"{event}: {type(error).__name__}: {error}" for event, error in logged]
        unknown = [] if causes else ["its exception was not logged"]
        message = [f"failed with the reason internal: {parts}", *dict.fromkeys(causes), *unknown]
        raise AssertionError("\n".join(message)) from (logged[0][1] if logged else None)

    async def kill(self, commits: int = 0) -> None:
        """Stop as in a power cut, after so many more commits of the ledger.

        Only what the files of the ledger contain at that moment is left.
        """
        if commits:
            cut = asyncio.Event()

            def committed(_: float) -> None:
                self._commits += 1
                if self._commits == commits:
                    self._copy()
                    cut.set()

            self._commits = 0
            self._committed = committed
            await cut.wait()
            self._committed = _ignore_commit
        else:
            self._copy()
        await self.stop()
        for file in self.path.parent.glob("ledger.db*"):
            file.unlink()
        for file in (self.path.parent / "after").iterdir():
            file.rename(self.path.parent / file.name)

    def _on_commit(self, seconds: float) -> None:
        self._committed(seconds)

    def _copy(self) -> None:
        folder = self.path.parent / "after"
        folder.mkdir(exist_ok=True)
        for file in self.path.parent.glob("ledger.db*"):
            shutil.copy(file, folder)

    async def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.client.aclose()

    def suspend(self, seconds: float) -> None:
        """Suspend the exporter's machine: the world goes on, and nothing of ours runs."""
        self.api_clock.jump(seconds)
        self.clock.suspend(seconds)

    async def sleep(self, seconds: float) -> None:
        """Let time pass. Raise what ended the polling task, if it ended."""
        await asyncio.sleep(seconds)
        if self._task is not None and self._task.done():
            self._task.result()

    def counted(self, metric: str = "runtype_records_finished_total") -> dict[LabelValues, float]:
        """Return the series of a counter that are not 0, without the account label."""
        return {labels: value for labels, value in self.series(metric).items() if value}

    def series(self, metric: str) -> dict[LabelValues, float]:
        """Return a counter's series, or a histogram's counts, summed over the accounts."""
        for name, changed in self.ledger.snapshot().families.items():
            held = self._samples.setdefault(name, {})
            for labels, sample in changed.items():
                if sample is None:
                    del held[labels]
                    continue
                held[labels] = (
                    sum(sample.value.counts)
                    if isinstance(sample.value, HistogramValue)
                    else sample.value
                )
        pooled: Counter[LabelValues] = Counter()
        for labels, value in self._samples.get(metric, {}).items():
            pooled[labels[1:]] += value
        return dict(pooled)

    def truth(self) -> dict[LabelValues, float]:
        """Return the final results that the simulator knows, in the shape of `counted`."""
        return {
            tuple(key): float(count)
            for key, count in self.world.truth(self.api_clock.now()).items()
            if count
        }

    def run_truth(self) -> dict[LabelValues, float]:
        """Return the ended runs that the simulator knows, in the shape of `counted`."""
        return {
            tuple(key): float(count)
            for key, count in self.world.truth_runs(self.api_clock.now()).items()
        }

    def batch(self, batch_id: str) -> Batch:
        """Return a batch as it is in the ledger."""
        return self.ledger.batches((batch_id,))[batch_id]

    def view(self, batch_id: str) -> BatchView:
        """Return a batch as its gauges show it."""
        return self.gauges.batches[BatchRef(self.config.accounts[0].name, batch_id)]

    def open_batches(self) -> set[str]:
        """Return the ids of the open batches."""
        return {batch.ref.id for batch in self.ledger.open_batches(self.config.accounts[0].name)}

    def requests(self) -> Counter[str]:
        """Return how many requests the simulator has received so far, by operation."""
        return Counter(self.app.state.requests.counts)

    async def requests_during(self, seconds: float) -> Counter[str]:
        """Let time pass. Return the number of requests in that time, by operation."""
        before = self.requests()
        await self.sleep(seconds)
        return self.requests() - before


def configured(folder: Path, account: Mapping[str, Any], sections: Mapping[str, Any]) -> Config:
    """Return the configuration of one account on loopback, loaded as the exporter loads it."""
    usual = {
        "name": "acme",
        "base_url": "http://127.0.0.1:1",
        "api_key": {"env": "KEY"},
        "requests_per_hour": 100_000,
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump({"accounts": [{**usual, **account}], **sections}))
    return load(file, environ={"KEY": KEY})
