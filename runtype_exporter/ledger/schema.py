"""The ledger's file: its tables, how it is opened, and when it is refused.

A refused file is never modified: `examination` looks at it before SQLite may write to it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from runtype_exporter.ledger import examination, migrations
from runtype_exporter.ledger.errors import LedgerUnusable, refusal
from runtype_exporter.ledger.files import companion, file_size
from runtype_exporter.ledger.look import Check, check_rows

APPLICATION_ID = 0x52544C47
"""In the file's header: "RTLG"."""
VERSION = 3
"""In the file's header as user_version. A later version must change it before anything else, and in
rollback-journal mode, so that an older exporter reads it from the header even where a write-ahead
log was left behind."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (
  name TEXT PRIMARY KEY,
  horizon REAL,
  discovered INTEGER NOT NULL,
  forgotten REAL,
  learned TEXT NOT NULL
) WITHOUT ROWID;
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
CREATE INDEX batches_closed ON batches (account, closed) WHERE closed IS NOT NULL;
CREATE INDEX batches_cost_due ON batches (account) WHERE cost_due;
CREATE INDEX batches_given_up ON batches (account) WHERE given_up;
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
  PRIMARY KEY (batch, record, outcome)
) WITHOUT ROWID;
CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  schedule TEXT NOT NULL,
  batch TEXT NOT NULL,
  created REAL,
  started REAL,
  outcome TEXT,
  ended REAL
) WITHOUT ROWID;
CREATE INDEX runs_created ON runs (created);
CREATE INDEX runs_unfinished ON runs (account) WHERE outcome IS NULL;
CREATE TABLE schedules (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE families (metric TEXT PRIMARY KEY, bounds TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE series (
  metric TEXT NOT NULL,
  labels TEXT NOT NULL,
  created REAL NOT NULL,
  value REAL NOT NULL,
  counts TEXT,
  changed REAL NOT NULL,
  PRIMARY KEY (metric, labels)
) WITHOUT ROWID;
CREATE TABLE names (
  account TEXT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  label TEXT NOT NULL,
  PRIMARY KEY (account, kind, id)
) WITHOUT ROWID;
CREATE TABLE budget (
  account TEXT PRIMARY KEY,
  tokens REAL NOT NULL,
  at REAL NOT NULL,
  paused_until REAL NOT NULL
) WITHOUT ROWID;
"""


def connect(path: Path, *, now: float, try_reading: Check) -> sqlite3.Connection:
    """Open the ledger's file, or create it, and lock it until the connection is closed.

    `try_reading` is called with a connection that cannot write. It raises where something in the
    file cannot be read back. While the ledger is open, nothing else in this process may open the
    file: POSIX drops a process's locks on a file when the process closes any descriptor of it.

    Raises:
        LedgerRefused: one of its subclasses. The file was not changed.
    """
    try:
        examination.examine(
            path, application=APPLICATION_ID, version=VERSION, try_reading=try_reading
        )
        return _lock(path, now, try_reading)
    except sqlite3.Error as error:
        raise refusal(path, error) from None


def size(path: Path) -> int:
    """Return the size of the ledger on disk in bytes, its write-ahead log included.

    Return 0 where the file system cannot be asked.
    """
    try:
        return file_size(path) + file_size(companion(path, "-wal"))
    except LedgerUnusable:
        return 0


def _lock(path: Path, now: float, try_reading: Check) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN EXCLUSIVE")
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
            _create(connection, now)
        connection.execute("COMMIT")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < VERSION:
            migrations.upgrade(
                connection,
                path,
                version,
                lambda: check_rows(path, connection, try_reading),
            )
        connection.execute("PRAGMA journal_mode = WAL")
        # SQLite creates the log at the first read. It must exist, so that its loss can be noticed.
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection, now: float) -> None:
    for statement in TABLES.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('created', ?)", (now,))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
