"""`check-config` as a command."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtype_exporter.cli import main
from runtype_exporter.clock import SystemClock
from runtype_exporter.simulator.presets import DEMO_TOKEN, SimulatorSettings, build
from tests.support.process import Served


def check(*arguments: str, key: str = DEMO_TOKEN) -> Result:
    return CliRunner().invoke(main, ["check-config", *arguments], env={"RUNTYPE_API_KEY": key})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("accounts:\n  - {name: acme, api_key: {env: RUNTYPE_API_KEY}}\n")
    return path


def test_a_good_file_gets_a_forecast_without_requests(file: Path):
    done = check("--config.file", str(file), "--state.path", "elsewhere.db")
    assert 0 == done.exit_code
    assert done.output.startswith(
        "the configuration is good; ledger at elsewhere.db\n\nacme  (https://api.runtype.com,"
    )
    assert "10 schedules, 10 flows; --live asks the API instead" in done.output
    assert "runtype_record_latency_seconds" in done.output


def test_a_bad_file_gets_every_error_and_no_forecast(file: Path):
    file.write_text("poll: {interval: 30}\nmetric: {}\n")
    done = check("--config.file", str(file))
    assert 1 == done.exit_code
    assert f"{file}:1: poll.interval: 30 has no unit" in done.output
    assert f"{file}:2: metric: unknown key 'metric'" in done.output
    assert "at rest" not in done.output


def test_live_reads_the_account_and_creates_no_ledger(file: Path):
    with Served(build(SimulatorSettings(seed=1), SystemClock())) as served:
        file.write_text(
            f"accounts:\n  - {{name: acme, base_url: '{served.url}', api_key: {{env:"
            " RUNTYPE_API_KEY}}\n"
        )
        done = check(
            "--config.file", str(file), "--state.path", str(file.with_name("ledger.db")), "--live"
        )
    assert 0 == done.exit_code, done.output
    assert "  holds         " in done.output
    assert " an hour of late" in done.output
    assert [file] == list(file.parent.iterdir())


def test_live_reports_a_refused_key(file: Path):
    with Served(build(SimulatorSettings(seed=1), SystemClock())) as served:
        file.write_text(
            f"accounts:\n  - {{name: acme, base_url: '{served.url}', api_key: {{env:"
            " RUNTYPE_API_KEY}}\n"
        )
        done = check("--config.file", str(file), "--live", key="rt_test_wrong")
    assert 1 == done.exit_code
    assert "Error: acme: schedules: the API refuses the key (401)" in done.output
    assert "wrong" not in done.output
