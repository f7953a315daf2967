"""Faults of a file with their places, and the forecast of a good one."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtype_exporter.simulator.faults import ApiFault
from tests.support.commands import KEYS, run
from tests.support.process import configure

FIXTURES = Path(__file__).parents[1] / "config" / "fixtures"


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.bad.yaml")), ids=lambda file: file.name)
def test_a_bad_file_is_refused_with_its_places(file):
    refused = run("check-config", f"--config.file={file}")
    assert 1 == refused.exit_code
    first, *_ = refused.output.removeprefix("Error: ").splitlines()
    place, line, _ = first.split(":", 2)
    assert (str(file), True) == (place, line.isdigit())


def test_every_fault_of_a_file_is_reported_at_once(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("accounts:\n  - name: a\n    timeout: 5\npoll:\n  intervall: 1s\n")
    lines = run("check-config", f"--config.file={file}").output.removeprefix("Error: ").splitlines()
    assert [2, 3, 5] == sorted(
        int(line.split(":")[1]) for line in lines if line.startswith(str(file))
    )


def test_a_good_file_is_forecast_and_live_asks_the_api(api, tmp_path):
    config = configure(tmp_path, api.url)
    checked = run("check-config", f"--config.file={config}")
    assert 0 == checked.exit_code
    assert checked.output.startswith(
        f"the configuration is good; ledger at {tmp_path / 'ledger.db'}\n"
    )
    elsewhere = run(
        "check-config", f"--config.file={config}", "--state.path=/x.db", "--live", **KEYS
    )
    assert (0, True) == (elsewhere.exit_code, "ledger at /x.db" in elsewhere.output)
    assert not (tmp_path / "ledger.db").exists()


def test_live_fails_where_the_api_does_or_the_key_is_missing(api, faults, tmp_path):
    config = configure(tmp_path, api.url)
    nokey = run("check-config", f"--config.file={config}", "--live", ACME_KEY="")
    assert (1, True) == (nokey.exit_code, "ACME_KEY is empty" in nokey.output)
    faults.add(ApiFault(kind="status", value=401))
    refused = run("check-config", f"--config.file={config}", "--live", **KEYS)
    assert (1, True) == (refused.exit_code, refused.stderr.splitlines()[-1].startswith("Error: "))
    assert refused.stdout.startswith("the configuration is good")
