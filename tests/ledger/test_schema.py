import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runtype_exporter.ledger import (
    Ledger,
    LedgerDamaged,
    LedgerForeign,
    LedgerLocked,
    LedgerNewer,
    LedgerRefused,
    LedgerUnusable,
    schema,
)
from runtype_exporter.model import Batch, Result

OpenLedger = Callable[..., Ledger]


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, without SQLite's index of a log, which repeats the log."""
    return {
        file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")
    }


def refused(open_ledger: OpenLedger, path: Path, kind: type[LedgerRefused]) -> str:
    """Open a ledger, expect the refusal and that no byte changed. Return the message."""
    before = files(path.parent)
    with pytest.raises(kind) as caught:
        open_ledger()
    after = files(path.parent)
    assert {name: data for name, data in after.items() if data or name in before} == before
    return str(caught.value)


def crash(path: Path, folder: Path) -> Path:
    """Copy what a power cut would leave of an open ledger. Return the path of the copy."""
    folder.mkdir()
    for suffix in ("", "-wal"):
        (folder / f"{path.name}{suffix}").write_bytes(
            path.with_name(path.name + suffix).read_bytes()
        )
    return folder / path.name


def edit(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statement)


def test_a_ledger_is_created_where_there_is_none(open_ledger: OpenLedger, path: Path):
    ledger = open_ledger()
    assert ledger.created == 1_000.0
    assert ledger.path == path
    assert path.exists()


def test_an_empty_file_becomes_a_ledger(open_ledger: OpenLedger, path: Path):
    path.touch()
    assert open_ledger().created == 1_000.0


def test_the_time_of_creation_survives(open_ledger: OpenLedger, clock):
    open_ledger().close()
    clock.at = 2_000.0
    assert open_ledger().created == 1_000.0


def test_a_path_with_characters_that_mean_something_in_a_uri_is_only_a_path(
    open_ledger: OpenLedger, tmp_path: Path
):
    path = tmp_path / "a?mode=memory#%20 b.db"
    open_ledger(path).close()
    open_ledger(path)
    assert path.exists()


def test_commits_are_durable_and_the_file_is_locked_exclusively(ledger: Ledger):
    connection = ledger._database._connection
    pragmas = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "locking_mode")
    }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "locking_mode": "exclusive"}


def test_a_second_ledger_on_the_file_is_refused_at_once(
    ledger: Ledger, open_ledger: OpenLedger, path: Path
):
    ledger.raise_horizon(*_horizon(ledger))
    message = refused(open_ledger, path, LedgerLocked)
    assert "another process uses this ledger" in message


def test_a_second_process_is_refused_and_the_first_goes_on(ledger: Ledger, path: Path):
    ledger.raise_horizon(*_horizon(ledger))
    program = """
import sys
from pathlib import Path
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import Ledger, LedgerLocked
try:
    Ledger.open(Path(sys.argv[1]), clock=SystemClock(), boundaries={})
except LedgerLocked as error:
    print(error)
"""
    command = [sys.executable, "-c", program, str(path)]
    other = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert f"{path}: another process uses this ledger" in other.stdout
    ledger.raise_horizon("production", 7_000.0)
    assert ledger.horizon("production").at == 7_000.0


def test_a_ledger_that_was_opened_and_not_yet_written_to_is_locked_too(
    open_ledger: OpenLedger, path: Path
):
    open_ledger().close()
    first = open_ledger()
    with pytest.raises(LedgerLocked):
        open_ledger()
    assert first.rows() == 0


def test_a_failed_second_opening_does_not_give_up_the_first_ones_lock(
    ledger: Ledger, open_ledger: OpenLedger, path: Path
):
    assert ledger.rows() == 0
    for _ in range(2):
        # No read_bytes() here: to close any descriptor of a file ends the process's locks on it.
        with pytest.raises(LedgerLocked):
            open_ledger()
    program = (
        "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT * FROM meta')"
    )
    other = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert "database is locked" in other.stderr


@pytest.mark.parametrize(
    "content",
    [
        b"hello, world\n",
        b"\0",
        b"\0" * 8192,
        b"SQLite format 3\0",
        b"SQLite format 3\0" + b"\xff" * 5000,
    ],
    ids=["text", "one byte", "zeros", "cut header", "garbled header"],
)
def test_a_file_that_is_no_ledger_is_refused(content: bytes, open_ledger: OpenLedger, path: Path):
    path.write_bytes(content)
    assert "is not a ledger of runtype-exporter" in refused(open_ledger, path, LedgerForeign)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_another_programs_database_is_refused(mode: str, open_ledger: OpenLedger, path: Path):
    edit(
        path,
        f"PRAGMA journal_mode = {mode}; CREATE TABLE customers (name); INSERT INTO customers VALUES"
        " ('x')",
    )
    refused(open_ledger, path, LedgerForeign)


def test_another_programs_database_with_a_log_left_behind_is_refused(
    open_ledger: OpenLedger, tmp_path: Path
):
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE customers (name)")
        path = crash(other, tmp_path / "crashed")
    before = files(path.parent)
    with pytest.raises(LedgerForeign):
        open_ledger(path)
    assert files(path.parent) == before


def test_a_newer_ledger_is_refused(open_ledger: OpenLedger, path: Path):
    open_ledger().close()
    edit(path, f"PRAGMA user_version = {schema.VERSION + 1}")
    assert f"this exporter knows formats up to {schema.VERSION} and" in refused(
        open_ledger, path, LedgerNewer
    )


