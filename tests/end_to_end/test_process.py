"""The process as its operator meets it.

Stop, reload, health, refusals, and what must never come out of it.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import Any

import httpx
import yaml

from runtype_exporter.clock import SystemClock
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.faults import ApiFault, Faults
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import MARKER, Api, RecordPlan
from tests.support.process import (
    KEY,
    LOCAL,
    ROOT,
    Exporter,
    Served,
    configure,
    once,
    samples,
    scrape,
    wait_for,
)

RECORDS = [RecordPlan(0.0, 0.1, 0.2, "failure" if n % 5 == 0 else "success") for n in range(40)]


def asked(url: str, path: str, method: str = "GET") -> httpx.Response:
    return httpx.request(method, url + path, **LOCAL)


def test_sigterm_ends_the_process_with_exit_0_within_5_seconds_also_while_the_api_hangs(tmp_path):
    faults = Faults(ApiFault(kind="hang"))
    with (
        Served(simulator_app(small_world(SystemClock()), keys=[Key(KEY)], faults=faults)) as api,
        Exporter(configure(tmp_path, api.url)) as exporter,
    ):
        wait_for(lambda: asked(exporter.url, "/-/healthy").status_code == 200)
        assert asked(exporter.url, "/-/ready").status_code == 503
        scrape(exporter.url)
        wait_for(faults.fired)
        exit_code, seconds = exporter.terminate()
        assert exit_code == 0, exporter.logged
        assert seconds < 5


def test_a_bad_file_is_refused_on_reload_and_a_good_one_taken_up(tmp_path):
    """SIGHUP and POST /-/reload.

    The old configuration stays in force, the gauge says so, and no count is lost.
    """
    world = small_world(SystemClock())
    with Served(simulator_app(world, keys=[Key(KEY)])) as api:
        config = configure(tmp_path, api.url)
        good = config.read_text()
        with Exporter(config, "--web.enable-lifecycle") as exporter:
            wait_for(lambda: asked(exporter.url, "/-/ready").status_code == 200)
            api.call(lambda: world.add_batch(RECORDS, at=time.time(), schedule="nightly"))

            def counted() -> float:
                return sum(
                    s.value for s in samples(scrape(exporter.url), "runtype_records_finished_total")
                )

            def reloaded() -> list[float]:
                return [
                    s.value
                    for s in samples(
                        scrape(exporter.url), "runtype_exporter_config_last_reload_successful"
                    )
                ]

            wait_for(lambda: counted() == 40)

            config.write_text(good.replace("interval", "intervall"))
            refused = asked(exporter.url, "/-/reload", "POST")
            assert refused.status_code == 500
            assert "intervall" in refused.text
            wait_for(lambda: reloaded() == [0.0])

            moved = yaml.safe_load(good)
            moved["state"]["path"] = str(tmp_path / "elsewhere.db")
            config.write_text(yaml.safe_dump(moved))
            assert "state.path" in asked(exporter.url, "/-/reload", "POST").text

            renamed = yaml.safe_load(good)
            renamed["poll"]["interval"] = "2s"
            config.write_text(yaml.safe_dump(renamed))
            exporter.process.send_signal(signal.SIGHUP)
            wait_for(lambda: reloaded() == [1.0])
            api.call(lambda: world.add_batch(RECORDS, at=time.time(), schedule="nightly"))
            wait_for(lambda: counted() == 80)


def test_reload_over_http_is_off_unless_it_is_switched_on(tmp_path):
    with (
        Served(simulator_app(small_world(SystemClock()), keys=[Key(KEY)])) as api,
        Exporter(configure(tmp_path, api.url)) as exporter,
    ):
        refused = asked(exporter.url, "/-/reload", "POST")
        assert refused.status_code == 403
        assert "--web.enable-lifecycle" in refused.text


def test_a_second_process_on_the_same_ledger_is_refused(tmp_path):
    with Served(simulator_app(small_world(SystemClock()), keys=[Key(KEY)])) as api:
        config = configure(tmp_path, api.url)
        with Exporter(config) as exporter:
            wait_for(lambda: asked(exporter.url, "/-/ready").status_code == 200)
            second = once(config)
            assert second.returncode == 1
            assert str(tmp_path / "ledger.db") in second.stderr
            assert "Traceback" not in second.stderr


def test_an_address_in_use_is_one_clear_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = configure(tmp_path, "http://127.0.0.1:1")
        with Exporter(config, f"--web.listen-address=127.0.0.1:{port}") as exporter:
            assert exporter.process.wait(20) == 1
            assert f"127.0.0.1:{port}" in exporter.logged
            assert "Traceback" not in exporter.logged


def test_healthcheck_tells_a_running_exporter_from_none(tmp_path):
    def healthcheck(address: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "exporter.py", "healthcheck", f"--web.listen-address={address}"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    with (
        Served(simulator_app(small_world(SystemClock()), keys=[Key(KEY)])) as api,
        Exporter(configure(tmp_path, api.url)) as exporter,
    ):
        address = exporter.url.removeprefix("http://")
        assert healthcheck(address).returncode == 0
    gone = healthcheck(address)
    assert gone.returncode == 1
    assert "does the exporter run" in gone.stderr


def test_neither_the_key_nor_customer_data_gets_anywhere(tmp_path):
    """Marker strings in every field of a customer's, errors of every kind, logs at debug level.

    Nothing shows or keeps them.
    """
    world = small_world(SystemClock(), api=Api(payload=200))
    faults = Faults(
        ApiFault(kind="html", operation="summary", times=1),
        ApiFault(kind="status", operation="runs", value=500, times=1),
    )

    def spoil(kind: str, **fault: Any) -> None:
        """A batch whose results cannot be read, or no row of them."""
        batch = world.add_batch(RECORDS, at=time.time(), schedule="nightly").batch
        faults.add(ApiFault(kind=kind, operation="batch_results", match=batch.id, **fault))

    with Served(simulator_app(world, keys=[Key(KEY)], faults=faults)) as api:
        config = configure(tmp_path, api.url)
        with Exporter(config, "--log.level=debug") as exporter:
            wait_for(lambda: asked(exporter.url, "/-/ready").status_code == 200)
            api.call(lambda: spoil("truncate"))
            api.call(lambda: spoil("set", path="data.*.recordId", value=[MARKER]))
            api.call(lambda: spoil("set", path="data.*.status", value={MARKER: MARKER}))
            wait_for(lambda: "batch cannot be read" in exporter.logged)
            # The other two are read, but for their rows.
            wait_for(lambda: exporter.logged.count("a row of an answer cannot be understood") == 2)
            api.call(lambda: world.add_batch(RECORDS, at=time.time(), schedule="nightly"))
            wait_for(
                lambda: (
                    sum(
                        s.value
                        for s in samples(scrape(exporter.url), "runtype_records_finished_total")
                    )
                    == 40
                )
            )
            pages = [
                asked(exporter.url, path).text for path in ("/", "/metrics", "/-/ready", "/nothing")
            ]
            pages.append(
                httpx.get(
                    f"{exporter.url}/metrics",
                    headers={"Accept": "application/openmetrics-text"},
                    **LOCAL,
                ).text
            )
            assert exporter.terminate()[0] == 0
            said = "\n".join([*pages, exporter.logged]).encode()
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("ledger.db*"))
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert connection.execute("SELECT count(*) FROM results").fetchone() == (40,)
    for secret in (KEY, MARKER):
        assert secret.encode() not in said
        assert secret.encode() not in kept


def test_a_missing_key_is_one_clear_line(tmp_path):
    config = configure(tmp_path, "http://127.0.0.1:1")
    environ = {name: value for name, value in os.environ.items() if name != "ACME_KEY"}
    command = [sys.executable, "exporter.py", f"--config.file={config}"]
    refused = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert refused.returncode == 1
    assert "ACME_KEY" in refused.stderr
    assert "Traceback" not in refused.stderr
