"""The ledger's files, deleted, moved, replaced and cut short while it is open."""

import os
import shutil
import sqlite3
import timeit
from collections.abc import Callable
from pathlib import Path

import pytest

from runtype_exporter.ledger import Ledger, LedgerReplaced
from runtype_exporter.ledger.database import Database
from runtype_exporter.ledger.files import Files
from tests.support.counted import SUCCESS, count

OpenLedger = Callable[..., Ledger]


@pytest.fixture
def log(path: Path) -> Path:
    return path.with_name("ledger.db-wal")


@pytest.fixture
def counted(ledger: Ledger) -> Ledger:
    """Opens a ledger and counts 100 results, which are in its log only."""
    count(ledger, 0, 100)
    return ledger


def refused(ledger: Ledger, happened: str) -> str:
    """Expect that the loss is noticed and nothing can be written. Return the message.

    Memory stays as it is.
    """
    with pytest.raises(LedgerReplaced, match=happened):
        ledger.check_files()
    with pytest.raises(LedgerReplaced, match=happened) as caught:
        count(ledger, 100, 150)
    assert ledger.rows() == 100
    return str(caught.value)


def test_files_in_place_are_no_failure(counted: Ledger):
    assert counted.check_files()


def test_a_new_ledger_has_its_log_from_the_start(ledger: Ledger, log: Path):
    assert log.exists()
    log.unlink()
    with pytest.raises(LedgerReplaced, match=r"ledger\.db-wal was deleted"):
        ledger.check_files()


def test_a_ledger_that_is_opened_again_has_its_log_from_the_start(
    open_ledger: OpenLedger, log: Path
):
    open_ledger().close()
    ledger = open_ledger()
    log.unlink()
    with pytest.raises(LedgerReplaced, match=r"ledger\.db-wal was deleted"):
        ledger.check_files()


def test_nothing_is_written_into_a_ledger_that_was_deleted(counted: Ledger, path: Path, log: Path):
    path.unlink()
    before = log.read_bytes()
    message = refused(
        counted, r"ledger\.db was deleted or moved away while it was in use; nothing was changed"
    )
    assert (
        "Polling pauses, scrapes go on. Put the original file back and polling resumes by itself"
        in message
    )
    counted.close()
    assert log.read_bytes() == before
    assert not path.exists()


def test_a_ledger_that_is_moved_away_and_back_goes_on(
    counted: Ledger, path: Path, open_ledger: OpenLedger, totals
):
    away = path.with_name("away.db")
    path.rename(away)
    refused(counted, r"ledger\.db was deleted")
    away.rename(path)
    assert not counted.check_files(), "the last thing that was tried failed"
    count(counted, 100, 150)
    assert counted.check_files()
    counted.close()
    assert totals(open_ledger())[SUCCESS] == 150


def test_a_log_that_is_moved_away_and_back_goes_on(
    counted: Ledger, log: Path, open_ledger: OpenLedger, totals
):
    away = log.with_name("away")
    log.rename(away)
    refused(counted, r"ledger\.db-wal was deleted")
    away.rename(log)
    count(counted, 100, 150)
    counted.close()
    assert totals(open_ledger())[SUCCESS] == 150


def test_a_deleted_log_costs_nothing_if_the_stop_is_orderly(
    counted: Ledger, log: Path, open_ledger: OpenLedger, totals
):
    log.unlink()
    message = refused(counted, r"ledger\.db-wal was deleted")
    assert (
        "stop this exporter in an orderly way (SIGTERM), which writes into ledger.db what of the"
        " log is left" in message
    )
    counted.close()
    assert totals(open_ledger())[SUCCESS] == 100


def test_a_replaced_log_is_noticed(counted: Ledger, log: Path, open_ledger: OpenLedger, totals):
    other = log.with_name("other")
    shutil.copy(log, other)
    other.rename(log)
    refused(counted, r"ledger\.db-wal was replaced by another file")
    counted.close()
    assert totals(open_ledger())[SUCCESS] == 100


def test_another_ledger_in_its_place_is_not_changed(
    counted: Ledger, path: Path, log: Path, open_ledger: OpenLedger, totals
):
    other = path.with_name("other.db")
    with_other = open_ledger(other)
    count(with_other, 0, 300)
    with_other.close()
    other.rename(path)
    before = path.read_bytes()
    message = refused(counted, r"ledger\.db was replaced by another file")
    assert "move ledger.db-wal away first, which does not belong to that file" in message
    counted.close()
    assert path.read_bytes() == before
    log.unlink()
    assert totals(open_ledger())[SUCCESS] == 300


def test_a_link_that_points_elsewhere_is_a_replaced_ledger(
    open_ledger: OpenLedger, path: Path, tmp_path: Path
):
    link = tmp_path / "link.db"
    link.symlink_to(path)
    ledger = open_ledger(link)
    count(ledger, 0, 100)
    path.with_name("other.db").write_bytes(b"x")
    link.unlink()
    link.symlink_to(path.with_name("other.db"))
    refused(ledger, r"link\.db was replaced")


@pytest.mark.parametrize("keep", [0, 32, 20_000])
def test_a_truncated_log_damages_nothing_that_was_checkpointed(
    keep: int, counted: Ledger, log: Path, open_ledger: OpenLedger
):
    os.truncate(log, keep)
    refused(counted, r"ledger\.db-wal was cut short while it was in use")
    counted.close()
    assert open_ledger().rows() in {0, 50, 100}


def test_a_file_that_is_moved_during_a_transaction_undoes_it(path: Path):
    failures = []
    with_table = sqlite3.connect(path, isolation_level=None)
    with_table.execute("CREATE TABLE t (a)")
    database = Database(with_table, path, lambda _: None, lambda: failures.append(1))
    away = path.with_name("away.db")

    def write() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            path.rename(away)

    with pytest.raises(LedgerReplaced):
        write()
    away.rename(path)
    with database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert failures == [1]
    assert not database.check()
    database.close()


def test_a_database_that_had_no_log_may_not_get_one(path: Path, log: Path):
    path.touch()
    files = Files(path)
    files.check()
    log.touch()
    with pytest.raises(LedgerReplaced, match=r"ledger\.db-wal was replaced"):
        files.check()


def test_a_moved_folder_is_a_deleted_ledger(open_ledger: OpenLedger, tmp_path: Path):
    folder = tmp_path / "volume"
    folder.mkdir()
    ledger = open_ledger(folder / "ledger.db")
    folder.rename(tmp_path / "gone")
    with pytest.raises(LedgerReplaced, match=r"ledger\.db was deleted"):
        ledger.check_files()
    (tmp_path / "gone").rename(folder)
    assert ledger.check_files()


def test_the_check_costs_microseconds(counted: Ledger):
    assert min(timeit.repeat(counted.check_files, number=100, repeat=5)) / 100 < 200e-6
