"""How a batch ends, and what its end adds to the totals. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runtype_exporter.catalogue import (
    BATCH_DURATION,
    BATCH_LATE_CHANGES,
    BATCHES_FINISHED,
    BATCHES_GIVEN_UP,
    RECORDS_ABANDONED,
    RECORDS_FINISHED,
    UNCOUNTED_RECORDS,
    series,
)
from runtype_exporter.model import (
    GIVE_UP_REASONS,
    Batch,
    BatchOutcome,
    Delta,
    GiveUpReason,
    Labels,
    Observation,
    Outcome,
    Series,
    Sweep,
)
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.deadlines import SETTLE, known_rows, overdue
from runtype_exporter.polling.batches.phase import believed, ended_by, ending, expected
from runtype_exporter.polling.status_words import StatusWords


@dataclass(frozen=True, slots=True)
class End:
    """How a batch ends, and what becomes of its records that were never final.

    `abandoned` are those of a batch that ran to its end. `cancelled` are those of a cancelled
    batch. `uncounted` are those that the API counts and that were not read.
    """

    outcome: BatchOutcome
    abandoned: int = 0
    cancelled: int = 0
    uncounted: int = 0


def end_after_sweep(  # noqa: PLR0913  # all but the sweep and its batch are named
    batch: Batch,
    sweep: Sweep,
    status_words: StatusWords,
    *,
    counted: bool,
    settle_time: float,
    now: float,
) -> End | None:
    """Return how a batch ends whose sweep reached the end, None if it goes on.

    Only a sweep over all rows that began after the end of the batch shows how it ended. It does if
    every record was there and final, or if `settle_time` had passed when the sweep began. Any sweep
    that began after the batch was overdue ends it as stale. `now` is 0 while API time is not
    certain.
    """
    outcome = ending(batch, status_words)
    if outcome is not None and sweep.full and ended_by(sweep.probes_at_start, batch, status_words):
        if not counted:
            return End(outcome)
        if complete(batch, sweep):
            return _end(batch, sweep, outcome)
        if settled(batch, sweep, settle_time, now) and not waits_for_paused(batch, sweep, outcome):
            return _end(batch, sweep, outcome)
    if sweep.began <= now and overdue(batch, sweep.began, settle_time):
        return forced_end(replace(batch, sweep=sweep), "stale")
    return None


def complete(batch: Batch, sweep: Sweep) -> bool:
    """Return whether a sweep accounts for every record.

    Without any total, no rows may mean that the rows are not there yet.
    """
    tally = sweep.tally
    if not tally.distinct and not believed(sweep.total) and expected(batch) is None:
        return False
    return tally.unfinished == 0 and tally.distinct >= _total(batch, sweep)


def settled(batch: Batch, sweep: Sweep, settle_time: float, now: float) -> bool:
    """Return whether the settle time was over when a sweep began."""
    return sweep.began <= now and SETTLE.passed(batch, sweep.began, settle_time)


def waits_for_paused(batch: Batch, sweep: Sweep, outcome: Outcome) -> bool:
    """Return whether an ended batch stays open because rows of it wait for a person.

    It does while the API shows the batch, unless the batch was cancelled.
    """
    shown = bool(batch.probes) and batch.missing_since is None
    return sweep.tally.paused > 0 and shown and outcome != "cancelled"


def forced_end(batch: Batch, reason: GiveUpReason, *, counted: bool = True) -> End:
    """Return the end of a batch that is given up.

    With `counted` False its rows are never counted, so none is missing.
    """
    rows = known_rows(batch)
    totals = (
        expected(batch),
        None if batch.snapshot is None else believed(batch.snapshot.total),
        None if batch.sweep is None else believed(batch.sweep.total),
    )
    total = max(total or 0 for total in totals)
    missing = rows.unfinished + max(0, total - rows.distinct)
    return End(reason, uncounted=missing if counted else 0)


def close(batch: Batch, end: End, now: float) -> tuple[Batch, Delta]:
    """Close a batch. Return it, and what closing it adds to the totals.

    A batch that ended before its guard is remembered, not counted. A batch that stands for the
    results of a run is not counted as a batch.

    Raises:
        ValueError: the labels of the batch are not frozen yet.
    """
    labels = batch.labels
    if labels is None:
        message = "a batch's labels freeze before it closes"
        raise ValueError(message)
    closed = lifecycle.closed(batch, end.outcome, now)
    if (
        batch.count_from is not None
        and batch.completed is not None
        and batch.completed < batch.count_from
    ):
        return closed, Delta()
    increments = _records(batch, labels, end)
    if end.outcome in GIVE_UP_REASONS:
        given_up = series(BATCHES_GIVEN_UP, account=batch.ref.account, reason=end.outcome)
        return closed, Delta(increments={**increments, given_up: 1.0})
    if batch.run:
        return closed, Delta(increments=increments)
    flow = {"account": batch.ref.account, **labels._asdict()}
    increments |= {
        series(BATCHES_FINISHED, **flow, outcome="success"): 0.0,
        series(BATCHES_FINISHED, **flow, outcome="failure"): 0.0,
        series(BATCH_LATE_CHANGES, **flow): 0.0,
    }
    increments[series(BATCHES_FINISHED, **flow, outcome=end.outcome)] = 1.0
    return closed, Delta(
        increments=increments, observations=_durations(batch, flow, end.outcome, now)
    )


def _end(batch: Batch, sweep: Sweep, outcome: Outcome) -> End:
    tally, total = sweep.tally, _total(batch, sweep)
    missing = tally.unfinished + max(0, total - tally.distinct)
    # What a cancelled batch left out was cancelled with it.
    cancelled = missing if outcome == "cancelled" else 0
    return End(
        outcome,
        abandoned=missing - cancelled,
        cancelled=cancelled,
        uncounted=max(0, total - tally.distinct - missing),
    )


def _total(batch: Batch, sweep: Sweep) -> int:
    return max(believed(sweep.total) or 0, expected(batch) or 0)


def _records(batch: Batch, labels: Labels, end: End) -> dict[Series, float]:
    flow = {"account": batch.ref.account, **labels._asdict()}
    increments = {
        series(RECORDS_ABANDONED, **flow): float(end.abandoned),
        series(UNCOUNTED_RECORDS, **flow): float(end.uncounted),
    }
    if end.cancelled:
        cancelled = series(RECORDS_FINISHED, **flow, outcome="cancelled")
        increments[cancelled] = float(end.cancelled)
    return increments


def _durations(
    batch: Batch, flow: dict[str, str], outcome: str, now: float
) -> dict[Series, list[Observation]]:
    observations: dict[Series, list[Observation]] = {
        series(BATCH_DURATION, **flow, outcome="success"): [],
        series(BATCH_DURATION, **flow, outcome="failure"): [],
    }
    if (
        batch.started is not None
        and batch.completed is not None
        and batch.completed >= batch.started
    ):
        duration = Observation(batch.completed - batch.started, now, batch.ref.id)
        observations[series(BATCH_DURATION, **flow, outcome=outcome)] = [duration]
    return observations
