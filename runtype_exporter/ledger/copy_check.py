"""The check of a copy of a ledger: only this can tell damage from a full disk or a crash.

On the copy, SQLite may do everything that it would do to the original.
"""

from __future__ import annotations

import errno
import fcntl
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import structlog

from runtype_exporter.ledger.check_folder import CheckFolder, places
from runtype_exporter.ledger.errors import (
    LedgerDamaged,
    LedgerForeign,
    LedgerLocked,
    LedgerUnusable,
    is_damage,
    name_of,
)
from runtype_exporter.ledger.files import companion, file_size
from runtype_exporter.ledger.look import Examiner, journal_header, raise_if_locked, read_only

_log = structlog.get_logger()

_MAGIC = b"SQLite format 3\0"
_HEADER = 100
"""Bytes of the header of an SQLite file (https://www.sqlite.org/fileformat.html, section 1.3)."""
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
"""The bytes that SQLite's readers lock together, and that a writer must lock alone."""
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_OWN_WORD = b"runtype_"
"""The start of each metric's name: it is in every ledger, and never on the first page."""


def confirm(examiner: Examiner, suspicion: str) -> None:
    """Refuse a suspicious file, unless a copy of it is intact.

    Raises:
        LedgerForeign, LedgerNewer, LedgerDamaged, LedgerLocked, LedgerUnusable: it is refused.
        sqlite3.Error: it is locked.
    """
    path = examiner.path
    _expect_no_lock_of_ours(path)
    with ExitStack() as stack:
        try:
            with locked(path) as file:
                header = file.read(_HEADER)
                if not _may_be_ours(path, header, file, examiner.application):
                    raise LedgerForeign(path)
                cut_off = journal_header(path)
                folder = _copy(path, file, suspicion)
                stack.callback(folder.remove)
        except OSError as error:
            raise LedgerUnusable(
                path, f"{suspicion}; {error.strerror or type(error).__name__}"
            ) from None
        finding = _look_at_copy(examiner, folder.copy)
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


def _is_whole_without_log(examiner: Examiner) -> bool:
    try:
        with closing(read_only(examiner.path, "mode=ro&immutable=1")) as connection:
            return not examiner.look(connection)
    except sqlite3.Error:
        return False


def _look_at_copy(examiner: Examiner, copy: Path) -> str:
    """Let SQLite recover a copy, and look at it. Return what is wrong with it, "" if nothing.

    Raises:
        LedgerForeign, LedgerNewer: see `Examiner.refuse_if_not_ours`.
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
        with closing(read_only(path, "mode=ro")) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise_if_locked(error)


@contextmanager
def locked(path: Path, *, alone: bool = False) -> Iterator[BinaryIO]:
    """Open a file and keep every writer out, as a reader of SQLite does.

    So the copies of the file and its log are of one moment. `alone` keeps readers out too, as a
    writer does. The lock ends when the process closes any descriptor of the file, so the block must
    read it through this one only.

    Raises:
        LedgerLocked: another process writes to the file or, with `alone`, uses it.
        OSError: the file cannot be read or, with `alone`, written.
    """
    with path.open("r+b" if alone else "rb") as file:
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        try:
            fcntl.lockf(file, kind | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
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
    if file_size(companion(path, "-wal")) or journal_header(path):
        return True
    return _mentions(file, _OWN_WORD)


def _mentions(file: BinaryIO, word: bytes) -> bool:
    end = b""
    while chunk := file.read(1 << 20):
        if word in end + chunk:
            return True
        end = chunk[-len(word) :]
    return False


def _copy(path: Path, file: BinaryIO, suspicion: str) -> CheckFolder:
    """Copy the ledger, its log and its journal into a folder for the check. Return the folder.

    It is next to the ledger or, if there is too little space, where the system has its temporary
    files.

    Raises:
        LedgerLocked: another process checks a copy of this ledger.
        LedgerUnusable: there is too little space in both places.
        OSError: the files cannot be read.
    """
    others = [
        other for other in (companion(path, "-wal"), companion(path, "-journal")) if other.exists()
    ]
    needed = file_size(path) + sum(map(file_size, others))
    for place in places(path):
        try:
            folder = CheckFolder(place, path)
        except BlockingIOError:
            raise LedgerLocked(path) from None
        except OSError:
            # Read-only, no inode left, or something else has this name.
            continue
        with ExitStack() as stack:
            stack.callback(folder.remove)
            if shutil.disk_usage(place).free <= needed:
                continue
            _log.info(
                "checking a copy of the ledger", path=str(path), bytes=needed, reason=suspicion
            )
            if _fill(folder, file, others):
                stack.pop_all()
                return folder
    raise LedgerUnusable(
        path,
        f"{suspicion}; it may well be intact, but only a check of a copy can tell: free"
        f" {needed / 1e6:.1f} MB in {path.resolve().parent} or in the folder for temporary files",
    )


def _fill(folder: CheckFolder, file: BinaryIO, others: Iterable[Path]) -> bool:
    """Copy an open ledger and its other files into a folder. Return whether there was the space.

    Raises:
        OSError: the files cannot be read.
    """
    file.seek(0)
    try:
        with folder.copy.open("wb") as target:
            shutil.copyfileobj(file, target)
        for other in others:
            shutil.copyfile(other, folder.place / other.name)
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        return False
    return True
