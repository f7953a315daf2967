"""The ledger's rows as values and back: batches, runs, series, accounts, budgets.

Statements and nothing else.

It must not know which of them belong into one transaction, nor what memory holds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping

from runtype_exporter.ledger.codec import decode, encode
from runtype_exporter.ledger.identities import chunks
from runtype_exporter.ledger.totals import Samples
from runtype_exporter.model import (
    Batch,
    BatchRef,
    BudgetState,
    HistogramValue,
    Horizon,
    LabelValues,
    Run,
    Sample,
    Series,
)

_BATCH = "SELECT num, id, account, created, closed, body FROM batches"
_RUN = "SELECT account, id, schedule, batch, created, started, outcome, ended FROM runs"


def created(connection: sqlite3.Connection) -> float:
    """When the file was created."""
    (value,) = connection.execute("SELECT value FROM meta WHERE name = 'created'").fetchone()
    return float(value)


def write_batch(connection: sqlite3.Connection, batch: Batch) -> int:
    """Insert or update a batch; its number in the table of results.

    Raises:
        ValueError: another account owns the batch.
    """
    account, id_ = batch.ref
    schedule = None if batch.labels is None else batch.labels.schedule
    values = (schedule, batch.created, batch.closed, encode(batch))
    held = connection.execute("SELECT num, account FROM batches WHERE id = ?", (id_,)).fetchone()
    if held is None:
        row = connection.execute(
            "INSERT INTO batches (id, account, schedule, created, closed, body) VALUES (?, ?, ?, ?,"
            " ?, ?)",
            (id_, account, *values),
        )
        return int(row.lastrowid or 0)
    num, owner = held
    if owner != account:
        raise ValueError("another account owns this batch")
    connection.execute(
        "UPDATE batches SET schedule = ?, created = ?, closed = ?, body = ? WHERE num = ?",
        (*values, num),
    )
    return int(num)


def delete_batch(connection: sqlite3.Connection, id_: str) -> None:
    """Delete a batch. One that results are held of stays."""
    connection.execute(
        "DELETE FROM batches WHERE id = ? AND NOT EXISTS (SELECT 1 FROM results WHERE batch = num)",
        (id_,),
    )


def batch_number(connection: sqlite3.Connection, id_: str) -> int | None:
    """A batch's number in the table of results, None if it is not held."""
    row = connection.execute("SELECT num FROM batches WHERE id = ?", (id_,)).fetchone()
    return None if row is None else int(row[0])


def open_batches(connection: sqlite3.Connection) -> dict[int, Batch]:
    """Every batch that is not closed, by its number."""
    return dict(map(_batch, connection.execute(f"{_BATCH} WHERE closed IS NULL ORDER BY num")))


def all_batches(connection: sqlite3.Connection) -> dict[int, Batch]:
    """Every batch, by its number."""
    return dict(map(_batch, connection.execute(_BATCH)))


def batches(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Batch]:
    """Those batches that are held, by id."""
    rows = (
        row
        for portion, marks in chunks(ids)
        for row in connection.execute(f"{_BATCH} WHERE id IN ({marks})", portion)
    )
    return {batch.ref.id: batch for _, batch in map(_batch, rows)}


def recently_closed(connection: sqlite3.Connection, account: str, per_label: int) -> list[Batch]:
    """The newest closed batches of each schedule label, oldest first."""
    rows = connection.execute(
        "SELECT num, id, account, created, closed, body FROM (SELECT *, row_number() OVER"
        " (PARTITION BY schedule ORDER BY closed DESC, num DESC) AS place FROM batches WHERE"
        " account = ? AND closed IS NOT NULL AND schedule IS NOT NULL) WHERE place <= ? ORDER BY"
        " closed, num",
        (account, per_label),
    )
    return [batch for _, batch in map(_batch, rows)]


def costs_due(connection: sqlite3.Connection, account: str) -> list[Batch]:
    """The batches whose cost is due, the longest closed first.

    The condition is that of the index, letter by letter.
    """
    rows = connection.execute(
        f"{_BATCH} WHERE account = ? AND instr(body, '\"cost_due\":true') ORDER BY closed",
        (account,),
    )
    return [batch for _, batch in map(_batch, rows)]


def write_run(connection: sqlite3.Connection, run: Run) -> None:
    """Insert or update a run.

    Raises:
        ValueError: another account owns the run.
    """
    owner = connection.execute("SELECT account FROM runs WHERE id = ?", (run.id,)).fetchone()
    if owner not in {None, (run.account,)}:
        raise ValueError("another account owns this run")
    connection.execute(
        "INSERT OR REPLACE INTO runs (account, id, schedule, batch, created, started, outcome,"
        " ended) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.account,
            run.id,
            run.schedule,
            run.batch,
            run.created,
            run.started,
            run.outcome,
            run.ended,
        ),
    )


