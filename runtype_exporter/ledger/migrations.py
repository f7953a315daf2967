"""The migration of ledgers from earlier formats to the present one, after a copy was made.

Each step is the SQL and the code of its time. It must keep working when the present format
changes, so it uses nothing of `schema` or `codec`.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import structlog

from runtype_exporter.ledger.errors import LedgerDamaged, LedgerUnusable, name_of
from runtype_exporter.ledger.files import companion, file_size

_log = structlog.get_logger()

SPACE_NEEDED = 4
"""Free space that a migration needs, in sizes of the ledger: for the copy, SQLite's journal and the
new tables, which are filled before the old ones are dropped. Measured: 3.0 to 3.4."""
SPARE = 1 << 20
"""Free bytes that a migration needs beyond that."""


def upgrade(
    connection: sqlite3.Connection, path: Path, version: int, check: Callable[[], str]
) -> None:
    """Migrate a ledger of an older format to the present one, all or nothing, after a copy.

    The connection must have the lock. It stays in rollback-journal mode, so that the new version is
    in the file's header, where an older exporter reads it. `check` returns what is wrong with the
    migrated rows, "" if nothing.

    Raises:
        LedgerRefused, sqlite3.Error: the migration failed. The ledger still has the older format.
    """
    if version not in _STEPS:
        raise LedgerDamaged(path, f"there is no format {version}")
    real = path.resolve()
    try:
        size = file_size(real) + file_size(companion(real, "-wal"))
        expect_space(path, size)
        _log.info("migrating the ledger", path=str(path), old=version, new=NEWEST, bytes=size)
        connection.execute("PRAGMA journal_mode = DELETE")
        copy = back_up(connection, real, version)
    except OSError as error:
        finding = f"it could not be copied before an upgrade of its format: {_reason(error)}"
        raise LedgerUnusable(path, finding) from None
    connection.execute("BEGIN EXCLUSIVE")
    try:
        new = migrate(connection, version)
        if finding := check():
            raise LedgerDamaged(path, finding)
        connection.execute("COMMIT")
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise LedgerDamaged(path, f"a row cannot be read: {type(error).__name__}") from None
    except sqlite3.OperationalError as error:
        # The statement does not fit the tables or, without a code, a text is not UTF-8. Any other
        # error may come from the disk.
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) != sqlite3.SQLITE_ERROR:
            raise
        raise LedgerDamaged(path, name_of(error)) from None
    finally:
        # After some errors, as of a full disk, SQLite has rolled back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    _log.info("ledger migrated", path=str(path), old=version, new=new, copy=str(copy))


def expect_space(path: Path, size: int) -> None:
    """Refuse to migrate a ledger of this size where there is too little free space.

    Raises:
        LedgerUnusable: there is too little.
        OSError: the file system cannot be asked.
    """
    needed, free = size * SPACE_NEEDED + SPARE, shutil.disk_usage(path.resolve().parent).free
    if free < needed:
        finding = f"an upgrade of its format needs {needed} bytes of free space, there are {free}"
        raise LedgerUnusable(path, finding)


def back_up(connection: sqlite3.Connection, real: Path, version: int) -> Path:
    """Copy the ledger to `FILE.vVERSION` before it is migrated. Return the path of the copy.

    Never replace another file: use one with the same content, else take the next free name. The
    ledger must be locked and in rollback-journal mode, so that all of it is in one file. `real` is
    not a link. The copy is on disk when this returns.

    Raises:
        sqlite3.Error, OSError: the copy could not be written; nothing of it is left.
    """
    unfinished = real.with_name(f"{real.name}.v{version}.unfinished")
    _remove(unfinished)
    try:
        # Users who may not read the ledger must not read its copy, not even while it is written.
        unfinished.touch(mode=0o600, exist_ok=False)
        # SQLite makes the copy over its own connection. Opening and closing the file here would end
        # the lock of this process on it (POSIX).
        with closing(sqlite3.connect(unfinished, isolation_level=None)) as copy:
            connection.backup(copy)
        unfinished.chmod(real.stat().st_mode & 0o777)
        _sync(unfinished)
        copy_path = _copy_path(real, version, unfinished)
        if not copy_path.exists():
            unfinished.replace(copy_path)
        _sync(real.parent)
    finally:
        _remove(unfinished)
    return copy_path


def migrate(connection: sqlite3.Connection, version: int) -> int:
    """Migrate the tables from a format to the present one, inside the caller's transaction.

    Return the new version. The caller commits, so a failure or a crash leaves the old format.
    """
    while version in _STEPS:
        _STEPS[version](connection)
        version += 1
        connection.execute(f"PRAGMA user_version = {version}")
    return version


def _copy_path(real: Path, version: int, content: Path) -> Path:
    """Return the name of the copy: the first that is free, or that has this content already."""
    number = 1
    while True:
        suffix = f".v{version}" if number == 1 else f".v{version}.{number}"
        candidate = real.with_name(real.name + suffix)
        if not os.path.lexists(candidate) or _is_copy(candidate, real, content):
            return candidate
        number += 1


def _is_copy(candidate: Path, real: Path, content: Path) -> bool:
    """Return whether a file has this content, and is not the ledger itself by another name."""
    return (
        candidate.is_file()
        and not candidate.samefile(real)
        and filecmp.cmp(candidate, content, shallow=False)
    )


def _remove(unfinished: Path) -> None:
    """Remove an unfinished copy and SQLite's journal of it, which a killed process may leave."""
    unfinished.unlink(missing_ok=True)
    unfinished.with_name(f"{unfinished.name}-journal").unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file, or the list of names of a folder, is on disk and survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


