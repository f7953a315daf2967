"""The demo as somebody meets it who has no account.

Everything is there to be seen, and it moves.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import httpx

from runtype_exporter.catalogue import CATALOGUE
from runtype_exporter.simulator.presets import DEMO_TOKEN
from tests.support.process import ROOT, samples, scrape, wait_for

NOT_SHOWN = {
    "runtype_collector_failures_total": "the demo's API does not fail",
    "runtype_poll_failures_total": "the demo's API does not fail",
    "runtype_batch_sweep_failures_total": "the demo's API does not fail",
    "runtype_rows_rejected_total": "the demo's API sends no bad rows",
    "runtype_batches_given_up_total": "every batch of the demo can be read to its end",
    "runtype_exporter_ledger_failures_total": "the disk does not fail",
    "runtype_record_outcome_changes_total": (
        "a retry is a further result in the demo, none changes afterwards"
    ),
    "runtype_oldest_pending_sweep_timestamp_seconds": (
        "only while a batch waits, which may be no longer than a moment"
    ),
}
"""What a demo need not show, and why."""
CAUGHT_UP_WITHIN = 120.0
"""Seconds in which a day of records is read, slowed by a coverage tool and by whatever else runs:
costs are read after it."""


def total(text: str) -> float:
    """Every result counted."""
    return sum(
        map(float, re.findall(r"^runtype_records_finished_total\{.*\} (\S+)$", text, re.MULTILINE))
    )


def test_every_metric_of_the_catalogue_is_live_in_the_demo_and_the_numbers_move(tmp_path):
    command = ["exporter.py", "demo", "--web.listen-address=127.0.0.1:0", "--simulate.speed=60"]
    with (tmp_path / "log").open("wb") as log:
        demo = subprocess.Popen(
            [sys.executable, "-u", *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=log
        )
    try:
        assert demo.stdout is not None
        lines = [demo.stdout.readline().decode().rstrip() for _ in range(5)]
        said = {line.split("  ")[0]: line.split("  ", 1)[-1].strip() for line in lines}
        assert [
            "simulated API",
            "metrics",
            "status",
            "try",
            "Ctrl-C ends it; nothing is kept.",
        ] == list(said)
        url = said["status"].rstrip("/")
        assert f"{url}/metrics" == said["metrics"]
        assert said["try"].startswith(f"curl -s {url}/metrics | grep ")
        api, key = re.fullmatch(r"(\S+) +\(key: (\w+)\)", said["simulated API"]).groups()
        assert DEMO_TOKEN == key
        listed = httpx.get(
            f"{api}/v1/schedules", headers={"Authorization": f"Bearer {key}"}, trust_env=False
        )
        assert 200 == listed.status_code

        totals = set()

        def missing() -> set[str]:
            text = scrape(url)
            totals.add(total(text))
            live = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
            return {metric.name for metric in CATALOGUE} - live - NOT_SHOWN.keys()

        # Within seconds: two scrapes, two numbers.
        wait_for(lambda: missing() is not None and len(totals) > 2, every=0.5)
        end = time.monotonic() + CAUGHT_UP_WITHIN
        while missing():
            assert time.monotonic() < end, missing()
            time.sleep(0.5)
        text = scrape(url)
        assert {"last night": 1.0} == {
            s.labels["batch"]: s.value for s in samples(text, "runtype_batch_found")
        }
        assert [1.0] == [sample.value for sample in samples(text, "runtype_up")]
        demo.send_signal(signal.SIGINT)
        assert 0 == demo.wait(10)
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        demo.kill()
        demo.communicate()


def test_what_need_not_be_shown_exists():
    assert set() == NOT_SHOWN.keys() - {metric.name for metric in CATALOGUE}
