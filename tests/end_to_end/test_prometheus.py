"""A real Prometheus scrapes the running exporter."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from runtype_exporter.clock import SystemClock
from runtype_exporter.simulator.access import Key
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.routes import simulator_app
from runtype_exporter.simulator.values import RecordPlan
from tests.support.process import KEY, Exporter, Served, configure, once, scrape, wait_for

CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: runtype
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    """Its HTTP API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: str):
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, trust_env=False)
        answer.raise_for_status()
        return answer.json()["data"]

    def value(self, query: str) -> float | None:
        result = self.get("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None


@contextmanager
def scraping(binary: str, target: str, folder: Path) -> Iterator[Prometheus]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    file = folder / "prometheus.yml"
    file.write_text(CONFIG.format(target=target))
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"

        def ready() -> bool:
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            try:
                return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        wait_for(ready)
        yield Prometheus(url)
    finally:
        process.terminate()
        process.wait(10)


def test_prometheus_scrapes_without_an_error_and_sees_every_increment(tmp_path, prometheus_binary):
    """The publication gate on real eyes: `increase` from the series' first sample on is what was counted, exemplars are stored."""
    rng = random.Random(1)
    plans = [RecordPlan(0.0, 0.1, rng.uniform(0.5, 1.5), "failure" if n % 4 == 0 else "success") for n in range(60)]
    world = small_world(SystemClock())
    with Served(simulator_app(world, keys=[Key(KEY)])) as api, Exporter(configure(tmp_path, api.url)) as exporter:
        target = exporter.url.removeprefix("http://")
        with scraping(prometheus_binary, target, tmp_path) as prometheus:
            wait_for(lambda: prometheus.value("runtype_up") == 1.0, every=0.2)
            api.call(lambda: world.add_batch(plans, at=time.time(), schedule="nightly"))
            gained = "sum(max_over_time(runtype_records_finished_total[5m]) - min_over_time(runtype_records_finished_total[5m]))"
            wait_for(lambda: prometheus.value(gained) == 60.0, every=0.2)
            assert prometheus.value("min(up)") == 1.0
            (active,) = prometheus.get("targets")["activeTargets"]
            assert active["lastError"] == ""
            now = time.time()
            exemplars = prometheus.get(
                "query_exemplars", query="runtype_record_latency_seconds_bucket", start=str(now - 300), end=str(now + 1)
            )
            batch = {exemplar["labels"]["batch_id"] for series in exemplars for exemplar in series["exemplars"]}
            (run,) = api.call(lambda: world.runs(time.time()))
            assert batch == {run.batch.id}


def test_the_exposition_is_clean_to_promtool(tmp_path, promtool):
    world = small_world(SystemClock())
    with Served(simulator_app(world, keys=[Key(KEY)])) as api:
        config = configure(tmp_path, api.url)
        once(config)
        api.call(lambda: world.add_batch([RecordPlan(0.0, 0.1, 0.2)] * 30, at=time.time(), schedule="nightly"))
        with Exporter(config) as exporter:
            wait_for(lambda: "runtype_batches_finished_total" in scrape(exporter.url))
            text = scrape(exporter.url)
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
