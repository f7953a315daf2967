import sqlite3
from pathlib import Path

import pytest

from runtype_exporter.ledger import (
    LedgerDamaged,
    LedgerError,
    LedgerFailed,
    LedgerForeign,
    LedgerLocked,
    LedgerNewer,
    LedgerRefused,
    LedgerReplaced,
    LedgerUnusable,
)
from runtype_exporter.ledger.errors import is_damage, refusal

PATH = Path("/data/runtype-exporter.db")


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("quotes a customer's record")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_NAME"
    return error


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, LedgerLocked),
        (sqlite3.SQLITE_BUSY_RECOVERY, LedgerLocked),
        (sqlite3.SQLITE_LOCKED, LedgerLocked),
        (sqlite3.SQLITE_CORRUPT, LedgerUnusable),
        (sqlite3.SQLITE_NOTADB, LedgerUnusable),
        (sqlite3.SQLITE_ERROR, LedgerUnusable),
        (sqlite3.SQLITE_CANTOPEN, LedgerUnusable),
        (sqlite3.SQLITE_READONLY, LedgerUnusable),
        (sqlite3.SQLITE_READONLY_DBMOVED, LedgerUnusable),
        (sqlite3.SQLITE_IOERR_READ, LedgerUnusable),
        (sqlite3.SQLITE_FULL, LedgerUnusable),
        (sqlite3.SQLITE_PERM, LedgerUnusable),
    ],
)
def test_each_error_while_opening_has_its_kind_of_refusal(code: int, expected: type[LedgerRefused]):
    assert type(refusal(PATH, sqlite_error(code))) is expected


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR]
)
def test_errors_of_the_content_are_damage_once_a_copy_shows_them(code: int):
    assert is_damage(sqlite_error(code))


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR_READ]
)
def test_errors_of_the_disk_and_of_locks_are_no_damage(code: int):
    assert not is_damage(sqlite_error(code))


def test_text_that_sqlite_cannot_decode_is_damage():
    assert is_damage(sqlite3.OperationalError("Could not decode to UTF-8 column"))


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (LedgerLocked(PATH), "give this one another state.path"),
        (LedgerForeign(PATH), "Set state.path to another file"),
        (
            LedgerNewer.of_format(PATH, 3, 1),
            "put the newest of the copies runtype-exporter.db.v1, runtype-exporter.db.v1.2 ... in",
        ),
        (LedgerNewer.of_content(PATH, "an unknown field of a batch"), "Run the newer exporter"),
        (LedgerDamaged(PATH, "finding"), "Copy runtype-exporter.db, runtype-exporter.db-wal and"),
        (LedgerDamaged(PATH, "finding"), "Then restore a backup, or try to recover it"),
        (
            LedgerDamaged(PATH, "finding"),
            "Only then move the files away to start a new ledger: its counters start",
        ),
        (LedgerUnusable(PATH, "finding"), "an existing directory that this user may write to"),
        (
            LedgerFailed(PATH, sqlite_error(sqlite3.SQLITE_FULL)),
            "(SQLITE_NAME); nothing was changed. Check the disk",
        ),
        (
            LedgerReplaced(PATH, "was deleted"),
            "runtype-exporter.db was deleted while it was in use; nothing was",
        ),
        (
            LedgerReplaced(PATH, "was deleted"),
            "Put the original file back and polling resumes by itself, or restart",
        ),
        (
            LedgerReplaced(PATH, "was deleted"),
            "a new ledger begins, its counters start at 0 again, and results that",
        ),
        (
            LedgerReplaced(PATH, "was cut short", log=True),
            "runtype-exporter.db-wal was cut short while it was in use",
        ),
        (
            LedgerReplaced(PATH, "was deleted", log=True),
            "or stop this exporter in an orderly way (SIGTERM)",
        ),
    ],
)
def test_every_message_names_the_file_and_the_remedy_and_quotes_nothing(
    error: LedgerError, remedy: str
):
    assert str(error).startswith("/data/runtype-exporter.db: ")
    assert remedy in str(error)
    assert "customer" not in str(error)


def test_all_can_be_caught_as_one_and_refusals_apart_from_failures():
    kinds = {LedgerLocked, LedgerForeign, LedgerNewer, LedgerDamaged, LedgerUnusable}
    assert set(LedgerRefused.__subclasses__()) == kinds
    assert set(LedgerError.__subclasses__()) == {LedgerRefused, LedgerFailed}
    assert LedgerFailed.__subclasses__() == [LedgerReplaced]