def fill(ledger: Ledger, batch: Batch, results: list[Result]) -> None:
    ledger.apply(batch, results, lambda _: batch, now=1_000.0)


@pytest.fixture
def filled(open_ledger: OpenLedger, path: Path, a_batch, a_result) -> Path:
    ledger = open_ledger()
    fill(ledger, a_batch(), [a_result(f"k{number}") for number in range(500)])
    ledger.close()
    return path


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_ledger_cut_short_is_refused(keep: float, filled: Path, open_ledger: OpenLedger):
    data = filled.read_bytes()
    filled.write_bytes(data[: int(len(data) * keep)])
    assert "this ledger is damaged" in refused(open_ledger, filled, LedgerDamaged)


@pytest.mark.parametrize("page", [1, 4, 12])
def test_a_garbled_ledger_is_refused(page: int, filled: Path, open_ledger: OpenLedger):
    data = bytearray(filled.read_bytes())
    data[page * 4096 + 200 : (page + 1) * 4096] = b"\xa5" * (4096 - 200)
    data[page * 4096 : page * 4096 + 8] = b"\xa5" * 8
    filled.write_bytes(data)
    refused(open_ledger, filled, LedgerDamaged)


def test_a_damaged_ledger_with_a_log_is_not_changed(
    filled: Path, open_ledger: OpenLedger, tmp_path: Path, a_batch
):
    ledger = open_ledger()
    ledger.save(a_batch("b2"))
    path = crash(filled, tmp_path / "crashed")
    data = bytearray(path.read_bytes())
    data[12 * 4096 : 13 * 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    before = files(path.parent)
    with pytest.raises(LedgerDamaged):
        open_ledger(path)
    assert files(path.parent) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE batches SET body = 'not JSON'",
        "UPDATE batches SET body = 'null'",
        "UPDATE batches SET body = '{}'",
        """UPDATE batches SET body = '{"seen":1,"picture":[1]}'""",
        "UPDATE batches SET body = CAST(x'ff' AS TEXT)",
        "UPDATE series SET counts = '[1, 2]' WHERE counts IS NOT NULL",
        "DELETE FROM families",
        "DELETE FROM meta",
        "DROP TABLE series",
    ],
)
def test_a_ledger_with_rows_that_cannot_be_read_is_refused(
    statement: str, filled: Path, open_ledger: OpenLedger
):
    edit(filled, statement)
    assert "Then restore a backup" in refused(open_ledger, filled, LedgerDamaged)


def test_the_log_of_a_linked_ledger_is_found(
    filled: Path, open_ledger: OpenLedger, tmp_path: Path, a_batch
):
    ledger = open_ledger()
    ledger.save(a_batch("b2"))
    crashed = crash(filled, tmp_path / "crashed")
    log = crashed.with_name("ledger.db-wal").stat().st_size
    link = tmp_path / "link.db"
    link.symlink_to(crashed)
    linked = open_ledger(link)
    assert list(linked.batches(["b2"])) == ["b2"]
    assert linked.size() >= crashed.stat().st_size + log > crashed.stat().st_size


@pytest.mark.parametrize("rest", [None, b""])
def test_a_log_without_its_ledger_is_refused(
    rest: bytes | None, open_ledger: OpenLedger, path: Path
):
    path.with_name("ledger.db-wal").write_bytes(b"what is left of a ledger")
    if rest is not None:
        path.write_bytes(rest)
    assert "its write-ahead log is there, but not the ledger" in refused(
        open_ledger, path, LedgerDamaged
    )


def test_a_crash_while_the_file_was_created_is_undone(open_ledger: OpenLedger, path: Path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        schema._create(connection, 5.0)
        connection.execute("COMMIT")
    # A rollback journal as it is before the commit: valid, of a file that had no pages.
    header = bytes.fromhex("d9d505f920a163d7") + bytes(4) + b"nonc" + bytes(4)
    journal = header + (512).to_bytes(4, "big") + (4096).to_bytes(4, "big")
    path.with_name("ledger.db-journal").write_bytes(journal.ljust(512, b"\0"))
    assert open_ledger().created == 1_000.0


def test_a_directory_is_refused(open_ledger: OpenLedger, path: Path):
    path.mkdir()
    with pytest.raises(LedgerUnusable, match="the ledger cannot be opened"):
        open_ledger()


def test_a_missing_directory_is_refused(open_ledger: OpenLedger, path: Path):
    with pytest.raises(LedgerUnusable, match="needs an existing directory"):
        open_ledger(path.parent / "missing" / "ledger.db")


def test_a_file_where_a_directory_should_be_is_refused(open_ledger: OpenLedger, path: Path):
    path.touch()
    with pytest.raises(LedgerUnusable, match="Not a directory"):
        open_ledger(path / "ledger.db")


def test_a_place_that_cannot_be_written_is_refused(open_ledger: OpenLedger):
    with pytest.raises(LedgerUnusable, match="on a disk with free space"):
        open_ledger(Path("/proc/ledger.db"))


def test_the_size_is_that_of_the_file_and_its_log(ledger: Ledger, path: Path):
    ledger.raise_horizon(*_horizon(ledger))
    log = path.with_name("ledger.db-wal").stat().st_size
    assert log > 0
    assert ledger.size() == path.stat().st_size + log


def _horizon(ledger: Ledger) -> tuple[str, float]:
    ledger.fix_horizon("production", 1_000.0)
    return "production", 5_000.0
