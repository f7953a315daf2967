import sqlite3
from pathlib import Path

import pytest

from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.ledger.database import Database


class Heard:
    def __init__(self) -> None:
        self.commits: list[float] = []
        self.failures = 0

    def fail(self) -> None:
        self.failures += 1


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def database(path: Path, heard: Heard):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE t (a UNIQUE)")
    database = Database(connection, path, heard.commits.append, heard.fail)
    yield database
    database.close()


def held(database: Database) -> list[int]:
    with database.reading() as connection:
        return [a for (a,) in connection.execute("SELECT a FROM t ORDER BY a")]


def test_a_transaction_is_kept_and_timed(database: Database, heard: Heard):
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    assert held(database) == [1]
    assert len(heard.commits) == 1
    assert heard.commits[0] > 0
    assert heard.failures == 0


def test_an_error_of_sqlite_undoes_everything_and_is_reported(database: Database, heard: Heard):
    with (
        pytest.raises(LedgerFailed, match="SQLITE_CONSTRAINT_UNIQUE"),
        database.transaction() as connection,
    ):
        connection.executemany("INSERT INTO t VALUES (?)", [(1,), (1,)])
    assert held(database) == []
    assert (heard.commits, heard.failures) == ([], 1)


def test_an_error_of_the_callers_undoes_everything_and_is_no_failure_of_the_ledger(
    database: Database, heard: Heard
):
    with pytest.raises(KeyError), database.transaction() as connection:
        connection.executemany(
            "INSERT INTO t VALUES (?)",
            ((values[name],) for values in [{"a": 1}, {}] for name in "a"),
        )
    assert held(database) == []
    assert (heard.commits, heard.failures) == ([], 0)


def test_an_error_after_which_sqlite_undid_the_transaction_itself_is_reported_as_it_is(
    database: Database, heard: Heard
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
    assert heard.failures == 1


def test_a_transaction_that_could_not_be_undone_is_undone_before_the_next(database: Database):
    with database.reading() as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t VALUES (1)")
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (2)")
    assert held(database) == [2]


def test_a_failed_reading_is_reported(database: Database, heard: Heard):
    with pytest.raises(LedgerFailed, match="could not be read"), database.reading() as connection:
        connection.execute("SELECT * FROM missing")
    assert heard.failures == 1


def test_closing_twice_does_no_harm_and_nothing_works_afterwards(database: Database, path: Path):
    database.close()
    database.close()
    with (
        pytest.raises(LedgerFailed, match=r"ledger\.db: .*ProgrammingError"),
        database.transaction(),
    ):
        pass