def runs(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Run]:
    """Those runs that are held, by id."""
    rows = (
        row
        for portion, marks in chunks(ids)
        for row in connection.execute(f"{_RUN} WHERE id IN ({marks})", portion)
    )
    return {run.id: run for run in map(_run, rows)}


def unfinished_runs(connection: sqlite3.Connection, account: str) -> list[Run]:
    """An account's runs without an outcome."""
    return [
        _run(row)
        for row in connection.execute(f"{_RUN} WHERE account = ? AND outcome IS NULL", (account,))
    ]


def runs_since(connection: sqlite3.Connection, at: float) -> list[Run]:
    """The runs that were created at a moment or later, in that order."""
    return [
        _run(row)
        for row in connection.execute(f"{_RUN} WHERE created >= ? ORDER BY created, id", (at,))
    ]


def boundaries(connection: sqlite3.Connection) -> dict[str, tuple[float, ...]]:
    """The bounds with which each histogram is stored."""
    return {
        metric: tuple(json.loads(bounds))
        for metric, bounds in connection.execute("SELECT * FROM families")
    }


def write_boundaries(
    connection: sqlite3.Connection, bounds: Mapping[str, tuple[float, ...]]
) -> None:
    """Store histograms' bounds."""
    connection.executemany(
        "INSERT OR REPLACE INTO families (metric, bounds) VALUES (?, ?)",
        [(metric, json.dumps(values)) for metric, values in bounds.items()],
    )


def samples(connection: sqlite3.Connection) -> Samples:
    """Every series.

    Raises:
        ValueError, LookupError: a histogram does not fit its family's bounds.
    """
    bounds = boundaries(connection)
    found: Samples = {}
    for metric, labels, began, value, counts in connection.execute(
        "SELECT metric, labels, created, value, counts FROM series"
    ):
        if counts is None:
            sample = Sample(value, began)
        else:
            histogram = HistogramValue(bounds[metric], tuple(json.loads(counts)), value)
            if len(histogram.counts) != len(histogram.bounds) + 1:
                raise ValueError("a histogram's counts do not fit its bounds")
            sample = Sample(histogram, began)
        found[metric, tuple(json.loads(labels))] = sample
    return found


def changes(connection: sqlite3.Connection) -> dict[Series, float]:
    """When each series last changed."""
    rows = connection.execute("SELECT metric, labels, changed FROM series")
    return {(metric, tuple(json.loads(labels))): changed for metric, labels, changed in rows}


def delete_samples(connection: sqlite3.Connection, ended: Iterable[Series]) -> None:
    """Delete series."""
    connection.executemany(
        "DELETE FROM series WHERE metric = ? AND labels = ?",
        [(metric, _labels(labels)) for metric, labels in ended],
    )


def write_samples(connection: sqlite3.Connection, planned: Samples, now: float) -> None:
    """Insert or update series."""
    rows = []
    for (metric, labels), sample in planned.items():
        state, counts = sample.value, None
        if isinstance(state, HistogramValue):
            counts = json.dumps(state.counts, separators=(",", ":"))
            state = state.sum
        rows.append((metric, _labels(labels), sample.created, state, counts, now))
    connection.executemany(
        "INSERT OR REPLACE INTO series (metric, labels, created, value, counts, changed) VALUES (?,"
        " ?, ?, ?, ?, ?)",
        rows,
    )


def horizons(connection: sqlite3.Connection) -> dict[str, Horizon]:
    """Every account's horizon."""
    return {
        name: Horizon(at, bool(opened))
        for name, at, opened in connection.execute("SELECT * FROM accounts")
    }


def write_horizon(connection: sqlite3.Connection, account: str, horizon: Horizon) -> None:
    """Insert or update an account's horizon."""
    connection.execute(
        "INSERT OR REPLACE INTO accounts (name, horizon, opened) VALUES (?, ?, ?)",
        (account, horizon.at, horizon.opened),
    )


def budget(connection: sqlite3.Connection, account: str) -> BudgetState | None:
    """An account's budget as last stored."""
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


def _labels(labels: LabelValues) -> str:
    return json.dumps(labels, ensure_ascii=False)


def _batch(row: tuple[int, str, str, float | None, float | None, str]) -> tuple[int, Batch]:
    num, id_, account, began, closed, body = row
    return num, decode(BatchRef(account, id_), began, closed, body)


def _run(
    row: tuple[str, str, str, str, float | None, float | None, str | None, float | None],
) -> Run:
    account, id_, schedule, batch, began, started, outcome, ended = row
    return Run(
        account=account,
        id=id_,
        schedule=schedule,
        batch=batch,
        created=began,
        started=started,
        outcome=outcome,  # type: ignore[arg-type]  # only outcomes were stored
        ended=ended,
    )
