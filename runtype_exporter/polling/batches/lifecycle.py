"""The transitions of a batch between the phases of `phase`. Pure.

Only this module decides that a batch changes state, by the table of `deadlines`. `ends` says how a
batch closes and what that counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from runtype_exporter.catalogue import BATCH_LATE_CHANGES, series
from runtype_exporter.limits import HOUR
from runtype_exporter.model import (
    Batch,
    BatchOutcome,
    Delta,
    Probe,
    Run,
    Series,
    Source,
)
from runtype_exporter.polling.batches.deadlines import CLAIM
from runtype_exporter.polling.batches.phase import PRECEDENCE, dirty, ending
from runtype_exporter.polling.status_words import StatusWords, parse_time, probe_of
from runtype_exporter.runtype import BatchStatus, RunRow

MOST_WAITED = 2 * HOUR
"""A failed read adds at most this time to a deadline, in seconds. The longest back-off is an hour;
it is not known how the rest of a longer time was."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ProbeReading:
    """The probe of one batch from one source, and the times that the source gives."""

    probe: Probe
    started: float | None = None
    completed: float | None = None


def reading_of(shown: RunRow | BatchStatus, latest: float) -> ProbeReading:
    """Return what a run or a status says of its batch. `latest` is the time of the API."""
    return ProbeReading(
        probe_of(shown),
        parse_time(shown.started_at, latest=latest),
        parse_time(shown.completed_at, latest=latest),
    )


# --- open and ended ---
def observe(
    batch: Batch, readings: Mapping[Source, ProbeReading], status_words: StatusWords, now: float
) -> Batch:
    """Return the batch after a cycle with these readings.

    The probes of earlier cycles are dropped, since a list may no longer show the batch. A batch
    that had ended is open again if a source calls it unfinished.
    """
    if not readings:
        return batch
    read = [readings[source] for source in PRECEDENCE if source in readings]
    seen = replace(
        batch,
        probes={source: reading.probe for source, reading in readings.items()},
        started=_first(batch.started, *(reading.started for reading in read)),
        completed=_first(*(reading.completed for reading in read), batch.completed),
    )
    final = ending(seen, status_words) is not None
    # A batch that is listed may still answer 404 when its results are read. So only a batch whose
    # results need no reading is found again.
    after = seen if final or dirty(seen) else recovered(seen)
    changed = now if _changes(batch, readings) or not batch.changed else min(batch.changed, now)
    return replace(
        unguarded(after),
        ended=_earlier(batch.ended, now) if final else None,
        changed=changed,
        run_ended_since=_run_ended_since(batch, seen, status_words, now),
    )


def _changes(batch: Batch, readings: Mapping[Source, ProbeReading]) -> bool:
    """Return whether a source shows another probe than before.

    The first probe of a further source is no change: lists that show a batch by turns must not keep
    it from becoming stale.
    """
    known = {**(batch.probes_at_last_sweep or {}), **batch.probes}
    return not known or any(
        source in known and known[source] != reading.probe for source, reading in readings.items()
    )


def _run_ended_since(
    before: Batch, seen: Batch, status_words: StatusWords, now: float
) -> float | None:
    """Return since when the run of a batch is final.

    A list of runs may leave out a run that has ended, so its last word counts.
    """
    run = seen.probes.get("run", before.probes.get("run"))
    if run is None:
        return before.run_ended_since
    final = status_words.outcome(run.status, ended=seen.completed is not None) is not None
    return _earlier(before.run_ended_since, now) if final else None


def unguarded(batch: Batch) -> Batch:
    """Return the batch without its guard if it began after the guard.

    None of its results can be older than the guard then, even those without times.
    """
    began = batch.started if batch.created is None else batch.created
    if batch.count_from is None or began is None or began < batch.count_from:
        return batch
    return replace(batch, count_from=None)


def end(batch: Batch, now: float) -> Batch:
    """Return the batch as ended at this moment."""
    return replace(batch, ended=now, changed=now)


def swept(before: Batch, after: Batch, now: float) -> Batch:
    """Return the batch after a sweep reached the end.

    `before` is the batch before the sweep finished. A count that differs is a change.
    """
    if before.probes_at_last_sweep is None or _figures(before) != _figures(after):
        after = replace(after, changed=now)
    return recovered(after)


def _figures(batch: Batch) -> tuple[object, ...]:
    shown = batch.snapshot
    figures = None if shown is None else (shown.total, shown.tally.distinct, shown.tally.statuses)
    return figures, batch.drift


