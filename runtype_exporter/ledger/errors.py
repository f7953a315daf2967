"""The errors of the ledger. Each message names the file and the remedy, never a stored value.

LedgerError
├── LedgerRefused      the file was not opened, and not a byte of it was changed
│   ├── LedgerLocked   another process uses it
│   ├── LedgerForeign  the file is not a ledger
│   ├── LedgerNewer    a newer version of the exporter wrote it
│   ├── LedgerDamaged  it is a ledger, but cannot be trusted
│   └── LedgerUnusable it cannot be created, read or written
└── LedgerFailed       an operation on the open ledger failed; neither the file nor memory changed
    └── LedgerReplaced its files are no longer those that were opened
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Self

_NEW_LEDGER = (
    "its counters start at 0 again, and results that finished before the start are not counted"
    " unless poll.lookback reaches back to them"
)


class LedgerError(Exception):
    """The base of all errors of the ledger."""


class LedgerRefused(LedgerError):  # noqa: N818  # says what happened, and is an Error by its base
    """The ledger was not opened. Its file was not changed."""


class LedgerLocked(LedgerRefused):
    """Another process has the ledger open."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: another process uses this ledger. Stop that exporter first, or give this one"
            " another state.path."
        )


class LedgerForeign(LedgerRefused):
    """The file is no ledger of this exporter."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: this file is not a ledger of runtype-exporter and is left as it is. Set"
            " state.path to another file."
        )


class LedgerNewer(LedgerRefused):
    """A newer version of the exporter wrote the file."""

    def __init__(self, path: Path, finding: str, remedy: str) -> None:
        super().__init__(f"{path}: {finding} and leaves it as it is. {remedy}")

    @classmethod
    def of_format(cls, path: Path, found: int, known: int) -> Self:
        """Return the error for a format with a number that is not known."""
        copy = f"{path.resolve().name}.v{known}"
        return cls(
            path,
            f"this ledger has format {found}, this exporter knows formats up to {known}",
            "Run the newer exporter again, or set state.path to another file. To go back, move this"
            f" file and its -wal away and put the newest of the copies {copy}, {copy}.2 ... in its"
            " place, if the upgrade made one; what was counted since then is not in it.",
        )

    @classmethod
    def of_content(cls, path: Path, what: str) -> Self:
        """Return the error for content that is not known; `what` names its kind, not its value."""
        return cls(
            path,
            f"this ledger holds {what}: a newer exporter wrote it. This exporter does not know it",
            "Run the newer exporter again, or set state.path to another file.",
        )


class LedgerDamaged(LedgerRefused):
    """The file is a ledger that cannot be trusted."""

    def __init__(self, path: Path, finding: str) -> None:
        super().__init__(
            f"{path}: this ledger is damaged ({finding}) and is left as it is. Copy {path.name},"
            f" {path.name}-wal and {path.name}-journal to a safe place before you do anything else."
            " Then restore a backup, or try to recover it from a second copy (sqlite3 COPY"
            " .recover, see docs/operations.md). Only then move the files away to start a new"
            f" ledger: {_NEW_LEDGER}."
        )


class LedgerUnusable(LedgerRefused):
    """The file cannot be created, read or written."""

    def __init__(self, path: Path, finding: str) -> None:
        super().__init__(
            f"{path}: the ledger cannot be opened ({finding}). state.path needs an existing"
            " directory that this user may write to, on a disk with free space."
        )


class LedgerFailed(LedgerError):  # noqa: N818  # see LedgerRefused
    """An operation on the open ledger failed and was undone."""

    def __init__(self, path: Path, error: sqlite3.Error) -> None:
        super().__init__(
            f"{path}: the ledger could not be read or written ({name_of(error)}); nothing was"
            " changed. Check the disk's space and health."
        )


class LedgerReplaced(LedgerFailed):
    """The ledger or its write-ahead log is no longer the file that was opened.

    Nothing is written until it is back.
    """

    def __init__(self, path: Path, happened: str, *, log: bool = False) -> None:
        name = f"{path.name}-wal" if log else path.name
        if log:
            restart = (
                f"stop this exporter in an orderly way (SIGTERM), which writes into {path.name}"
                " what of the log is left, and start it again: it goes on from there, and counts"
                " again what is missing as far as the API still lists it"
            )
        else:
            restart = (
                f"restart: without {path.name} a new ledger begins, {_NEW_LEDGER}; with another"
                f" file in its place, move {path.name}-wal away first, which does not belong to"
                " that file"
            )
        Exception.__init__(
            self,
            f"{path}: {name} {happened} while it was in use; nothing was changed. Polling pauses,"
            " scrapes go on. Put the original file back and polling resumes by itself, or"
            f" {restart}.",
        )


def name_of(error: sqlite3.Error) -> str:
    """Return SQLite's own name of an error, such as SQLITE_FULL.

    Unlike SQLite's message, it never quotes stored data.
    """
    return getattr(error, "sqlite_errorname", type(error).__name__)


def _primary(error: sqlite3.Error) -> int:
    # An error without a code: text that is not UTF-8.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error is about the file's content.

    It is false for errors of the disk, of locks and of permissions.
    """
    return _primary(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


def refusal(path: Path, error: sqlite3.Error) -> LedgerRefused:
    """Return the refusal for an SQLite error that ended the opening of the ledger.

    It is never LedgerDamaged: only the check of a copy can find damage.
    """
    if _primary(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return LedgerLocked(path)
    return LedgerUnusable(path, name_of(error))
