"""The SQL that reads and writes batches, runs, horizons and request budgets."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import lru_cache

from runtype_exporter.ledger.codec import decode, encode
from runtype_exporter.ledger.identities import chunks
from runtype_exporter.ledger.json_text import NewerContent
from runtype_exporter.ledger.learned import decode_learned, encode_learned
from runtype_exporter.model import OUTCOMES, Batch, BatchRef, Horizon, Learned, Run
from runtype_exporter.protocols import BudgetState

_BATCH = "SELECT num, id, account, created, closed, cost_due, body FROM batches"
_RUN = "SELECT account, id, schedule, batch, created, started, outcome, ended FROM runs"

BatchRow = tuple[int, str, str, float | None, float | None, int, str]
RunRecord = tuple[str, str, str, str, float | None, float | None, str | None, float | None]


def created(connection: sqlite3.Connection) -> float:
    """Return when the ledger was created, in seconds since the Unix epoch."""
    (value,) = connection.execute("SELECT value FROM meta WHERE name = 'created'").fetchone()
    return float(value)


# --- batches ---


def write_batch(connection: sqlite3.Connection, batch: Batch) -> int:
    """Insert or update a batch. Return its number in the table of results.

    Raises:
        ValueError: another account owns the batch.
    """
    account, id_ = batch.ref
    schedule = None if batch.labels is None else batch.labels.schedule
    values = (schedule, batch.created, batch.closed, batch.cost_due, batch.given_up)
    stored = connection.execute("SELECT num, account FROM batches WHERE id = ?", (id_,)).fetchone()
    if stored is None:
        row = connection.execute(
            "INSERT INTO batches "
            "(id, account, schedule, created, closed, cost_due, given_up, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (id_, account, *values, encode(batch)),
        )
        return int(row.lastrowid or 0)
    num, owner = stored
    if owner != account:
        raise ValueError("another account owns this batch")
    connection.execute(
        "UPDATE batches SET schedule = ?, created = ?, closed = ?, cost_due = ?, given_up = ?, "
        "body = ? WHERE num = ?",
        (*values, encode(batch), num),
    )
    return int(num)


def delete_batch(connection: sqlite3.Connection, id_: str) -> None:
    """Delete a batch, unless results of it are stored."""
    connection.execute(
        "DELETE FROM batches WHERE id = ? AND NOT EXISTS (SELECT 1 FROM results WHERE batch = num)",
        (id_,),
    )


def batch_number(connection: sqlite3.Connection, id_: str) -> int | None:
    """Return a batch's number in the table of results, None if it is not stored."""
    row = connection.execute("SELECT num FROM batches WHERE id = ?", (id_,)).fetchone()
    return None if row is None else int(row[0])


def open_batches(connection: sqlite3.Connection) -> dict[int, Batch]:
    """Return every batch that is not closed, by its number."""
    return dict(map(_batch, connection.execute(f"{_BATCH} WHERE closed IS NULL ORDER BY num")))


def all_batches(connection: sqlite3.Connection) -> dict[int, Batch]:
    """Return every batch, by its number."""
    return dict(map(_batch, connection.execute(_BATCH)))


def batches(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Batch]:
    """Return the stored ones of these batches, by id."""
    rows = (
        row
        for portion, marks in chunks(ids)
        for row in connection.execute(f"{_BATCH} WHERE id IN ({marks})", portion)
    )
    return {batch.ref.id: batch for _, batch in map(_repeated_batch, rows)}


def recently_closed(connection: sqlite3.Connection, account: str, per_label: int) -> list[Batch]:
    """Return the newest closed batches of each schedule label, oldest first."""
    rows = connection.execute(
        "SELECT num, id, account, created, closed, cost_due, body FROM ("
        "SELECT *, "
        "row_number() OVER (PARTITION BY schedule ORDER BY closed DESC, num DESC) AS place "
        "FROM batches WHERE account = ? AND closed IS NOT NULL AND schedule IS NOT NULL"
        ") WHERE place <= ? ORDER BY closed, num",
        (account, per_label),
    )
    return [batch for _, batch in map(_batch, rows)]


def costs_due(connection: sqlite3.Connection, account: str) -> list[Batch]:
    """Return the batches whose cost is due, the longest closed first."""
    rows = connection.execute(
        f"{_BATCH} WHERE account = ? AND cost_due ORDER BY closed",
        (account,),
    )
    return [batch for _, batch in map(_batch, rows)]


def given_up_batches(connection: sqlite3.Connection, account: str) -> list[Batch]:
    """Return the batches that were given up, the longest closed first."""
    rows = connection.execute(
        f"{_BATCH} WHERE account = ? AND given_up ORDER BY closed, num",
        (account,),
    )
    return [batch for _, batch in map(_batch, rows)]


