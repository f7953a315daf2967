"""The examination of a file before it is opened for writing.

Is it ours, of a version that is known, and whole?

A first look, read-only and in place, is all that an intact ledger gets. Whatever that look finds is
only a suspicion: the file may be intact and the disk full, or the log may hold what the file lacks.
A verdict of damage needs a copy of the file, its log and its journal, on which SQLite may do all
that it would do to the original.
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
"""Bytes of the header of SQLite's file format (https://www.sqlite.org/fileformat.html, section
1.3)."""
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
"""The bytes on which SQLite's readers hold their lock, and which a writer must have for itself."""
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_OWN_WORD = b"runtype_"
"""In every ledger, and never on the first page: the names of the metrics."""


Check = Callable[[sqlite3.Connection], object]
"""Reads everything that a ledger holds, and raises where a row is not what was written."""


@dataclass(frozen=True, slots=True)
class _Examiner:
    path: Path
    application: int
    version: int
    try_reading: Check

    def look(self, connection: sqlite3.Connection) -> str:
        """Look at everything; what is wrong with it, "" if nothing.

        Raises:
            LedgerForeign, LedgerNewer: it is not ours to open.
            sqlite3.Error: it cannot be looked at.
        """
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        self.admit(application, version)
        (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if finding != "ok":
            return "SQLite's quick_check failed"
        if version < self.version:
            # The rows of an older format are checked after they were migrated.
            return ""
        return check_rows(self.path, connection, self.try_reading)

    def admit(self, application: int, version: int) -> None:
        """Refuse what is not ours to open."""
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

    A file that is not there, or has no bytes, is none yet.

    `application` and `version` are what our header has. `try_reading` finds out whether everything
    can be read back.

    Raises:
        LedgerForeign, LedgerNewer, LedgerDamaged, LedgerLocked, LedgerUnusable: it is refused; not
            a byte of it was changed.
        sqlite3.Error: it is locked.
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
        LedgerNewer: a newer version wrote some of it.
    """
    try:
        try_reading(connection)
    except NewerContent as content:
        raise LedgerNewer.of_content(path, str(content)) from None
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        return f"a row cannot be read: {type(error).__name__}"
    return ""


def _expect_nothing_left(path: Path) -> None:
    """Refuse to begin a new ledger where an old one left something: SQLite would delete it."""
    if file_size(companion(path, "-wal")):
        raise LedgerDamaged(path, "its write-ahead log is there, but not the ledger itself")
    # The pages that the ledger had when the transaction began; 0: it was being created.
    if _journal(path)[16:20].strip(b"\0"):
        raise LedgerDamaged(path, "its rollback journal is there, but not the ledger itself")


def _first_look(examiner: _Examiner) -> str:
    """Look at the file in place. What is suspicious, "" if nothing.

    Raises:
        LedgerForeign, LedgerNewer: it is not ours to open.
        sqlite3.Error: it is locked.
    """
    path = examiner.path
    if _journal(path):
        # To see the ledger SQLite would have to write to it.
        return "a transaction in a rollback journal was cut off"
    # The log is part of the ledger. Without one, SQLite would have to make one, unless the file is
    # called immutable.
    mode = "mode=ro" if file_size(companion(path, "-wal")) else "mode=ro&immutable=1"
    try:
        with closing(_read_only(path, mode)) as connection:
            return examiner.look(connection)
    except sqlite3.Error as error:
        _raise_if_locked(error)
        return name_of(error)


def _confirm(examiner: _Examiner, suspicion: str) -> None:
    """Refuse a file that is suspicious, unless a copy of it turns out to be whole.

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
    # What a newer version wrote may look damaged to this one.
    if header.startswith(_MAGIC) and not cut_off:
        examiner.admit(_number(header, 68), _number(header, 60))
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
    """Let SQLite recover a copy and look at it. What is wrong with it, "" if nothing.

    Raises:
        LedgerForeign, LedgerNewer: it is not ours to open.
        LedgerUnusable: even the copy cannot be looked at, for reasons that are not its content's.
    """
    try:
        with closing(sqlite3.connect(copy, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # then SQLite needs no -shm
                (pages,) = connection.execute("PRAGMA page_count").fetchone()
                # Without pages: its creation was undone.
                return examiner.look(connection) if pages else ""
            finally:
                # Then SQLite does not write the log into it when it is closed, for which there may
                # be no space.
                copy.unlink()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise LedgerUnusable(
                examiner.path, f"a copy of it cannot be checked: {name_of(error)}"
            ) from None
        return name_of(error)


def _expect_no_lock_of_ours(path: Path) -> None:
    """Make sure that this very process does not hold the file.

    Whoever opens and closes it would drop the lock.

    Raises:
        sqlite3.Error: it does, or another process does.
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

    What is copied is of one moment.

    The lock ends when this process closes any descriptor of the file, so all that reads it inside
    must use this one.

    Raises:
        LedgerLocked: a writer is at work.
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
    """Return whether a file is a ledger, or may have been one before something blanked its first page."""
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
    """Return the header of a rollback journal that SQLite would play back, else nothing."""
    try:
        with companion(path, "-journal").open("rb") as file:
            header = file.read(28)
    except OSError:  # SQLite looks at it too, and reports what is wrong with the disk
        return b""
    return header if header.startswith(_JOURNAL_MAGIC) else b""


def _copy(path: Path, file: BinaryIO, suspicion: str) -> tempfile.TemporaryDirectory[str]:
    """Copy the ledger, its log and its journal into a temporary folder next to it, else where the system has its temporary files.

    Raises:
        LedgerUnusable: nowhere is enough space.
        OSError: they cannot be read.
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
        except OSError:  # read-only, no inode left, or the system has no folder for temporary files
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
