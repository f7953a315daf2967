"""The examination of a file before it is opened for writing.

It decides whether the file is a ledger of this exporter, of a known format, and intact.

The first look is read-only and in place, and an intact ledger gets no other. Anything it finds is
only a suspicion: the file may be intact and the disk full, or the log may have what the file lacks.
Damage is certain only after a look at a copy of the file, its log and its journal. On the copy,
SQLite may do everything that it would do to the original.
"""

from __future__ import annotations

import errno
import fcntl
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runtype_exporter.ledger.codec import NewerContent
from runtype_exporter.ledger.errors import (
    LedgerDamaged,
    LedgerForeign,
    LedgerLocked,
    LedgerNewer,
    LedgerUnusable,
    is_damage,
    name_of,
)
from runtype_exporter.ledger.files import companion, file_size

_MAGIC = b"SQLite format 3\0"
_HEADER = 100
"""Bytes of the header of an SQLite file (https://www.sqlite.org/fileformat.html, section 1.3)."""
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
"""The bytes that SQLite's readers lock together, and that a writer must lock alone."""
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_OWN_WORD = b"runtype_"
"""The start of each metric's name: it is in every ledger, and never on the first page."""


Check = Callable[[sqlite3.Connection], object]
"""A function that reads all rows of a ledger, and raises if one is not what was written."""


@dataclass(frozen=True, slots=True)
class _Examiner:
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
    read back.

    Raises:
        LedgerForeign, LedgerNewer, LedgerDamaged, LedgerLocked, LedgerUnusable: the file is
            refused. Not a byte of it was changed.
        sqlite3.Error: the file is locked.
    """
    if not file_size(path):
        _expect_nothing_left(path)
        return
    examiner = _Examiner(path, application, version, try_reading)
    suspicion = _first_look(examiner)
    if suspicion:
        _confirm(examiner, suspicion)


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


def _expect_nothing_left(path: Path) -> None:
    """Refuse to begin a new ledger where an old one left a log or journal: SQLite deletes them."""
    if file_size(companion(path, "-wal")):
        raise LedgerDamaged(path, "its write-ahead log is there, but not the ledger itself")
    # The number of pages before the transaction. It is 0 if the ledger was being created.
    if _journal(path)[16:20].strip(b"\0"):
        raise LedgerDamaged(path, "its rollback journal is there, but not the ledger itself")


def _first_look(examiner: _Examiner) -> str:
    """Look at the file in place. Return what is suspicious, "" if nothing.

    Raises:
        LedgerForeign, LedgerNewer: see `_Examiner.refuse_if_not_ours`.
        sqlite3.Error: the file is locked.
    """
    path = examiner.path
    if _journal(path):
        # SQLite would have to write to the ledger before it could read it.
        return "a transaction in a rollback journal was cut off"
    # The log is part of the ledger. If there is none, SQLite would create one, unless the file is
    # declared immutable.
    mode = "mode=ro" if file_size(companion(path, "-wal")) else "mode=ro&immutable=1"
    try:
        with closing(_read_only(path, mode)) as connection:
            return examiner.look(connection)
    except sqlite3.Error as error:
        _raise_if_locked(error)
        return name_of(error)


def _confirm(examiner: _Examiner, suspicion: str) -> None:
    """Refuse a suspicious file, unless a copy of it is intact.

    Raises:
        LedgerForeign, LedgerNewer, LedgerDamaged, LedgerLocked, LedgerUnusable: it is refused.
        sqlite3.Error: it is locked.
    """
    path = examiner.path
    _expect_no_lock_of_ours(path)
    try:
        with _locked(path) as file:
            header = file.read(_HEADER)
            if not _may_be_ours(path, header, file, examiner.application):
                raise LedgerForeign(path)
            cut_off = _journal(path)
            folder = _copy(path, file, suspicion)
    except OSError as error:
        raise LedgerUnusable(
            path, f"{suspicion}; {error.strerror or type(error).__name__}"
        ) from None
    with folder:
        finding = _look_at_copy(examiner, Path(folder.name, path.resolve().name))
    if not finding:
        return
    # A ledger of a newer format may look damaged to this version.
    if header.startswith(_MAGIC) and not cut_off:
        examiner.refuse_if_not_ours(_number(header, 68), _number(header, 60))
    if file_size(companion(path, "-wal")) and not cut_off and _is_whole_without_log(examiner):
        finding += (
            f", but without its write-ahead log it is whole: does {path.name}-wal belong to another"
            " ledger?"
        )
    raise LedgerDamaged(path, finding)


def _is_whole_without_log(examiner: _Examiner) -> bool:
    try:
        with closing(_read_only(examiner.path, "mode=ro&immutable=1")) as connection:
            return not examiner.look(connection)
    except sqlite3.Error:
        return False


def _look_at_copy(examiner: _Examiner, copy: Path) -> str:
    """Let SQLite recover a copy, and look at it. Return what is wrong with it, "" if nothing.

    Raises:
        LedgerForeign, LedgerNewer: see `_Examiner.refuse_if_not_ours`.
        LedgerUnusable: even the copy cannot be read, for a reason other than its content.
    """
    try:
        with closing(sqlite3.connect(copy, timeout=0, isolation_level=None)) as connection:
            try:
                # In this mode SQLite needs no -shm file.
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                (pages,) = connection.execute("PRAGMA page_count").fetchone()
                # A ledger without pages: its creation was undone.
                return examiner.look(connection) if pages else ""
            finally:
                # Without its file SQLite does not write the log back at the close, for which there
                # may be no space.
                copy.unlink()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise LedgerUnusable(
                examiner.path, f"a copy of it cannot be checked: {name_of(error)}"
            ) from None
        return name_of(error)


def _expect_no_lock_of_ours(path: Path) -> None:
    """Expect that neither this process nor another one has a lock on the file.

    A process that opens and closes the file itself would drop its own lock.

    Raises:
        sqlite3.Error: the file is locked.
    """
    try:
        with closing(_read_only(path, "mode=ro")) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        _raise_if_locked(error)


def _raise_if_locked(error: sqlite3.Error) -> None:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        raise error


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """Open a file and keep every writer out, as a reader of SQLite does.

    So the copies of the file and its log are of one moment. The lock ends when the process closes
    any descriptor of the file, so the block must read it through this one only.

    Raises:
        LedgerLocked: another process writes to the file.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except (BlockingIOError, PermissionError):
            raise LedgerLocked(path) from None
        yield file