def _batch(row: BatchRow) -> tuple[int, Batch]:
    num, id_, account, created_at, closed, cost_due, body = row
    ref = BatchRef(account, id_)
    batch = decode(ref, body, created=created_at, closed=closed, cost_due=bool(cost_due))
    return num, batch


_repeated_batch = lru_cache(maxsize=512)(_batch)
"""Like `_batch`, for what each cycle reads again: the closed batches in the first page of runs."""


# --- runs ---


def write_run(connection: sqlite3.Connection, run: Run) -> None:
    """Insert or update a run.

    Raises:
        ValueError: another account owns the run.
    """
    owner = connection.execute("SELECT account FROM runs WHERE id = ?", (run.id,)).fetchone()
    if owner not in {None, (run.account,)}:
        raise ValueError("another account owns this run")
    row: RunRecord = (
        run.account,
        run.id,
        run.schedule,
        run.batch,
        run.created,
        run.started,
        run.outcome,
        run.ended,
    )
    connection.execute(
        "INSERT OR REPLACE INTO runs "
        "(account, id, schedule, batch, created, started, outcome, ended) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )


def all_runs(connection: sqlite3.Connection) -> list[Run]:
    """Return every run."""
    return [_run(row) for row in connection.execute(_RUN)]


def runs(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Run]:
    """Return the stored ones of these runs, by id."""
    rows = (
        row
        for portion, marks in chunks(ids)
        for row in connection.execute(f"{_RUN} WHERE id IN ({marks})", portion)
    )
    return {run.id: run for run in map(_run, rows)}


def unfinished_runs(connection: sqlite3.Connection, account: str) -> list[Run]:
    """Return an account's runs without an outcome."""
    rows = connection.execute(f"{_RUN} WHERE account = ? AND outcome IS NULL", (account,))
    return [_run(row) for row in rows]


def runs_since(connection: sqlite3.Connection, at: float) -> list[Run]:
    """Return the runs that were created at a moment or later, in the order of their creation."""
    rows = connection.execute(f"{_RUN} WHERE created >= ? ORDER BY created, id", (at,))
    return [_run(row) for row in rows]


def _run(row: RunRecord) -> Run:
    account, id_, schedule, batch, created_at, started, outcome, ended = row
    if outcome is not None and outcome not in OUTCOMES:
        raise NewerContent("an unknown outcome of a run")
    return Run(
        account=account,
        id=id_,
        schedule=schedule,
        batch=batch,
        created=created_at,
        started=started,
        outcome=outcome,
        ended=ended,
    )


# --- accounts ---


def horizons(connection: sqlite3.Connection) -> dict[str, Horizon]:
    """Return every account's horizon."""
    rows = connection.execute(
        "SELECT name, horizon, discovered, forgotten FROM accounts WHERE horizon IS NOT NULL"
    )
    return {
        name: Horizon(at, first_discovery_done=bool(discovered), forgotten=forgotten)
        for name, at, discovered, forgotten in rows
    }


def write_horizon(connection: sqlite3.Connection, account: str, horizon: Horizon) -> None:
    """Insert or update an account's horizon."""
    connection.execute(
        "INSERT INTO accounts (name, horizon, discovered, forgotten, learned) "
        "VALUES (?, ?, ?, ?, '{}') ON CONFLICT (name) DO UPDATE SET "
        "horizon = excluded.horizon, discovered = excluded.discovered, "
        "forgotten = excluded.forgotten",
        (account, horizon.at, horizon.first_discovery_done, horizon.forgotten),
    )


def learned(connection: sqlite3.Connection) -> dict[str, Learned]:
    """Return what every account has learned about the API.

    Raises:
        NewerContent: a newer version of the exporter wrote some of it.
        ValueError, TypeError, LookupError, AttributeError: a text is not what was written.
    """
    return {
        name: decode_learned(body)
        for name, body in connection.execute("SELECT name, learned FROM accounts")
    }


def write_learned(connection: sqlite3.Connection, account: str, learned: Learned) -> None:
    """Insert or update what an account has learned. Its horizon stays as it is."""
    connection.execute(
        "INSERT INTO accounts (name, horizon, discovered, forgotten, learned) "
        "VALUES (?, NULL, 0, 0, ?) ON CONFLICT (name) DO UPDATE SET learned = excluded.learned",
        (account, encode_learned(learned)),
    )


def budget(connection: sqlite3.Connection, account: str) -> BudgetState | None:
    """Return an account's budget as last stored, None where there is none."""
    row = connection.execute(
        "SELECT tokens, at, paused_until FROM budget WHERE account = ?", (account,)
    ).fetchone()
    return None if row is None else BudgetState(*row)


def write_budget(connection: sqlite3.Connection, account: str, state: BudgetState) -> None:
    """Insert or update an account's budget."""
    connection.execute(
        "INSERT OR REPLACE INTO budget (account, tokens, at, paused_until) VALUES (?, ?, ?, ?)",
        (account, state.tokens, state.at, state.paused_until),
    )
