"""Ledgers of earlier formats are migrated completely or not at all."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runtype_exporter.ledger import (
    LedgerDamaged,
    LedgerNewer,
    LedgerUnusable,
    migrations,
    schema,
)
from tests.ledger.golden.first import (
    FIRST,
    SECOND,
    assert_old,
    content,
    files,
    migrate,
    query,
    refused,
    version,
)
from tests.ledger.golden.pair import Golden, opened

ADOPTED = "SELECT batch, id, adopter FROM results WHERE adopter NOT NULL"


@pytest.fixture
def old(path: Path) -> Path:
    """Makes a ledger of format 1."""
    return shutil.copyfile(FIRST.file, path)


def test_every_format_before_the_present_one_has_a_step():
    assert set(range(1, schema.VERSION)) == set(migrations._STEPS)


def test_a_migrated_ledger_has_the_tables_of_a_new_one(old: Path, tmp_path: Path):
    new = tmp_path / "new.db"
    migrate(old)
    migrate(new)
    tables = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
    found, expected = (
        # SQLite keeps the text of each statement, with its line ends.
        [["".join((part or "").split()) for part in row] for row in query(file, tables)]
        for file in (old, new)
    )
    assert expected == found


def test_a_log_that_was_left_behind_is_migrated_too(old: Path, tmp_path: Path):
    left = tmp_path / "left"
    left.mkdir()
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE accounts SET horizon = 5.5")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{old}{suffix}", left / f"ledger.db{suffix}")
    assert (left / "ledger.db-wal").stat().st_size
    migrate(left / "ledger.db")
    assert [(5.5,), (5.5,)] == query(left / "ledger.db", "SELECT horizon FROM accounts")
    assert content(old) == content(left / "ledger.db.v1")
    assert ["ledger.db", "ledger.db.v1"] == files(left / "ledger.db")


class Limited(sqlite3.Connection):
    """A connection whose files can only have so many pages, as on a full disk."""

    limit: int

    def execute(self, statement: str, *arguments):
        if statement == "BEGIN EXCLUSIVE":
            super().execute(f"PRAGMA max_page_count = {self.limit}")
        return super().execute(statement, *arguments)


@pytest.mark.parametrize("pages", range(36, 40))
def test_a_full_disk_is_named_and_undone(pages: int, old: Path, monkeypatch: pytest.MonkeyPatch):
    class Full(Limited):
        limit = pages

    connect = sqlite3.connect
    with monkeypatch.context() as patched:
        patched.setattr(
            sqlite3, "connect", lambda *args, **options: connect(*args, factory=Full, **options)
        )
        assert "(SQLITE_FULL)" in refused(old, LedgerUnusable)
    assert ["ledger.db", "ledger.db.v1"] == files(old)
    assert_old(old)


STATEMENTS = [
    (golden, name, number)
    for golden, name in ((FIRST, "_FROM_1"), (FIRST, "_FROM_2"), (SECOND, "_FROM_2"))
    for number in range(len(getattr(migrations, name).split(";")))
]


@pytest.mark.parametrize(("golden", "name", "number"), STATEMENTS, ids=str)
def test_a_failure_at_any_statement_leaves_the_old_format(
    golden: Golden, name: str, number: int, path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copyfile(golden.file, path)
    statements = getattr(migrations, name).split(";")
    broken = ";".join([*statements[:number], "SELECT nothing"])
    with monkeypatch.context() as patched:
        patched.setattr(migrations, name, broken)
        refused(path, LedgerDamaged)
    assert_old(path, golden)


def test_an_interruption_leaves_format_1(old: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(connection: sqlite3.Connection) -> None:
        migrations._from_1(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setitem(migrations._STEPS, 1, interrupted)
        with pytest.raises(KeyboardInterrupt):
            migrate(old)
        # A cursor that is still open would keep the connection from being closed.
        with closing(sqlite3.connect(old, isolation_level=None)) as connection:
            with pytest.raises(KeyboardInterrupt):
                migrations.upgrade(connection, old, 1, lambda: "")
            assert not connection.in_transaction
    assert_old(old)


def test_a_commit_that_was_cut_off_is_undone_and_done_again(old: Path):
    """The header already has the new version when the journal still undoes all of it."""
    journal = old.with_name("ledger.db-journal")
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        # Without waiting for the disk the journal is complete at any moment.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN EXCLUSIVE")
        migrations.migrate(connection, 1)
        undo = journal.read_bytes()
        connection.execute("COMMIT")
    journal.write_bytes(undo)
    assert int.from_bytes(old.read_bytes()[60:64], "big") == schema.VERSION
    migrate(old)
    assert content(FIRST.file) == content(old.with_name("ledger.db.v1"))
    assert version(old) == schema.VERSION


DAMAGE = [
    "UPDATE batches SET body = '{\"cost_due\":'",
    "UPDATE batches SET body = '[\"cost_due\"]'",
    "UPDATE batches SET body = '{\"seen\":'",
    "UPDATE schedules SET body = '[1]'",
    "UPDATE results SET state = 10",
    "UPDATE results SET state = 'x'",
    "UPDATE series SET labels = labels || 'x'",
    "UPDATE series SET counts = '[1]' WHERE counts NOT NULL",
    "DELETE FROM meta",
    "DROP TABLE names",
    "UPDATE names SET label = CAST(x'ff' AS TEXT)",
]


@pytest.mark.parametrize("statement", DAMAGE)
def test_rows_that_cannot_be_read_are_damage_and_the_format_stays(
    statement: str, old: Path, tmp_path: Path
):
    query(old, statement)
    was = shutil.copyfile(old, tmp_path / "was.db")
    for _ in range(2):
        refused(old, LedgerDamaged)
        assert version(old) == 1
        assert content(was) == content(old)
    assert ["ledger.db", "ledger.db.v1", "was.db"] == files(old)


def test_content_of_a_newer_exporter_in_format_1_is_newer(old: Path):
    query(old, "INSERT INTO series VALUES ('runtype_new_total', '[\"a\"]', 1.0, 3.0, NULL, 1.0)")
    refused(old, LedgerNewer)
    assert version(old) == 1


@pytest.mark.parametrize("number", [0, -1])
def test_a_format_that_never_existed_is_damage(number: int, old: Path):
    query(old, f"PRAGMA user_version = {number}")
    before = old.read_bytes()
    assert f"there is no format {number}" in refused(old, LedgerDamaged)
    assert before == old.read_bytes()
    assert ["ledger.db"] == files(old)


def test_an_adopted_record_whose_adopter_was_deleted_first_is_no_damage(old: Path):
    """Format 1 deleted the identities of a closed batch in portions, in the order of the ids."""
    (batch, record, adopter), *_ = query(old, ADOPTED)
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("DELETE FROM results WHERE batch = ? AND id = ?", (batch, adopter))
        connection.commit()
    migrate(old)
    rows = query(old, "SELECT * FROM adoptions")
    assert (batch, record, 0, None, adopter) in rows


def test_a_cost_that_is_due_is_found_in_any_body(old: Path):
    query(old, "UPDATE batches SET body = json_set(body, '$.flow_name', 'cost_due')")
    migrate(old)
    due = {batch["id"] for batch in FIRST.content["batches"] if batch["cost_due"]}
    assert due
    assert due == {id_ for (id_,) in query(old, "SELECT id FROM batches WHERE cost_due")}
    names = query(old, "SELECT DISTINCT json_extract(body, '$.flow_name') FROM batches")
    assert [("cost_due",)] == names


# --- from format 2 ---


@pytest.fixture
def second(path: Path) -> Path:
    """Makes a ledger of format 2."""
    return shutil.copyfile(SECOND.file, path)


def of_format_2(path: Path, id_: str, body: str, closed: float | None = 5.0) -> None:
    statement = "INSERT INTO batches VALUES (NULL, ?, 'acme', 's', 1.0, ?, 0, ?)"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement, (id_, closed, body))


def stored(path: Path, id_: str) -> tuple[int, dict]:
    """Return whether a batch is given up, and its text."""
    ((given_up, body),) = query(path, f"SELECT given_up, body FROM batches WHERE id = '{id_}'")
    return given_up, json.loads(body)


@pytest.mark.parametrize("golden", [FIRST, SECOND], ids=str)
def test_back_offs_are_dropped_and_the_rest_of_a_batch_stays(golden: Golden, path: Path):
    shutil.copyfile(golden.file, path)
    before = {id_: json.loads(body) for id_, body in query(path, "SELECT id, body FROM batches")}
    assert any("failures" in body for body in before.values())
    assert any("unclaimed" in body for body in before.values())
    migrate(path)
    after = {id_: json.loads(body) for id_, body in query(path, "SELECT id, body FROM batches")}
    dropped = {"failures", "retry_at", "cost_due"}
    assert after == {
        id_: {key: value for key, value in body.items() if key not in dropped}
        for id_, body in before.items()
    }


def test_a_lost_batch_is_given_up_and_never_read_again_so_far(second: Path):
    body = '{"seen":1.5,"outcome":"lost","missing_since":1.0,"failures":3,"retry_at":9.5}'
    of_format_2(second, "b-lost", body)
    migrate(second)
    expected = {"seen": 1.5, "outcome": "lost", "missing_since": 1.0}
    assert stored(second, "b-lost") == (1, expected)
    with opened(second, SECOND.settings) as ledger:
        lost = ledger.batches(["b-lost"])["b-lost"]
        assert (lost.given_up, lost.reread_at, lost.changed, lost.missing_for) == (True, 0, 0, 0)
        assert "b-lost" in [batch.ref.id for batch in ledger.given_up_batches("acme")]


@pytest.mark.parametrize(
    ("body", "closed"),
    [
        ('{"seen":1.5,"outcome":"success","flow_name":"lost"}', 5.0),
        ('{"seen":1.5,"flow_name":"failures"}', 5.0),
        ('{"seen":1.5,"outcome":"lost"}', None),
    ],
)
def test_other_batches_are_not_given_up(body: str, closed: float | None, second: Path):
    of_format_2(second, "b-other", body, closed)
    migrate(second)
    assert stored(second, "b-other") == (0, json.loads(body))


@pytest.mark.parametrize("body", ['{"failures":', '["failures"]'])
def test_a_batch_of_format_2_that_cannot_be_read_is_damage(body: str, second: Path):
    of_format_2(second, "b-damaged", body)
    refused(second, LedgerDamaged)
    assert version(second) == 2


def test_an_account_of_format_2_has_learned_nothing(second: Path):
    accounts = query(second, "SELECT name, horizon, discovered, forgotten FROM accounts")
    migrate(second)
    assert query(second, "SELECT * FROM accounts") == [(*account, "{}") for account in accounts]