# --- from format 1 to 2 ---

_FROM_1 = """
ALTER TABLE accounts RENAME TO accounts_1;
CREATE TABLE accounts (
  name TEXT PRIMARY KEY,
  horizon REAL NOT NULL,
  discovered INTEGER NOT NULL,
  forgotten REAL
) WITHOUT ROWID;
INSERT INTO accounts SELECT name, horizon, opened, NULL FROM accounts_1;
DROP TABLE accounts_1;

DROP INDEX batches_closed;
DROP INDEX batches_cost_due;
ALTER TABLE batches RENAME TO batches_1;
CREATE TABLE batches (
  num INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account TEXT NOT NULL,
  schedule TEXT,
  created REAL,
  closed REAL,
  cost_due INTEGER NOT NULL,
  body TEXT NOT NULL
);
INSERT INTO batches SELECT num, id, account, schedule, created, closed, 0, body FROM batches_1;
DROP TABLE batches_1;
CREATE INDEX batches_closed ON batches (account, closed) WHERE closed IS NOT NULL;
CREATE INDEX batches_cost_due ON batches (account) WHERE cost_due;

ALTER TABLE results RENAME TO results_1;
CREATE TABLE results (
  batch INTEGER NOT NULL,
  id BLOB NOT NULL,
  state INTEGER NOT NULL,
  word INTEGER NOT NULL,
  sweep INTEGER NOT NULL,
  PRIMARY KEY (batch, id)
) WITHOUT ROWID;
CREATE TABLE adoptions (
  batch INTEGER NOT NULL,
  record BLOB NOT NULL,
  outcome INTEGER NOT NULL,
  finished REAL,
  adopter BLOB,
  PRIMARY KEY (batch, record)
) WITHOUT ROWID;
INSERT INTO results
  SELECT batch, id,
    CASE WHEN state BETWEEN 5 AND 8 THEN state + 60 WHEN state = 9 THEN 255 ELSE state END,
    word, walk
  FROM results_1 ORDER BY batch, id;
INSERT INTO adoptions
  SELECT r.batch, r.id, coalesce(a.state, 0), NULL, r.adopter
  FROM results_1 AS r
  LEFT JOIN results AS a ON a.batch = r.batch AND a.id = r.adopter
  WHERE r.adopter IS NOT NULL;
DROP TABLE results_1;
"""


