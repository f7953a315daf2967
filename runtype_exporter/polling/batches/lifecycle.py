"""The life of one batch: which probes change it, when it is swept, when it ends and closes. Pure.

Only this module decides that a batch changes state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from runtype_exporter.catalogue import (
    BATCH_DURATION,
    BATCH_LATE_CHANGES,
    BATCHES_FINISHED,
    RECORDS_ABANDONED,
    series,
)
from runtype_exporter.model import (
    Batch,
    BatchOutcome,
    Delta,
    Labels,
    Observation,
    Outcome,
    Probe,
    Run,
    Series,
    Source,
)
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.polling.timers import still_pending
from runtype_exporter.protocols import BatchView

_T = TypeVar("_T")

_PRECEDENCE: tuple[Source, ...] = ("run", "status", "summary")
"""The sources of a probe, the preferred one first. Only the run list and the status read also know
when a batch ended."""

LONGEST_BACK_OFF = 3600.0
"""Longest pause between two reads of a batch that fail, in seconds."""
SHORTEST_BACK_OFF = 60.0
"""Pause after the first read that failed, in seconds; doubled after each further one."""
LOST_AFTER = 24 * 3600.0
"""A batch is closed as lost when the API has answered with 404 for this long, in seconds."""


@dataclass(frozen=True, slots=True)
class ProbeReading:
    """The probe of one batch from one source, and the times that the source gives."""

    probe: Probe
    started: float | None = None
    completed: float | None = None


def observe(
    batch: Batch, readings: Mapping[Source, ProbeReading], status_words: StatusWords, now: float
) -> Batch:
    """Return the batch after a cycle with these readings.

    The probes of earlier cycles are dropped, since a list may no longer show the batch.
    """
    if not readings:
        return batch
    read = [readings[source] for source in _PRECEDENCE if source in readings]
    seen = replace(
        batch,
        probes={source: reading.probe for source, reading in readings.items()},
        started=_first(batch.started, *(reading.started for reading in read)),
        completed=_first(*(reading.completed for reading in read), batch.completed),
    )
    final = ending(seen, status_words) is not None
    # The earlier moment counts, except where the clock has been set back.
    ended = now if batch.ended is None else min(batch.ended, now)
    return replace(
        unguarded(seen),
        ended=ended if final else None,
        # A batch that is listed may still answer 404 when its results are read. So only a batch
        # whose results need no reading is found again.
        missing_since=batch.missing_since if dirty(seen) else None,
    )


def unguarded(batch: Batch) -> Batch:
    """Return the batch without its guard if it began after the guard.

    None of its results can be older than the guard then, even those without times.
    """
    began = batch.started if batch.created is None else batch.created
    if batch.count_from is None or began is None or began < batch.count_from:
        return batch
    return replace(batch, count_from=None)


def claim(batch: Batch, run: Run, flow_id: str) -> Batch:
    """Return the batch as the one of this run, which has this flow ("" if it is unknown)."""
    claimed = replace(
        batch,
        schedule=run.schedule,
        flow_id=flow_id or batch.flow_id,
        created=run.created or batch.created,
        claims_left=0,
    )
    return unguarded(claimed)


def expire_claim(batch: Batch, *, at_once: bool) -> Batch:
    """Return the batch after a read of the run list that did not claim it.

    With `at_once` no further reads are waited for: the batch counts as ad hoc now.
    """
    return replace(batch, claims_left=0 if at_once else max(0, batch.claims_left - 1))


def end(batch: Batch, now: float) -> Batch:
    """Return the batch as ended at this moment."""
    return replace(batch, ended=now)


def ending(batch: Batch, status_words: StatusWords) -> Outcome | None:
    """Return how the batch ended, None while any source of the last cycle calls it unfinished.

    All sources must agree, because two lists that were read a moment apart may differ.
    """
    return _ending(batch.probes, status_words, ended=batch.completed is not None)


def ended_by(probes: Mapping[Source, Probe], batch: Batch, status_words: StatusWords) -> bool:
    """Return whether these earlier probes of the batch already showed its end."""
    return _ending(probes, status_words, ended=batch.completed is not None) is not None


def _ending(
    probes: Mapping[Source, Probe], status_words: StatusWords, *, ended: bool
) -> Outcome | None:
    outcomes = [
        status_words.outcome(probes[source].status, ended=ended)
        for source in _PRECEDENCE
        if source in probes
    ]
    return outcomes[0] if outcomes and None not in outcomes else None


def dirty(batch: Batch) -> bool:
    """Return whether the results may have changed since the last complete sweep.

    True if a source's probe differs from its probe at that sweep, or if there is no probe.
    """
    if batch.probes_at_last_sweep is None or not batch.probes:
        return True
    return any(
        batch.probes_at_last_sweep.get(source) != probe for source, probe in batch.probes.items()
    )


def settling(batch: Batch, settle_time: float, at: float) -> bool:
    """Return whether the settle time was over at a moment.

    Results that are still missing then are given up.
    """
    return batch.ended is not None and batch.ended + settle_time <= at


def wants_sweep(batch: Batch, settle_time: float, now: float) -> bool:
    """Return whether the results of the batch are to be read now."""
    if batch.closed is not None or batch.claims_left > 0 or backing_off(batch, now):
        return False
    return batch.sweep is not None or dirty(batch) or settling(batch, settle_time, now)


def backing_off(batch: Batch, now: float) -> bool:
    """Return whether the batch waits because its last read failed."""
    return still_pending(batch.retry_at, now, LONGEST_BACK_OFF)


def expected(batch: Batch) -> int:
    """Return the largest record count of the probes, 0 if none has one."""
    return max((probe.total or 0 for probe in batch.probes.values()), default=0)


def complete(batch: Batch, distinct: int, unfinished: int, total: int) -> bool:
    """Return whether a sweep that read so many distinct rows accounts for every record."""
    return unfinished == 0 and distinct >= max(total, expected(batch))


def failed(batch: Batch, now: float, *, missing: bool) -> Batch:
    """Return the batch after a read of it failed.

    Only this batch backs off: 1 min, doubling up to 1 h. A 404 also starts the 24 h after which the
    batch is closed as lost.
    """
    since = (
        (now if batch.missing_since is None else min(batch.missing_since, now)) if missing else None
    )
    return replace(
        batch,
        failures=batch.failures + 1,
        retry_at=now + next_back_off(batch),
        missing_since=since,
    )


def next_back_off(batch: Batch) -> float:
    """Return how long the batch waits if a read of it fails now, in seconds."""
    return min(LONGEST_BACK_OFF, SHORTEST_BACK_OFF * 2.0 ** min(batch.failures, 10))


def recovered(batch: Batch) -> Batch:
    """Return the batch after its results were read: it neither backs off nor is missing."""
    return replace(batch, failures=0, retry_at=0.0, missing_since=None)


def stop_backing_off(batch: Batch, now: float) -> Batch:
    """Return the batch as one that may be read at once, unless the API denies it with 404.

    Its failures still count: after one more, it waits longer than before.
    """
    waits = batch.retry_at > now and batch.missing_since is None
    return replace(batch, retry_at=now) if waits else batch


def never_found(batch: Batch) -> bool:
    """Return whether every read of the batch returned 404 so far."""
    found = (
        batch.probes
        or batch.probes_at_last_sweep is not None
        or batch.labels is not None
        or batch.schedule
    )
    return batch.missing_since is not None and not found


def lost(batch: Batch, now: float) -> bool:
    """Return whether the API has answered with 404 for a day."""
    return batch.missing_since is not None and now - batch.missing_since >= LOST_AFTER


def close(batch: Batch, outcome: BatchOutcome, abandoned: int, now: float) -> tuple[Batch, Delta]:
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
    closed = replace(batch, closed=now, outcome=outcome, sweep=None, prefix=None)
    if (
        batch.count_from is not None
        and batch.completed is not None
        and batch.completed < batch.count_from
    ):
        return closed, Delta()
    flow = {"account": batch.ref.account, **labels._asdict()}
    increments = {series(RECORDS_ABANDONED, **flow): float(abandoned)}
    if batch.run:
        return closed, Delta(increments=increments)
    increments |= {
        series(BATCHES_FINISHED, **flow, outcome="success"): 0.0,
        series(BATCHES_FINISHED, **flow, outcome="failure"): 0.0,
        series(BATCH_LATE_CHANGES, **flow): 0.0,
    }
    increments[series(BATCHES_FINISHED, **flow, outcome=outcome)] = 1.0
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
    return closed, Delta(increments=increments, observations=observations)


def close_uncounted(batch: Batch, now: float, outcome: BatchOutcome | None = None) -> Batch:
    """Close a batch that adds nothing to the totals."""
    return replace(batch, closed=now, outcome=outcome)


def changed_late(
    batch: Batch, readings: Mapping[Source, ProbeReading], status_words: StatusWords
) -> tuple[Batch, Delta]:
    """Return a closed batch after a cycle with these readings, and the late change they are.

    A late change: a source that had called the batch final now shows another probe. A first probe,
    or the first final status of a source, is no late change.
    """
    late = 0
    probes = dict(batch.probes)
    for source, reading in readings.items():
        before = probes.get(source)
        if before == reading.probe:
            continue
        if (
            before is not None
            and status_words.outcome(before.status, ended=batch.completed is not None) is not None
        ):
            late += 1
        probes[source] = reading.probe
    increments: dict[Series, float] = {}
    if late and batch.labels is not None:
        changes = series(BATCH_LATE_CHANGES, account=batch.ref.account, **batch.labels._asdict())
        increments[changes] = 1.0
    after = batch if probes == batch.probes else replace(batch, probes=probes)
    return after, Delta(increments=increments)


def view(
    batch: Batch, status_words: StatusWords, *, name: str, configured: bool, labels: Labels
) -> BatchView:
    """Return what the per-batch gauges show.

    Each count comes from the first source in order of precedence that has it.
    """
    probes = [batch.probes[source] for source in _PRECEDENCE if source in batch.probes]
    status = probes[0].status if probes else ""
    return BatchView(
        ref=batch.ref,
        name=name,
        labels=labels,
        configured=configured,
        open=batch.closed is None,
        state=status_words.state(status, ended=batch.completed is not None),
        total=_first(*(probe.total for probe in probes)),
        processed=_first(*(probe.processed for probe in probes)),
        failed=_first(*(probe.failed for probe in probes)),
        started=batch.started,
        completed=batch.completed,
        closed=batch.closed,
        snapshot=batch.snapshot,
        drift=batch.drift,
        cost=batch.cost,
    )


def _first(*values: _T | None) -> _T | None:
    return next((value for value in values if value is not None), None)
