"""The ledger's files on disk: their names, their sizes, and whether one was replaced.

This module never opens a file: POSIX drops a process's locks on a file when the process closes any
descriptor of it.
"""

from __future__ import annotations

import os
from pathlib import Path

from runtype_exporter.ledger.errors import LedgerReplaced, LedgerUnusable


def companion(path: Path, suffix: str) -> Path:
    """Return the path of a file that SQLite keeps next to the ledger.

    `suffix` is -wal (the log), -shm (the index of the log) or -journal.
    """
    # SQLite puts its files next to the file that a link leads to.
    real = path.resolve()
    return real.with_name(real.name + suffix)


def file_size(path: Path) -> int:
    """Return the size of a file in bytes, 0 if there is no such file.

    Raises:
        LedgerUnusable: the file system cannot be asked.
    """
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise LedgerUnusable(path, error.strerror or type(error).__name__) from None


class Files:
    """The ledger and its write-ahead log as they were opened.

    Make it after SQLite has opened both.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = companion(path, "-wal")
        self._ledger_is = _identity(path)
        self._log_is = _identity(self._log)
        self._log_bytes = 0
        self.check()

    def check(self) -> None:
        """Check that both files are still those that were opened. This costs two calls of `stat`.

        Raises:
            LedgerReplaced: one was deleted, replaced or cut short.
        """
        if (now := _identity(self._path)) != self._ledger_is:
            raise LedgerReplaced(self._path, _what(now))
        try:
            log = os.stat(self._log)  # noqa: PTH116  # half the time of Path.stat
        except OSError:
            log = None
        if (now := _id_of(log)) != self._log_is:
            raise LedgerReplaced(self._path, _what(now), log=True)
        if log is not None:
            # SQLite never shortens the log while it is open.
            if log.st_size < self._log_bytes:
                raise LedgerReplaced(self._path, "was cut short", log=True)
            self._log_bytes = log.st_size


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        return _id_of(os.stat(path))  # noqa: PTH116  # half the time of Path.stat
    except OSError:
        # So is a file whose folder was deleted, or may not be searched any more.
        return None


def _id_of(found: os.stat_result | None) -> tuple[int, int] | None:
    return None if found is None else (found.st_dev, found.st_ino)


def _what(now: tuple[int, int] | None) -> str:
    return "was deleted or moved away" if now is None else "was replaced by another file"