def _from_1(connection: sqlite3.Connection) -> None:
    """Space the state codes, give adoptions a table, and keep `cost_due` in a column.

    Codes 5 to 8 (remembered) become 65 to 68, and 9 (adopted) becomes 255. Format 1 did not store
    how an adopted record had ended: take the present state of its adopter, or 0 if there is no
    adopter, because format 1 deleted the identities of a closed batch in portions.

    Raises:
        ValueError: a state code is not one of format 1.
    """
    (unknown,) = connection.execute(
        "SELECT count(*) FROM results WHERE state NOT BETWEEN 0 AND 9"
    ).fetchone()
    if unknown:
        raise ValueError("format 1 has no such state")
    for statement in _FROM_1.split(";"):
        connection.execute(statement)
    due = connection.execute(
        "SELECT num, body FROM batches WHERE instr(body, '\"cost_due\"')"
    ).fetchall()
    for num, text in due:
        body = json.loads(text)
        cost_due = bool(body.pop("cost_due", False))
        connection.execute(
            "UPDATE batches SET cost_due = ?, body = ? WHERE num = ?",
            (cost_due, json.dumps(body, separators=(",", ":"), ensure_ascii=False), num),
        )


# --- from format 2 to 3 ---

_FROM_2 = """
ALTER TABLE accounts RENAME TO accounts_2;
CREATE TABLE accounts (
  name TEXT PRIMARY KEY,
  horizon REAL,
  discovered INTEGER NOT NULL,
  forgotten REAL,
  learned TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO accounts SELECT name, horizon, discovered, forgotten, '{}' FROM accounts_2;
DROP TABLE accounts_2;

DROP INDEX batches_closed;
DROP INDEX batches_cost_due;
ALTER TABLE batches RENAME TO batches_2;
CREATE TABLE batches (
  num INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account TEXT NOT NULL,
  schedule TEXT,
  created REAL,
  closed REAL,
  cost_due INTEGER NOT NULL,
  given_up INTEGER NOT NULL,
  body TEXT NOT NULL
);
INSERT INTO batches
  SELECT num, id, account, schedule, created, closed, cost_due, 0, body FROM batches_2;
DROP TABLE batches_2;
CREATE INDEX batches_closed ON batches (account, closed) WHERE closed IS NOT NULL;
CREATE INDEX batches_cost_due ON batches (account) WHERE cost_due;
CREATE INDEX batches_given_up ON batches (account) WHERE given_up;

ALTER TABLE adoptions RENAME TO adoptions_2;
CREATE TABLE adoptions (
  batch INTEGER NOT NULL,
  record BLOB NOT NULL,
  outcome INTEGER NOT NULL,
  finished REAL,
  adopter BLOB,
  PRIMARY KEY (batch, record, outcome)
) WITHOUT ROWID;
INSERT INTO adoptions SELECT batch, record, outcome, finished, adopter FROM adoptions_2;
DROP TABLE adoptions_2;
"""


def _from_2(connection: sqlite3.Connection) -> None:
    """Drop the back-offs of batches, and mark those that were closed as lost as given up.

    An attribute that is new in format 3 is not in the texts: its default says that it is unknown.
    """
    for statement in _FROM_2.split(";"):
        connection.execute(statement)
    stored = connection.execute(
        "SELECT num, closed, body FROM batches WHERE instr(body, '\"failures\"') "
        "OR instr(body, '\"retry_at\"') OR instr(body, '\"lost\"')"
    ).fetchall()
    for num, closed, text in stored:
        body = json.loads(text)
        body.pop("failures", None)
        body.pop("retry_at", None)
        given_up = closed is not None and body.get("outcome") == "lost"
        connection.execute(
            "UPDATE batches SET given_up = ?, body = ? WHERE num = ?",
            (given_up, json.dumps(body, separators=(",", ":"), ensure_ascii=False), num),
        )


_STEPS: Mapping[int, Callable[[sqlite3.Connection], None]] = {1: _from_1, 2: _from_2}
"""By the format that each step starts from."""
NEWEST = max(_STEPS) + 1
