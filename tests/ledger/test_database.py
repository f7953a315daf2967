import sqlite3
from pathlib import Path

import pytest

from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.ledger.database import Database


class Callbacks:
    def __init__(self) -> None:
        self.commits: list[float] = []
        self.failures = 0

    def fail(self) -> None:
        self.failures += 1


@pytest.fixture
def callbacks() -> Callbacks:
    return Callbacks()


@pytest.fixture
def database(path: Path, callbacks: Callbacks):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE t (a UNIQUE)")
    database = Database(connection, path, callbacks.commits.append, callbacks.fail)
    yield database
    database.close()


def stored(database: Database) -> list[int]:
    with database.reading() as connection:
        return [a for (a,) in connection.execute("SELECT a FROM t ORDER BY a")]


def test_a_transaction_is_kept_and_timed(database: Database, callbacks: Callbacks):
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    assert stored(database) == [1]
    assert len(callbacks.commits) == 1
    assert callbacks.commits[0] > 0
    assert callbacks.failures == 0


def test_an_error_of_sqlite_undoes_everything_and_is_reported(
    database: Database, callbacks: Callbacks
):
    with (
        pytest.raises(LedgerFailed, match="SQLITE_CONSTRAINT_UNIQUE"),
        database.transaction() as connection,
    ):
        connection.executemany("INSERT INTO t VALUES (?)", [(1,), (1,)])
    assert stored(database) == []
    assert (callbacks.commits, callbacks.failures) == ([], 1)


def test_an_error_of_the_caller_undoes_everything_and_is_no_ledger_failure(
    database: Database, callbacks: Callbacks
):
    with pytest.raises(KeyError), database.transaction() as connection:
        connection.executemany(
            "INSERT INTO t VALUES (?)",
            ((values[name],) for values in [{"a": 1}, {}] for name in "a"),
        )
    assert stored(database) == []
    assert (callbacks.commits, callbacks.failures) == ([], 0)


def test_a_rollback_by_sqlite_itself_is_reported_with_its_own_error(
    database: Database, callbacks: Callbacks
):
    with database.reading() as connection:
        connection.execute(
            "CREATE TRIGGER gone BEFORE INSERT ON t BEGIN SELECT RAISE(ROLLBACK, 'secret'); END"
        )
    with (
        pytest.raises(LedgerFailed, match="SQLITE_CONSTRAINT_TRIGGER") as caught,
        database.transaction() as connection,
    ):
        connection.execute("INSERT INTO t VALUES (1)")
    assert "secret" not in str(caught.value)
    assert callbacks.failures == 1


def test_a_transaction_that_could_not_be_undone_is_undone_before_the_next(database: Database):
    with database.reading() as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t VALUES (1)")
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (2)")
    assert stored(database) == [2]


def test_a_failed_read_is_reported(database: Database, callbacks: Callbacks):
    with pytest.raises(LedgerFailed, match="could not be read"), database.reading() as connection:
        connection.execute("SELECT * FROM missing")
    assert callbacks.failures == 1


def test_closing_twice_does_no_harm_and_nothing_works_afterwards(database: Database, path: Path):
    database.close()
    database.close()
    with (
        pytest.raises(LedgerFailed, match=r"ledger\.db: .*ProgrammingError"),
        database.transaction(),
    ):
        pass
