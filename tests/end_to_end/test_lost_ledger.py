"""The ledger's files are deleted, moved and put back under the running process."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtype_exporter.clock import SystemClock
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import RecordPlan
from tests.support.process import KEY, Exporter, Served, configure, samples, scrape, wait_for

GONE = "the ledger's files are not in place"
BACK = "the ledger's files are in place again"


class Account:
    """A simulated account, and the configuration of an exporter that polls it."""

    def __init__(self, folder: Path) -> None:
        self.world = small_world(SystemClock())
        self.ledger = folder / "ledger.db"
        self.log = folder / "ledger.db-wal"
        self._folder = folder

    def configure(self, api: Served) -> Path:
        self._api = api
        return configure(self._folder, api.url)

    def finish(self, records: int) -> None:
        """So many records finish at once."""
        plans = [RecordPlan(0.0, 0.1, 0.2, "success") for _ in range(records)]
        self._api.call(lambda: self.world.add_batch(plans, at=time.time(), schedule="nightly"))


def value(exporter: Exporter, name: str) -> float:
    return sum(sample.value for sample in samples(scrape(exporter.url), name))


def counts(exporter: Exporter, expected: float) -> bool:
    return value(exporter, "runtype_records_finished_total") == expected


def up(exporter: Exporter) -> float:
    return value(exporter, "runtype_exporter_ledger_up")


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return Account(tmp_path)


@pytest.fixture
def config(account: Account) -> Iterator[Path]:
    with Served(simulator_app(account.world, keys=[Key(KEY)])) as api:
        yield account.configure(api)


@contextmanager
def start(config: Path, account: Account) -> Iterator[Exporter]:
    """An exporter that has counted 40 records that finished after its start."""
    with Exporter(config) as exporter:
        wait_for(
            lambda: value(exporter, "runtype_polls_total") > 0, instead=lambda: exporter.logged
        )
        account.finish(40)
        expect(exporter, 40)
        yield exporter


@contextmanager
def restart(config: Path, expected: int) -> Iterator[Exporter]:
    """An exporter that goes on from a ledger, and has counted so many records in all."""
    with Exporter(config) as exporter:
        expect(exporter, expected)
        yield exporter


def expect(exporter: Exporter, expected: int) -> None:
    wait_for(lambda: counts(exporter, expected), instead=lambda: exporter.logged)
    assert up(exporter) == 1


def test_a_deleted_ledger_is_noticed_scrapes_go_on_and_a_copy_of_what_is_open_loses_nothing(
    account, config, tmp_path
):
    """The runbook.

    Copy both files out of /proc before the exporter is stopped, put them in place, start again.
    """
    with start(config, account) as exporter:
        account.ledger.unlink()
        account.log.unlink()
        wait_for(lambda: up(exporter) == 0, patience=5)
        account.finish(20)
        wait_for(
            lambda: value(exporter, "runtype_exporter_ledger_failures_total") > 2,
            instead=lambda: exporter.logged,
        )
        assert counts(exporter, 40)
        assert exporter.logged.count(GONE) == 1
        assert (
            "ledger.db was deleted or moved away while it was in use; nothing was changed"
            in exporter.logged
        )
        opened = Path(f"/proc/{exporter.process.pid}/fd")
        saved = tmp_path / "saved"
        saved.mkdir()
        for descriptor in opened.iterdir():
            leads_to = descriptor.readlink().name.removesuffix(" (deleted)")
            if leads_to.startswith("ledger.db"):
                subprocess.run(["cp", descriptor, saved / leads_to], check=True)
        assert {"ledger.db", "ledger.db-wal"} == {file.name for file in saved.iterdir()}
        code, _ = exporter.terminate()
        assert code == 0, exporter.logged
        assert "Traceback" not in exporter.logged
    assert not account.ledger.exists()
    for file in saved.iterdir():
        file.rename(tmp_path / file.name)
    with restart(config, 60):
        pass


def test_a_ledger_that_is_moved_away_and_back_goes_on_by_itself(account, config, tmp_path):
    with start(config, account) as exporter:
        account.ledger.rename(tmp_path / "away.db")
        wait_for(lambda: up(exporter) == 0, patience=5)
        account.finish(20)
        wait_for(
            lambda: value(exporter, "runtype_exporter_ledger_failures_total") > 2,
            instead=lambda: exporter.logged,
        )
        assert counts(exporter, 40)
        (tmp_path / "away.db").rename(account.ledger)
        wait_for(lambda: counts(exporter, 60), instead=lambda: exporter.logged)
        wait_for(lambda: up(exporter) == 1, instead=lambda: exporter.logged)
        assert (exporter.logged.count(GONE), exporter.logged.count(BACK)) == (1, 1)
        assert "the ledger failed" not in exporter.logged
        assert exporter.terminate()[0] == 0
        assert "Traceback" not in exporter.logged
    with restart(config, 60):
        pass


def test_a_deleted_log_costs_nothing_where_the_stop_is_orderly(account, config):
    with start(config, account) as exporter:
        account.log.unlink()
        wait_for(lambda: up(exporter) == 0, patience=5)
        assert exporter.terminate()[0] == 0
        assert "ledger.db-wal was deleted" in exporter.logged
    with restart(config, 40) as exporter:
        account.finish(20)
        wait_for(lambda: counts(exporter, 60), instead=lambda: exporter.logged)
