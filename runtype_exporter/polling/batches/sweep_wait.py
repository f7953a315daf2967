"""Why a batch is not being swept right now. Pure."""

from __future__ import annotations

from enum import Enum

from runtype_exporter.limits import DAY, HOUR
from runtype_exporter.model import Batch
from runtype_exporter.polling.batches.deadlines import SETTLE, known_rows, last_change, overdue
from runtype_exporter.polling.batches.phase import Phase, dirty, phase

PAUSED_INTERVAL = HOUR
"""Shortest time between two sweeps of an ended batch with paused rows, in seconds."""
PAUSED_SHARE = 0.1
"""The time between two such sweeps grows to this share of the time without a change."""


class SweepWait(Enum):
    """The reasons why a batch is not swept."""

    CLOSED = "closed"
    UNCLAIMED = "unclaimed"
    """A run may still claim it."""
    SCHEDULE_UNKNOWN = "schedule_unknown"
    """The list of schedules must be read before the batch gets its labels."""
    COLLECTOR_OFF = "collector_off"
    """Results are switched off, or the key may not read them."""
    BACKING_OFF = "backing_off"
    """Its last read failed."""
    UNCHANGED = "unchanged"
    """Nothing changed since its last sweep."""
    SETTLING = "settling"
    """It has ended without all its rows, and `settle_time` is not over."""
    PAUSED = "paused"
    """It has ended, and some of its rows wait for a person."""


def why_not_swept(  # noqa: PLR0913  # all but the batch are named
    batch: Batch,
    *,
    now: float,
    settle_time: float,
    collector_on: bool = True,
    backing_off: bool = False,
    schedule_unknown: bool = False,
) -> SweepWait | None:
    """Return why a batch is not to be swept now, None if it is.

    `now` is 0 while API time is not certain.
    """
    at = phase(batch)
    conditions = (
        (at is Phase.CLOSED, SweepWait.CLOSED),
        (at is Phase.UNCLAIMED, SweepWait.UNCLAIMED),
        (schedule_unknown, SweepWait.SCHEDULE_UNKNOWN),
        (not collector_on, SweepWait.COLLECTOR_OFF),
        (backing_off, SweepWait.BACKING_OFF),
    )
    for holds, wait in conditions:
        if holds:
            return wait
    return None if _has_more(batch, now) else _wait(batch, at, now, settle_time)


def quiet_interval(age: float) -> float:
    """Return how long to wait between two reads of a batch that nothing shows, in seconds.

    `age` is the time since the batch last changed, in seconds. The interval grows with it and is an
    hour from a day on.
    """
    return HOUR * min(1.0, max(0.0, age) / DAY)


def _has_more(batch: Batch, now: float) -> bool:
    if batch.sweep is not None or batch.snapshot is None or batch.probes:
        return batch.sweep is not None or dirty(batch)
    # No source shows the batch, so only its results can tell whether anything changed.
    return not 0.0 <= now - batch.snapshot.at < quiet_interval(now - last_change(batch))


def _wait(batch: Batch, at: Phase, now: float, settle_time: float) -> SweepWait | None:
    """Return why a batch without anything new is not swept. None: a deadline asks for a sweep."""
    if overdue(batch, now, settle_time):
        return None
    if at is Phase.OPEN:
        return SweepWait.UNCHANGED
    if not SETTLE.passed(batch, now, settle_time):
        return SweepWait.SETTLING
    return SweepWait.PAUSED if _paused(batch, now) else None


def _paused(batch: Batch, now: float) -> bool:
    if batch.snapshot is None or not known_rows(batch).paused:
        return False
    interval = max(PAUSED_INTERVAL, PAUSED_SHARE * (now - last_change(batch)))
    return 0.0 <= now - batch.snapshot.at < interval
