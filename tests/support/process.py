"""Run the exporter as a process, and a simulated API on a real socket for it to poll."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import uvicorn
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

ROOT = Path(__file__).parents[2]
T = TypeVar("T")

KEY = "rt_test_process_secret"
PATIENCE = 30.0
"""Real seconds after which a test stops waiting and fails."""
LOCAL: Any = {"trust_env": False, "verify": False}
"""Options of httpx for plain HTTP on this machine. To load certificates for nothing takes ten times
as long as the request."""


class Served:
    """An application that is served on a free loopback port, by its own thread."""

    def __init__(self, app: Starlette) -> None:
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            log_config=None,
            lifespan="off",
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=lambda: self._loop.run_until_complete(self._server.serve()), daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: self._server.started)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        self._loop.close()

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in the serving thread, which owns the simulated world."""

        async def called() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(PATIENCE)


def wait_for(
    condition: Any,
    *,
    every: float = 0.02,
    patience: float = PATIENCE,
    instead: Callable[[], object] = lambda: "",
) -> Any:
    """Wait in real time until the condition is true. Return its value.

    `instead` returns text for the failure message.

    Raises:
        AssertionError: the condition is still false after `patience` seconds.
    """
    end = time.monotonic() + patience
    while not (answer := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"nothing happened within {patience:g} s; instead: {instead()}")
        time.sleep(every)
    return answer


def configure(
    folder: Path, base_url: str, *, account: Mapping[str, Any] | None = None, **sections: Any
) -> Path:
    """Write a configuration with one account, `acme`, polled every second. Return its path."""
    document = {
        "accounts": [
            {
                "name": "acme",
                "base_url": base_url,
                "api_key": {"env": "ACME_KEY"},
                "requests_per_hour": 100000,
                **(account or {}),
            }
        ],
        "poll": {"interval": "1s", **sections.pop("poll", {})},
        "state": {"path": str(folder / "ledger.db")},
        **sections,
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


class Exporter:
    """The process `python exporter.py serve`, listening on a port that the system chooses."""

    def __init__(self, config: Path, *flags: str, environ: Mapping[str, str] | None = None) -> None:
        self.log = config.with_name("exporter.log")
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "exporter.py",
                    f"--config.file={config}",
                    "--web.listen-address=127.0.0.1:0",
                    *flags,
                ],
                cwd=ROOT,
                env={**os.environ, "ACME_KEY": KEY, **(environ or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def logged(self) -> str:
        """The log so far."""
        return self.log.read_bytes()[self._log_start :].decode()

    @property
    def url(self) -> str:
        """The URL of the exporter. Waits until it listens."""

        def port() -> re.Match[str] | None:
            assert self.process.poll() is None, self.logged
            return re.search(r"event=listening.* port=(\d+)", self.logged)

        return f"http://127.0.0.1:{wait_for(port)[1]}"

    def terminate(self) -> tuple[int, float]:
        """Send SIGTERM. Return the exit code and the seconds until the process ended."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE), time.monotonic() - began

    def kill(self) -> None:
        """Send SIGKILL: the process has no chance to clean up."""
        self.process.kill()
        self.process.wait()


def once(config: Path) -> subprocess.CompletedProcess[str]:
    """Run `exporter.py once` with this configuration."""
    return subprocess.run(
        [sys.executable, "exporter.py", "once", f"--config.file={config}"],
        cwd=ROOT,
        env={**os.environ, "ACME_KEY": KEY},
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )


def finished(text: str) -> dict[tuple[str, str, str], float]:
    """Return the counted results by schedule, flow and outcome, without zeros."""
    return {
        (s.labels["schedule"], s.labels["flow"], s.labels["outcome"]): s.value
        for s in samples(text, "runtype_records_finished_total")
        if s.value
    }


def samples(text: str, name: str) -> list[Any]:
    """Return the samples of this name in a text exposition."""
    return [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]


def scrape(url: str) -> str:
    """Scrape once. Return the text."""
    answer = httpx.get(f"{url}/metrics", headers={"Accept": "text/plain"}, **LOCAL)
    answer.raise_for_status()
    return answer.text
