"""The table of deadlines: how long a batch may wait in which phase. Pure.

Every wait of a batch is in `DEADLINES`, so every batch closes. Two kinds of batches may wait for as
long as they want: one that changes, and a configured one that the API has never known.

No deadline has passed at the time 0. That is the time to ask about while API time is not certain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from runtype_exporter.limits import DAY
from runtype_exporter.model import Batch, SweepTally
from runtype_exporter.polling.batches.phase import Phase, phase

UNREADABLE_TRIES: Final = 10
"""A batch is given up as unreadable after so many failed reads in a row in one process."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """How long a batch may wait for something."""

    phases: frozenset[Phase]
    waited: Callable[[Batch, float], float | None]
    """Returns how long a batch has waited at a moment, None if it does not wait."""
    longest: Callable[[Batch, float], float]
    """Returns how long it may wait, given `settle_time`."""

    def passed(self, batch: Batch, now: float, settle_time: float) -> bool:
        """Return whether a batch has waited for too long at a moment."""
        if now <= 0.0 or phase(batch) not in self.phases:
            return False
        waited = self.waited(batch, now)
        return waited is not None and waited >= self.longest(batch, settle_time)


def known_rows(batch: Batch) -> SweepTally:
    """Return the rows that were read of a batch: by its present sweep or by its last complete one.

    The one that read more rows counts.
    """
    tallies = [
        *([batch.snapshot.tally] if batch.snapshot is not None else []),
        *([batch.sweep.tally] if batch.sweep is not None else []),
    ]
    return max(tallies, key=lambda tally: tally.distinct, default=SweepTally())


def last_change(batch: Batch) -> float:
    """Return when the batch last changed. That is when it was first seen, if it never has."""
    return batch.changed or batch.first_seen


def _since(moment: float | None, now: float) -> float | None:
    return None if moment is None else now - moment


def _run_ended(batch: Batch, now: float) -> float | None:
    # A run may end when its work is handed over. A batch that still changes is at work.
    ended = batch.run_ended_since
    return None if ended is None else now - max(ended, last_change(batch))


def _longest_unchanged(batch: Batch, _: float) -> float:
    # A paused row waits for a person.
    return (30 if known_rows(batch).paused else 7) * DAY


def _days(number: int) -> Callable[[Batch, float], float]:
    return lambda _, __: number * DAY


def _settle_time(_: Batch, settle_time: float) -> float:
    return settle_time


_NOT_CLOSED: Final = frozenset(Phase) - {Phase.CLOSED}

CLAIM: Final = Deadline(
    frozenset({Phase.UNCLAIMED}),
    waited=lambda batch, now: now - batch.first_seen,
    longest=_days(1),
)
"""Then the batch is ad hoc, even if the run list was never read far enough back."""
SETTLE: Final = Deadline(
    frozenset({Phase.ENDED, Phase.CLOSING}),
    waited=lambda batch, now: _since(batch.ended, now),
    longest=_settle_time,
)
"""Then one more sweep closes the batch with the rows that are there."""
RUN_ENDED: Final = Deadline(frozenset({Phase.OPEN}), waited=_run_ended, longest=_settle_time)
"""Then the word of the run counts, and the batch is stale after one more sweep."""
STALE: Final = Deadline(
    _NOT_CLOSED - {Phase.UNCLAIMED},
    waited=lambda batch, now: now - last_change(batch),
    longest=_longest_unchanged,
)
"""Then the batch is stale after one more sweep."""
LOST: Final = Deadline(
    _NOT_CLOSED, waited=lambda batch, _: batch.missing_for or None, longest=_days(1)
)
"""Then the batch is lost."""
UNREADABLE: Final = Deadline(
    _NOT_CLOSED, waited=lambda batch, _: batch.unreadable_for or None, longest=_days(3)
)
"""Then the batch is unreadable, if it was tried `UNREADABLE_TRIES` times in this process."""
REREAD: Final = Deadline(
    frozenset({Phase.CLOSED}),
    waited=lambda batch, now: _since(batch.reread_at or batch.closed, now),
    longest=_days(1),
)
"""Then a batch that was given up is read again."""
COST: Final = Deadline(
    frozenset({Phase.CLOSED}),
    waited=lambda batch, now: _since(batch.closed, now),
    longest=_days(1),
)
"""Then a cost that cannot be read is given up."""

DEADLINES: Final = {
    "claim": CLAIM,
    "settle": SETTLE,
    "run_ended": RUN_ENDED,
    "stale": STALE,
    "lost": LOST,
    "unreadable": UNREADABLE,
    "reread": REREAD,
    "cost": COST,
}


def overdue(batch: Batch, now: float, settle_time: float) -> bool:
    """Return whether the batch is stale, except for one last sweep."""
    return RUN_ENDED.passed(batch, now, settle_time) or STALE.passed(batch, now, settle_time)