# --- unclaimed ---
def claim(batch: Batch, run: Run, flow_id: str, *, agent_id: str = "") -> Batch:
    """Return the batch as the one of this run, which has this flow ("" if it is unknown).

    The run of an agent has no flow. The agent's id takes its place, whatever a list calls the flow.
    """
    claimed = replace(
        batch,
        schedule=run.schedule,
        flow_id=agent_id or flow_id or batch.flow_id,
        flow_name="" if agent_id else batch.flow_name,
        created=run.created or batch.created,
        claims_left=0,
    )
    return unguarded(claimed)


def expire_claim(batch: Batch, *, at_once: bool) -> Batch:
    """Return the batch after a read of the run list that did not claim it.

    With `at_once` no further reads are waited for: the batch counts as ad hoc now.
    """
    return replace(batch, claims_left=0 if at_once else max(0, batch.claims_left - 1))


def enforce_claim(batch: Batch, now: float) -> Batch:
    """Return the batch as ad hoc if it has waited for a run for too long."""
    return expire_claim(batch, at_once=True) if CLAIM.passed(batch, now, 0.0) else batch


# --- reads that fail ---
def missing(batch: Batch, now: float, waited: float) -> Batch:
    """Return the batch after a read of it returned 404.

    `waited` are the seconds since the failed read before, as far as the API answered other reads.
    """
    return replace(
        batch,
        missing_since=_earlier(batch.missing_since, now),
        missing_for=batch.missing_for + min(waited, MOST_WAITED),
    )


def unreadable(batch: Batch, now: float, waited: float) -> Batch:
    """Return the batch after a read of it failed in any other way.

    `waited` are the seconds since the failed read before, as far as the API answered the same read
    of other batches.
    """
    return replace(
        batch,
        unreadable_since=_earlier(batch.unreadable_since, now),
        unreadable_for=batch.unreadable_for + min(waited, MOST_WAITED),
    )


def recovered(batch: Batch) -> Batch:
    """Return the batch after its results were read: it is neither missing nor unreadable."""
    return replace(
        batch, missing_since=None, missing_for=0.0, unreadable_since=None, unreadable_for=0.0
    )


# --- closed ---
def closed(batch: Batch, outcome: BatchOutcome | None, now: float) -> Batch:
    """Return the batch as closed. It is neither swept nor asked about any more.

    The outcome is None for a batch that is not followed. One that is given up keeps its sweep,
    which shows the page that could not be read.
    """
    after = replace(batch, closed=now, outcome=outcome, prefix=None)
    if after.given_up:
        return after
    return replace(recovered(after), sweep=None, run_ended_since=None)


def reread(batch: Batch, now: float) -> Batch:
    """Return a batch that was given up after it was read again."""
    return replace(batch, reread_at=now)


def reopen(batch: Batch, now: float) -> Batch:
    """Return a batch that was given up as one that is swept again from its first row.

    Its results stay counted. A batch that had ended still has.

    Raises:
        ValueError: the batch was not given up.
    """
    if not batch.given_up:
        message = "only a batch that was given up is opened again"
        raise ValueError(message)
    known = batch.probes_at_last_sweep
    return replace(
        recovered(batch),
        closed=None,
        outcome=None,
        sweep=None,
        claims_left=0,
        changed=now,
        reread_at=0.0,
        # With no probe to compare with, the next sweep is due at once. It is not the first one.
        probes_at_last_sweep=None if known is None else {},
    )


def changed_late(
    batch: Batch,
    readings: Mapping[Source, ProbeReading],
    status_words: StatusWords,
    now: float,
    *,
    reopens: bool,
) -> tuple[Batch, Delta]:
    """Return a closed batch after a cycle with these readings, and the late change they are.

    A late change: a source that had called the batch final now shows another probe. A first probe,
    or the first final status of a source, is no late change. A stale batch that changes is open
    again instead, if it `reopens`: the ledger still has its results.
    """
    if reopens and batch.outcome == "stale" and _changes(batch, readings):
        return observe(reopen(batch, now), readings, status_words, now), Delta()
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
    if late and batch.labels is not None and not batch.given_up:
        changes = series(BATCH_LATE_CHANGES, account=batch.ref.account, **batch.labels._asdict())
        increments[changes] = 1.0
    after = batch if probes == batch.probes else replace(batch, probes=probes)
    return after, Delta(increments=increments)


# --- times ---
def within(batch: Batch, now: float) -> Batch:
    """Return the batch with no moment of its own after `now`.

    A clock that was ahead leaves such moments. A deadline would never pass then.
    """
    return replace(
        batch,
        first_seen=min(batch.first_seen, now),
        ended=None if batch.ended is None else min(batch.ended, now),
        changed=min(batch.changed, now),
        run_ended_since=None if batch.run_ended_since is None else min(batch.run_ended_since, now),
        reread_at=min(batch.reread_at, now),
    )


def _earlier(before: float | None, now: float) -> float:
    return now if before is None else min(before, now)


def _first(*values: _T | None) -> _T | None:
    return next((value for value in values if value is not None), None)
