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
    LedgerUnusable,
)
from runtype_exporter.ledger.errors import refusal

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
        (sqlite3.SQLITE_CORRUPT, LedgerDamaged),
        (sqlite3.SQLITE_NOTADB, LedgerDamaged),
        (sqlite3.SQLITE_ERROR, LedgerDamaged),
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


def test_text_that_sqlite_cannot_decode_is_damage():
    assert (
        type(refusal(PATH, sqlite3.OperationalError("Could not decode to UTF-8 column")))
        is LedgerDamaged
    )


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (LedgerLocked(PATH), "give this one another state.path"),
        (LedgerForeign(PATH), "Set state.path to another file"),
        (LedgerNewer.of_format(PATH, 3, 1), "set it to the copy runtype-exporter.db.v1, if"),
        (LedgerNewer.of_content(PATH, "an unknown field of a batch"), "Run the newer exporter"),
        (
            LedgerDamaged(PATH, "finding"),
            "Restore it from a backup, or move it and the files runtype-exporter.db-wal",
        ),
        (LedgerUnusable(PATH, "finding"), "an existing directory that this user may write to"),
        (
            LedgerFailed(PATH, sqlite_error(sqlite3.SQLITE_FULL)),
            "(SQLITE_NAME); nothing was changed. Check the disk",
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
