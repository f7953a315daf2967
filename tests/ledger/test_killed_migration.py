"""A process is killed at each step of a migration in turn: the next one completes the migration."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from runtype_exporter.ledger import schema
from tests.ledger.golden import contents
from tests.ledger.golden.pair import Golden, opened
from tests.ledger.golden.words import in_words

ROOT = Path(__file__).parents[2]
FIRST = Golden(1)
MEMORY = Path("/dev/shm")
JOURNAL = bytes.fromhex("d9d505f920a163d7")
LEFT_BEHIND = {
    frozenset(left)
    for left in (
        # Nothing was done yet.
        {"1", ""},
        # The copy was being written, was whole, and had its name.
        {"1", "", ".v1.unfinished"},
        {"1", "", ".v1"},
        # The transaction was cut off, and was committed.
        {"1", "", ".v1", "-journal"},
        {str(schema.VERSION), "", ".v1"},
        # The ledger was in use.
        {str(schema.VERSION), "", ".v1", "-wal"},
    )
}
"""The states that the kills must leave: the version in the header, and the suffixes of files."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Returns a folder in memory, if possible: hundreds of waits for a disk take a minute."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with TemporaryDirectory(dir=MEMORY) as name:
        yield Path(name)


def left_behind(path: Path) -> frozenset[str]:
    """Return the version in the file's header, and the suffixes of the files next to it.

    A journal counts only if SQLite would play it back.
    """
    names = {file.name.removeprefix(path.name) for file in path.parent.iterdir()}
    journal = path.with_name(f"{path.name}-journal")
    if journal.exists() and not journal.read_bytes().startswith(JOURNAL):
        names.remove("-journal")
    return frozenset({str(int.from_bytes(path.read_bytes()[60:64], "big")), *names})


def content_of(path: Path) -> dict[str, Any]:
    """Open a ledger and return its series, batches and accounts."""
    with opened(path, FIRST.settings) as ledger:
        series = contents.series(ledger)
        batches = in_words(ledger.batches(batch["id"] for batch in FIRST.content["batches"]))
        accounts = [contents.account(ledger, one["name"]) for one in FIRST.content["accounts"]]
    results, adoptions = contents.stored(path, FIRST.vocabulary)
    for id_, batch in batches.items():
        batch |= {"results": results.get(id_, []), "adoptions": adoptions.get(id_, [])}
    return {"series": series, "batches": batches, "accounts": accounts}


EXPECTED = {
    "series": {
        (one["metric"], tuple(one["labels"])): (one["created_at"], one["value"])
        for one in FIRST.content["series"]
    },
    "batches": {batch["id"]: batch for batch in FIRST.content["batches"]},
    "accounts": FIRST.content["accounts"],
}


def test_a_ledger_that_is_killed_at_any_step_of_its_migration_loses_nothing(folder: Path):
    command = [sys.executable, "-m", "tests.ledger.golden.killed", str(FIRST.file), str(folder)]
    found = set()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        for line in process.stdout:
            path = Path(line.rstrip())
            found.add(left_behind(path))
            assert EXPECTED == content_of(path)
            assert {"ledger.db", "ledger.db.v1"} == {file.name for file in path.parent.iterdir()}
            shutil.rmtree(path.parent)
    assert process.returncode == 0
    assert LEFT_BEHIND <= found
