"""Measure the duration of scrapes under load: `python -m benchmarks.scrape [seconds]`.

The exporter and the simulated API run in separate processes, on loopback and real sockets. The
exporter has about 10,000 series. It is scraped as Prometheus does it (OpenMetrics, gzip, one
connection), twenty times a second: while it sweeps a batch of 10,000 records whose pages keep
changing, and while the API accepts requests and never answers them.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

import uvicorn
import yaml

from runtype_exporter import catalogue
from runtype_exporter.catalogue import series
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import OUTCOMES, Delta, Observation
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import Api, RecordPlan

LINES = 12_800
"""Lines in OpenMetrics. They are 10,000 in the text format, which has no `_created` lines."""
RECORDS = 10_000
KEY = "rt_test_benchmark"
EVERY = 0.05
"""Seconds between two scrapes."""
ACCEPT = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}


def simulate(port: int, seconds: float) -> None:
    """Serve an account with one batch, whose records end one after the other.

    Its rows are ordered by their last change.
    """
    clock = SystemClock()
    world = small_world(clock, api=Api(results_order="updated"))
    ends = (5.0 + seconds * 2 * number / RECORDS for number in range(RECORDS))
    world.add_batch([RecordPlan(0.0, 0.1, end) for end in ends], schedule="nightly", at=clock.now())
    app = simulator_app(world, keys=[Key(KEY)], control=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, date_header=False)


def fill(path: Path) -> None:
    """Write durable series into a new ledger, until they take `LINES` lines."""
    ledger = Ledger.open(path, clock=SystemClock(), boundaries={})
    while ledger.lines() < LINES:
        name = f"{ledger.lines()}"
        labels = {"account": "acme", "schedule": name, "flow": name}
        latency = [Observation(float(second), 1.0) for second in range(100)]
        increments = {
            series(catalogue.RECORDS_FINISHED, **labels, outcome=outcome): 7.0
            for outcome in OUTCOMES
        }
        ledger.commit(
            Delta(
                increments=increments,
                observations={
                    series(catalogue.RECORD_LATENCY, **labels, outcome="success"): latency
                },
            )
        )
    ledger.close()


class Exporter:
    """The process `exporter.py serve`."""

    def __init__(self, folder: Path, api: str) -> None:
        fill(folder / "ledger.db")
        account = {
            "name": "acme",
            "base_url": api,
            "api_key": {"env": "KEY"},
            "requests_per_hour": 1_000_000,
        }
        config = folder / "config.yaml"
        config.write_text(
            yaml.safe_dump(
                {
                    "accounts": [account],
                    "poll": {"interval": "1s"},
                    "state": {"path": str(folder / "ledger.db")},
                }
            )
        )
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "exporter.py",
                    f"--config.file={config}",
                    "--web.listen-address=127.0.0.1:0",
                ],
                env={**os.environ, "KEY": KEY},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def port(self) -> int:
        """Return the port of the exporter. Wait until it listens."""
        while not (found := re.search(r"event=listening.* port=(\d+)", self._log.read_text())):
            if self.process.poll() is not None:
                raise SystemExit(self._log.read_text())
            time.sleep(0.1)
        return int(found[1])


class Scraper:
    """One connection to the exporter."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def scrape(self) -> tuple[float, int]:
        """Scrape once. Return the milliseconds until the last byte, and the number of bytes."""
        began = time.perf_counter()
        self._connection.request("GET", "/metrics", headers=ACCEPT)
        body = self._connection.getresponse().read()
        return (time.perf_counter() - began) * 1e3, len(body)

    def value(self, name: str) -> float:
        """Return the sum of the current samples of a metric."""
        self._connection.request("GET", "/metrics")
        text = self._connection.getresponse().read().decode()
        return sum(
            float(line.split()[-1]) for line in text.splitlines() if re.match(rf"{name}[{{ ]", line)
        )

    def measure(self, name: str, seconds: float) -> None:
        """Scrape for this many seconds, and print the figures."""
        before = self.value("runtype_api_requests_total")
        times = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            milliseconds, size = self.scrape()
            times.append(milliseconds)
            time.sleep(EVERY)
        requests = self.value("runtype_api_requests_total") - before
        times.sort()
        p95 = times[int(len(times) * 0.95)]
        figures = (
            f"p50 {statistics.median(times):6.2f} ms   p95 {p95:6.2f} ms   max {times[-1]:6.2f} ms"
        )
        print(
            f"{name:28} {figures}   {len(times)} scrapes, {size} bytes, {requests:.0f} API requests"
            " ended"
        )


def main() -> None:
    """Measure, and print the figures."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    port = 18_077
    api = f"http://127.0.0.1:{port}"
    served = multiprocessing.get_context("spawn").Process(
        target=simulate, args=(port, seconds), daemon=True
    )
    with tempfile.TemporaryDirectory() as folder:
        served.start()
        exporter = Exporter(Path(folder), api)
        try:
            scraper = Scraper(exporter.port())
            while not scraper.value("runtype_batch_sweeps_total"):
                time.sleep(0.2)
            print(
                f"{scraper.value('runtype_exporter_series'):.0f} series; a scrape every"
                f" {EVERY * 1e3:.0f} ms"
            )
            scraper.measure(f"{RECORDS} records are swept", seconds)
            hang = json.dumps({"kind": "hang"}).encode()
            urlopen(
                Request(f"{api}/-/faults", hang, {"Content-Type": "application/json"}), timeout=5
            ).close()
            time.sleep(1.5)
            scraper.measure("the API hangs", seconds)
        finally:
            exporter.process.terminate()
            exporter.process.wait()
            served.terminate()
            served.join()


if __name__ == "__main__":
    main()
