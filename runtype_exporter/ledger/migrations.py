"""Ledgers of earlier formats are brought to the present one, after a copy of them was made.

Each step is the SQL and the code of its time: it must keep working when the present format moves on,
so it takes nothing from `schema` or `codec`.
"""

from __future__ import annotations

import filecmp
import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import structlog

from runtype_exporter.ledger.errors import LedgerUnusable

_log = structlog.get_logger()

SPACE_NEEDED = 2
"""Free space that a migration needs, in sizes of the file: the copy, and SQLite's journal."""
SPARE = 1 << 20
"""And bytes beyond that."""


def back_up(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy the ledger to `FILE.vVERSION` before it is migrated. Return the copy.

    A copy that is there already is kept, and used where it is the same. The ledger must be locked and
    in rollback-journal mode, so that all of it is in the one file.

    Raises:
        LedgerUnusable: there is not enough free space for the copy and the migration.
        sqlite3.Error, OSError: the copy could not be written.
    """
    real = path.resolve()
    size = real.stat().st_size
    needed, free = size * SPACE_NEEDED + SPARE, shutil.disk_usage(real.parent).free
    if free < needed:
        finding = f"an upgrade of its format needs {needed} bytes of free space, there are {free}"
        raise LedgerUnusable(path, finding)
    unfinished = real.with_name(f"{real.name}.v{version}.unfinished")
    unfinished.unlink(missing_ok=True)
    # SQLite makes the copy over its own connection. Opening and closing the file here would give up
    # the lock of this process on it (POSIX).
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as copy:
        connection.backup(copy)
    unfinished.chmod(real.stat().st_mode & 0o777)
    copy_path = _copy_path(real, version, unfinished)
    unfinished.replace(copy_path)
    return copy_path


def migrate(connection: sqlite3.Connection, version: int) -> int:
    """Bring the tables from a format to the present one, inside the caller's transaction.

    Return the new version. The caller commits, so a failure or a crash leaves the old format whole.
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
        if not candidate.exists() or filecmp.cmp(candidate, content, shallow=False):
            return candidate
        number += 1


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
  SELECT r.batch, r.id, a.state, NULL, r.adopter
  FROM results_1 AS r
  JOIN results AS a ON a.batch = r.batch AND a.id = r.adopter
  WHERE r.adopter IS NOT NULL;
DROP TABLE results_1;
"""


def _from_1(connection: sqlite3.Connection) -> None:
    """Space the state codes, give adoptions a table, and keep `cost_due` in a column.

    Codes 5 to 8 (remembered) become 65 to 68, and 9 (adopted) becomes 255. Format 1 did not keep how
    an adopted record had ended: its adopter's present state stands in.
    """
    for statement in _FROM_1.split(";"):
        connection.execute(statement)
    due = connection.execute(
        "SELECT num, body FROM batches WHERE instr(body, '\"cost_due\"')"
    ).fetchall()
    for num, text in due:
        body = json.loads(text)
        cost_due = body.pop("cost_due", False)
        connection.execute(
            "UPDATE batches SET cost_due = ?, body = ? WHERE num = ?",
            (cost_due, json.dumps(body, separators=(",", ":"), ensure_ascii=False), num),
        )


_STEPS: Mapping[int, Callable[[sqlite3.Connection], None]] = {1: _from_1}
"""By the format that each step starts from."""