def _number(header: bytes, offset: int) -> int:
    return int.from_bytes(header[offset : offset + 4], "big")


def _may_be_ours(path: Path, header: bytes, file: BinaryIO, application: int) -> bool:
    """Return whether a file is a ledger, or may have been one: its first page may be blank."""
    if header.startswith(_MAGIC):
        return len(header) == _HEADER and _number(header, 68) == application
    if header.strip(b"\0"):
        return False
    return bool(file_size(companion(path, "-wal")) or _journal(path)) or _mentions(file, _OWN_WORD)


def _mentions(file: BinaryIO, word: bytes) -> bool:
    end = b""
    while chunk := file.read(1 << 20):
        if word in end + chunk:
            return True
        end = chunk[-len(word) :]
    return False


def _journal(path: Path) -> bytes:
    """Return the header of a rollback journal that SQLite would play back, b"" if there is none."""
    try:
        with companion(path, "-journal").open("rb") as file:
            header = file.read(28)
    except OSError:
        # SQLite looks at the journal too, and reports what is wrong with the disk.
        return b""
    return header if header.startswith(_JOURNAL_MAGIC) else b""


def _copy(path: Path, file: BinaryIO, suspicion: str) -> tempfile.TemporaryDirectory[str]:
    """Copy the ledger, its log and its journal into a temporary folder. Return the folder.

    It is next to the ledger or, if there is too little space, where the system has its temporary
    files.

    Raises:
        LedgerUnusable: there is too little space in both places.
        OSError: the files cannot be read.
    """
    others = [
        other for other in (companion(path, "-wal"), companion(path, "-journal")) if other.exists()
    ]
    needed = file_size(path) + sum(map(file_size, others))
    for place in (path.resolve().parent, None):
        try:
            folder = tempfile.TemporaryDirectory(
                prefix="runtype-exporter-check-", dir=place, ignore_cleanup_errors=True
            )
        except OSError:
            # Read-only, no inode left, or the system has no folder for temporary files.
            continue
        try:
            if shutil.disk_usage(folder.name).free > needed:
                file.seek(0)
                with Path(folder.name, path.resolve().name).open("wb") as target:
                    shutil.copyfileobj(file, target)
                for other in others:
                    shutil.copyfile(other, Path(folder.name, other.name))
                return folder
        except OSError as error:
            folder.cleanup()
            if error.errno not in _NO_SPACE:
                raise
        folder.cleanup()
    raise LedgerUnusable(
        path,
        f"{suspicion}; it may well be intact, but only a check of a copy can tell: free"
        f" {needed / 1e6:.1f} MB in {path.resolve().parent} or in the folder for temporary files",
    )


def _read_only(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=0, isolation_level=None
    )
