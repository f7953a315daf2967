"""The rules of following one batch.

What its probes say, when it wants a sweep, when it ends, what is shown of it. Pure.

It must not know where a probe came from beyond its source's name, nor that there is an API or a
ledger.
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
)
from runtype_exporter.model import (
    Batch,
    BatchOutcome,
    BatchView,
    Delta,
    Labels,
    Observation,
    Outcome,
    Probe,
    Series,
    Source,
)
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.polling.timers import still_pending

_T = TypeVar("_T")

_PRECEDENCE: tuple[Source, ...] = ("run", "status", "summary")
"""Whose word for a batch's end is taken where several have one: the run list and the status read
also tell when."""

LONGEST_BACK_OFF = 3600.0
SHORTEST_BACK_OFF = 60.0
LOST_AFTER = 24 * 3600.0
"""A batch that the API has answered with 404 for this long is closed as lost, seconds."""


@dataclass(frozen=True, slots=True)
class ProbeReading:
    """One source's reading of one batch."""

    probe: Probe
    started: float | None = None
    completed: float | None = None


def observe(
    batch: Batch, readings: Mapping[Source, ProbeReading], status_words: StatusWords, now: float
) -> Batch:
    """The batch after a cycle that read this of it.

    Readings of earlier cycles are dropped, since a list may have let go of it.
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
    return replace(
        unguarded(seen),
        ended=(
            (now if batch.ended is None else min(batch.ended, now)) if final else None
        ),  # the clock may have been set back
        # A batch that is listed may be denied yet when its results are asked for, if they are to
        # be.
        missing_since=batch.missing_since if dirty(seen) else None,
    )


def unguarded(batch: Batch) -> Batch:
    """The batch without its guard where it began after that.

    No result of it can be older, whatever times the results lack.
    """
    began = batch.started if batch.created is None else batch.created
    if batch.guard is None or began is None or began < batch.guard:
        return batch
    return replace(batch, guard=None)


def ending(batch: Batch, status_words: StatusWords) -> Outcome | None:
    """How the batch ended, None while any source of the last cycle calls it unfinished.

    All must agree, since two lists read a moment apart may disagree about the same moment.
    """
    return _ending(batch.probes, status_words, ended=batch.completed is not None)


def ended_by(probes: Mapping[Source, Probe], batch: Batch, status_words: StatusWords) -> bool:
    """Whether these earlier probes of the batch told its end already."""
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
    """Whether its results may have changed since the last complete sweep.

    A source reads otherwise than before that, or none reads.
    """
    if batch.swept is None or not batch.probes:
        return True
    return any(batch.swept.get(source) != probe for source, probe in batch.probes.items())


def settling(batch: Batch, settle_time: float, at: float) -> bool:
    """Whether the batch ended so long before `at` that whatever is still missing is given up."""
    return batch.ended is not None and batch.ended + settle_time <= at


def wants_sweep(batch: Batch, settle_time: float, now: float) -> bool:
    """Whether the batch's results are to be paged now."""
    if batch.closed is not None or batch.unclaimed > 0 or backing_off(batch, now):
        return False
    return batch.sweep is not None or dirty(batch) or settling(batch, settle_time, now)


def backing_off(batch: Batch, now: float) -> bool:
    """Whether reads of the batch that failed leave it alone for now."""
    return still_pending(batch.retry_at, now, LONGEST_BACK_OFF)


def expected(batch: Batch) -> int:
    """How many records the batch has by its probes, 0 where none tells."""
    return max((probe.total or 0 for probe in batch.probes.values()), default=0)


def complete(batch: Batch, walked: int, unfinished: int, total: int) -> bool:
    """Whether a walk that met this many rows accounts for every record."""
    return unfinished == 0 and walked >= max(total, expected(batch))


def failed(batch: Batch, now: float, *, missing: bool) -> Batch:
    """The batch after a read of it failed.

    It backs off alone, doubling up to an hour, and a 404 starts the clock for `lost`.
    """
    wait = min(LONGEST_BACK_OFF, SHORTEST_BACK_OFF * 2.0 ** min(batch.failures, 10))
    since = (
        (now if batch.missing_since is None else min(batch.missing_since, now)) if missing else None
    )
    return replace(batch, failures=batch.failures + 1, retry_at=now + wait, missing_since=since)


def never_found(batch: Batch) -> bool:
    """Whether the API has only ever denied the batch.

    Nothing tells of it, and no row of it was met.
    """
    has_timestamp = (
        batch.probes or batch.swept is not None or batch.labels is not None or batch.schedule
    )
    return batch.missing_since is not None and not has_timestamp


def lost(batch: Batch, now: float) -> bool:
    """Whether the API has denied the batch for long enough."""
    return batch.missing_since is not None and now - batch.missing_since >= LOST_AFTER


def close(batch: Batch, outcome: BatchOutcome, abandoned: int, now: float) -> tuple[Batch, Delta]:
    """The batch closed, and what that adds. Its labels must be frozen.

    A batch that ended before its guard is remembered, not counted. One that stands for a run's
    results is no batch to count.
    """
    labels = batch.labels
    if labels is None:
        message = "a batch's labels freeze before it closes"
        raise ValueError(message)
    closed = replace(batch, closed=now, outcome=outcome, sweep=None, prefix=None)
    if batch.guard is not None and batch.completed is not None and batch.completed < batch.guard:
        return closed, Delta()
    key = (batch.ref.account, *labels)
    if batch.run:
        return closed, Delta(increments={(RECORDS_ABANDONED.name, key): float(abandoned)})
    increments: dict[Series, float] = {
        (BATCHES_FINISHED.name, (*key, "success")): 0.0,
        (BATCHES_FINISHED.name, (*key, "failure")): 0.0,
        (RECORDS_ABANDONED.name, key): float(abandoned),
        (BATCH_LATE_CHANGES.name, key): 0.0,
    }
    increments[BATCHES_FINISHED.name, (*key, outcome)] = 1.0
    observations: dict[Series, list[Observation]] = {
        (BATCH_DURATION.name, (*key, "success")): [],
        (BATCH_DURATION.name, (*key, "failure")): [],
    }
    if (
        batch.started is not None
        and batch.completed is not None
        and batch.completed >= batch.started
    ):
        took = Observation(batch.completed - batch.started, now, batch.ref.id)
        observations[BATCH_DURATION.name, (*key, outcome)] = [took]
    return closed, Delta(increments=increments, observations=observations)


def changed_late(
    batch: Batch, readings: Mapping[Source, ProbeReading], status_words: StatusWords
) -> tuple[Batch, Delta]:
    """A closed batch after a cycle that read this of it.

    A source that had said final before and now reads otherwise is a late change.

    A source that had not yet said final, or was not read before, only settles.
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
        increments[BATCH_LATE_CHANGES.name, (batch.ref.account, *batch.labels)] = 1.0
    return (replace(batch, probes=probes) if probes != batch.probes else batch), Delta(
        increments=increments
    )


def view(
    batch: Batch, status_words: StatusWords, *, name: str, configured: bool, labels: Labels
) -> BatchView:
    """What the per-batch gauges show.

    Counts come from the source that takes precedence and tells them.
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
        picture=batch.picture,
        drift=batch.drift,
        cost=batch.cost,
    )


def _first(*values: _T | None) -> _T | None:
    return next((value for value in values if value is not None), None)
