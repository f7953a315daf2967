"""Opening and looking at copies of the golden ledgers of earlier formats."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from runtype_exporter.ledger import LedgerRefused, schema
from tests.ledger.golden.pair import Golden, opened

FIRST, SECOND = Golden(1), Golden(2)


def migrate(path: Path) -> None:
    with opened(path, FIRST.settings):
        pass


def refused(path: Path, kind: type[LedgerRefused]) -> str:
    """Open a ledger, expect the refusal and return its message."""
    with pytest.raises(kind) as caught:
        migrate(path)
    return str(caught.value)


def query(path: Path, statement: str) -> list[tuple]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def version(path: Path) -> int:
    return query(path, "PRAGMA user_version")[0][0]


def content(path: Path) -> list[str]:
    """Return everything in a file, as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = lambda data: data.decode(errors="surrogateescape")
        return list(connection.iterdump())


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


READ = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("SELECT * FROM meta")
except sqlite3.OperationalError as error:
    print(error, end="")
"""


def others_read(path: Path) -> str:
    """Let another process read the ledger. Return why it cannot, "" if it can."""
    command = [sys.executable, "-c", READ, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def assert_old(path: Path, golden: Golden = FIRST) -> None:
    """Assert that a file is the whole golden ledger, and that a later opening migrates it."""
    copy = path.with_name("of the old format.db")
    shutil.copyfile(path, copy)
    assert version(copy) == golden.version
    assert content(golden.file) == content(copy)
    copy.unlink()
    migrate(path)
    assert version(path) == schema.VERSION
