"""What every look at a ledger's file checks, and how the file is read without a change.

`examination` looks at the file in place, `copy_check` at a copy of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtype_exporter.ledger.errors import LedgerForeign, LedgerNewer
from runtype_exporter.ledger.files import companion
from runtype_exporter.ledger.json_text import NewerContent

_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")

Check = Callable[[sqlite3.Connection], object]
"""A function that reads all rows of a ledger, and raises if one is not what was written."""


@dataclass(frozen=True, slots=True)
class Examiner:
    """The examination of one file: what its header must have, and how its rows are read."""

    path: Path
    application: int
    version: int
    try_reading: Check

    def look(self, connection: sqlite3.Connection) -> str:
        """Look at the whole ledger. Return what is wrong with it, "" if nothing.

        Raises:
            LedgerForeign, LedgerNewer: see `refuse_if_not_ours`.
            sqlite3.Error: the ledger cannot be read.
        """
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        self.refuse_if_not_ours(application, version)
        (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if finding != "ok":
            return "SQLite's quick_check failed"
        if version < self.version:
            # The rows of an older format are checked after the migration.
            return ""
        return check_rows(self.path, connection, self.try_reading)

    def refuse_if_not_ours(self, application: int, version: int) -> None:
        """Refuse a file that another program or a newer version of the exporter wrote.

        Raises:
            LedgerForeign, LedgerNewer: it is such a file.
        """
        if application != self.application:
            raise LedgerForeign(self.path)
        if version > self.version:
            raise LedgerNewer.of_format(self.path, version, self.version)


def check_rows(path: Path, connection: sqlite3.Connection, try_reading: Check) -> str:
    """Read every row back. Return what is wrong, "" if nothing.

    Raises:
        LedgerNewer: a newer version of the exporter wrote a row.
    """
    try:
        try_reading(connection)
    except NewerContent as content:
        raise LedgerNewer.of_content(path, str(content)) from None
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        return f"a row cannot be read: {type(error).__name__}"
    return ""


def read_only(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file with these parameters of an SQLite URI, which must forbid to write."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=0, isolation_level=None
    )


def raise_if_locked(error: sqlite3.Error) -> None:
    """Raise an error again if it says that the file is locked."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        raise error


def journal_header(path: Path) -> bytes:
    """Return the header of a rollback journal that SQLite would play back, b"" if there is none."""
    try:
        with companion(path, "-journal").open("rb") as file:
            header = file.read(28)
    except OSError:
        # SQLite looks at the journal too, and reports what is wrong with the disk.
        return b""
    return header if header.startswith(_JOURNAL_MAGIC) else b""
