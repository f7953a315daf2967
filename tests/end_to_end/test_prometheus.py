"""A real Prometheus scrapes the running exporter."""

from __future__ import annotations

import random
import subprocess
import time

from runtype_exporter.clock import SystemClock
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import RecordPlan
from tests.support.process import KEY, Exporter, Served, configure, once, scrape, wait_for
from tests.support.prometheus import prometheus


def test_prometheus_scrapes_without_an_error_and_sees_every_increment(tmp_path, prometheus_binary):
    """The publication gate on real eyes.

    `increase` from the series' first sample on is what was counted, exemplars are stored.
    """
    rng = random.Random(1)
    plans = [
        RecordPlan(0.0, 0.1, rng.uniform(0.5, 1.5), "failure" if n % 4 == 0 else "success")
        for n in range(60)
    ]
    world = small_world(SystemClock())
    with (
        Served(simulator_app(world, keys=[Key(KEY)])) as api,
        Exporter(configure(tmp_path, api.url)) as exporter,
    ):
        target = exporter.url.removeprefix("http://")
        with prometheus(prometheus_binary, tmp_path, target=target) as server:
            wait_for(lambda: server.value("runtype_up") == 1.0, every=0.2)
            api.call(lambda: world.add_batch(plans, at=time.time(), schedule="nightly"))
            gained = (
                "sum(max_over_time(runtype_records_finished_total[5m]) -"
                " min_over_time(runtype_records_finished_total[5m]))"
            )
            wait_for(lambda: server.value(gained) == 60.0, every=0.2)
            assert server.value("min(up)") == 1.0
            (active,) = server.get("targets")["activeTargets"]
            assert active["lastError"] == ""
            now = time.time()
            exemplars = server.get(
                "query_exemplars",
                query="runtype_record_latency_seconds_bucket",
                start=str(now - 300),
                end=str(now + 1),
            )
            batch = {
                exemplar["labels"]["batch_id"]
                for series in exemplars
                for exemplar in series["exemplars"]
            }
            (run,) = api.call(lambda: world.runs(time.time()))
            assert batch == {run.batch.id}


def test_the_exposition_is_clean_to_promtool(tmp_path, promtool):
    world = small_world(SystemClock())
    with Served(simulator_app(world, keys=[Key(KEY)])) as api:
        config = configure(tmp_path, api.url)
        once(config)
        api.call(
            lambda: world.add_batch(
                [RecordPlan(0.0, 0.1, 0.2)] * 30, at=time.time(), schedule="nightly"
            )
        )
        with Exporter(config) as exporter:
            wait_for(lambda: "runtype_batches_finished_total" in scrape(exporter.url))
            text = scrape(exporter.url)
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
