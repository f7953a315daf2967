"""The examination of a file before it is opened for writing.

It decides whether the file is a ledger of this exporter, of a known format, and intact.

The first look is read-only and in place, and an intact ledger gets no other. Anything it finds is
only a suspicion: the file may be intact and the disk full, or the log may have what the file lacks.
Damage is certain only after a look at a copy of the file, its log and its journal. On the copy,
SQLite may do everything that it would do to the original.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from runtype_exporter.ledger.check_folder import remove_stale
from runtype_exporter.ledger.copy_check import confirm, locked
from runtype_exporter.ledger.errors import LedgerDamaged, LedgerLocked, LedgerRefused, name_of
from runtype_exporter.ledger.files import companion, file_size
from runtype_exporter.ledger.look import (
    Check,
    Examiner,
    journal_header,
    raise_if_locked,
    read_only,
)


def examine(
    path: Path,
    *,
    application: int,
    version: int,
    try_reading: Check,
) -> None:
    """Refuse a file that is not an intact ledger.

    A file that does not exist or is empty is accepted: a new ledger begins there. `application` and
    `version` are those in the header of the present format. `try_reading` raises if a row cannot be
    read back. A copy that a killed process left is removed.

    Raises:
        LedgerForeign, LedgerNewer, LedgerDamaged, LedgerLocked, LedgerUnusable: the file is
            refused. Not a byte of it was changed, and no file is left next to it.
        sqlite3.Error: the file is locked.
    """
    remove_stale(path)
    if not file_size(path):
        _expect_nothing_left(path)
        return
    absent = [file for file in _index_and_log(path) if not file.exists()]
    examiner = Examiner(path, application, version, try_reading)
    try:
        suspicion = _first_look(examiner)
        if suspicion:
            confirm(examiner, suspicion)
    except LedgerRefused:
        # Not where the file is locked: the lock may be this process's own.
        _remove_created(path, absent)
        raise


def _index_and_log(path: Path) -> tuple[Path, Path]:
    return companion(path, "-shm"), companion(path, "-wal")


def _remove_created(path: Path, absent: Sequence[Path]) -> None:
    """Remove the index and the empty log that SQLite made for a look at a ledger.

    `absent` are those that were not there before. They stay where another process may use them.
    """
    created = [file for file in absent if file.exists()]
    log = companion(path, "-wal")
    # Only if there is something to do: to open and close the file ends this process's locks on it.
    if not created:
        return
    with suppress(LedgerLocked, OSError), locked(path, alone=True):
        if log in created and file_size(log):
            return
        for file in created:
            file.unlink()


def _expect_nothing_left(path: Path) -> None:
    """Refuse to begin a new ledger where an old one left a log or journal: SQLite deletes them."""
    if file_size(companion(path, "-wal")):
        raise LedgerDamaged(path, "its write-ahead log is there, but not the ledger itself")
    # The number of pages before the transaction. It is 0 if the ledger was being created.
    if journal_header(path)[16:20].strip(b"\0"):
        raise LedgerDamaged(path, "its rollback journal is there, but not the ledger itself")


def _first_look(examiner: Examiner) -> str:
    """Look at the file in place. Return what is suspicious, "" if nothing.

    Raises:
        LedgerForeign, LedgerNewer: see `Examiner.refuse_if_not_ours`.
        sqlite3.Error: the file is locked.
    """
    path = examiner.path
    if journal_header(path):
        # SQLite would have to write to the ledger before it could read it.
        return "a transaction in a rollback journal was cut off"
    # The log is part of the ledger. If there is none, SQLite would create one, unless the file is
    # declared immutable.
    mode = "mode=ro" if file_size(companion(path, "-wal")) else "mode=ro&immutable=1"
    try:
        with closing(read_only(path, mode)) as connection:
            return examiner.look(connection)
    except sqlite3.Error as error:
        raise_if_locked(error)
        return name_of(error)
