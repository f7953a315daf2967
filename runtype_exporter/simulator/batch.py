"""A batch and a run as they stand at a moment, computed from what was drawn when they were made.

It knows no JSON; the words and the counting that the API makes of it come from `Api`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import NamedTuple

from .values import Api, Attempt, Outcome, ScheduleSpec, State
from .work import Cut, Place, Plan, Work, state

WRAP_UP = 1.0
"""Seconds between a batch's last end and its completion."""


class Target(NamedTuple):
    """What a batch runs."""

    flow_id: str
    flow_name: str


class Row(NamedTuple):
    """One result as a page shows it."""

    place: Place
    attempt: Attempt
    state: State


class _Ending(NamedTuple):
    """What is kept of a batch whose records are no longer at hand."""

    settled: float
    ends: float
    final: Counter[Outcome]
    outcome: Outcome


@dataclass(eq=False, kw_only=True)
class Batch:
    """A batch, or the records of a run without one.

    Times in seconds since the epoch; `started` is inf where it was cancelled before.

    `completed` is None where the batch completes when its work does. `plan` is what the work is
    made of, `shelf` keeps some of it at hand. `label` is the schedule's name in the truth. `listed`
    is False for the records of a run without a batch: the API does not know its id.
    """

    id: str
    schedule: str
    label: str
    target: Target
    created: float
    started: float
    total: int
    plan: Plan
    shelf: Callable[[Plan], Work]
    late_retries: bool = False
    stuck_holds: bool = False
    completed: float | None = None
    listed: bool = True
    record_ids: tuple[str, ...] = ()

    @property
    def work(self) -> Work:
        """The records."""
        return self.shelf(self.plan)

    @cached_property
    def _ending(self) -> _Ending:
        work = self.work
        begun = self.created if self.started == inf else self.started
        return _Ending(max(work.settled, begun), self._ends(work), work.final, self._outcome(work))

    @property
    def settled(self) -> float:
        """When the last of its results becomes final, stuck ones left out."""
        return self._ending.settled

    @property
    def ends(self) -> float:
        """When it completes; inf where a stuck record holds it for ever."""
        return self._ending.ends

    @property
    def final(self) -> Mapping[Outcome, int]:
        """How many results it has of each outcome in the end."""
        return self._ending.final

    @property
    def outcome(self) -> Outcome:
        """How it ends: cancelled, failed where no record succeeded, else well."""
        return self._ending.outcome

    def cancel(self, at: float) -> bool:
        """Somebody ends it at a moment.

        False where it is not queued or running then, and nothing comes of it.
        """
        if not self.created <= at < self.ends:
            return False
        self.plan, self.completed = Cut(self.plan, at), at
        self.started = self.started if self.started <= at else inf
        del self._ending
        return True

    def _ends(self, work: Work) -> float:
        if self.completed is not None:
            return self.completed
        if self.stuck_holds and work.stuck:
            return inf
        if not self.late_retries:
            return max(work.settled, self.started) + WRAP_UP
        return (
            max(
                (record[0].finished for record in work.records if record[0].finished < inf),
                default=self.started,
            )
            + WRAP_UP
        )

    def _outcome(self, work: Work) -> Outcome:
        if work.cancelled:
            return "cancelled"
        return "failure" if self.total and not work.final["success"] else "success"

    def state(self, now: float) -> State:
        """Queued (as "pending"), running or ended."""
        if now >= self.ends:
            return self.outcome
        return "pending" if now < self.started else "running"

    def counts(self, now: float, api: Api) -> tuple[int, int]:
        """The processed and failed records that the API tells of."""
        counts = self.work.counts(now, 1 if now >= min(self.ends, self.settled) else api.flush)
        return counts.ended - (0 if api.processed_includes_failed else counts.failed), counts.failed

    def ended(self, now: float) -> Mapping[Outcome, int]:
        """How many of its results have become final by now, by outcome."""
        return self.final if now >= self.settled else self.work.ended(now)

    def unfinished(self, now: float) -> bool:
        """Whether anything of it, but for what is stuck, still has to happen."""
        return now < self.settled or now < self.ends < inf

    def page(
        self, now: float, api: Api, offset: int, limit: int, status: str | None
    ) -> tuple[list[Row], int]:
        """A page of its results, and how many rows match."""
        work, replaced = self.work, api.retry_rows == "replaced"
        visible = work.visible(now, replaced=replaced)
        if status is None and api.results_order != "updated":
            if api.results_order == "oldest":
                places = work.rows(now, offset, offset + limit, replaced=replaced)
            else:
                stop = max(visible - offset, 0)
                places = work.rows(now, max(stop - limit, 0), stop, replaced=replaced)[::-1]
            return [self._row(place, now) for place in places], visible
        rows = [self._row(place, now) for place in work.rows(now, replaced=replaced)]
        if api.results_order == "updated":
            rows.sort(key=lambda row: -_touched(row.attempt, now))
        elif api.results_order == "newest":
            rows.reverse()
        matching = [row for row in rows if status is None or api.record_words[row.state] == status]
        return matching[offset : offset + limit], len(matching)

    def _row(self, place: Place, now: float) -> Row:
        attempt = self.work.records[place.record][place.attempt]
        return Row(place, attempt, state(attempt, now))


def _touched(attempt: Attempt, now: float) -> float:
    return max(at for at in (attempt.created, attempt.started, attempt.finished) if at <= now)


@dataclass(eq=False, kw_only=True)
class Run:
    """A schedule's run: of a batch (or of records without one).

    The times and outcome of an agent or of a start that failed are its own.

    `due` is when it fell due, its creation where it was started out of turn. A failed start has
    nothing but an end.
    """

    id: str
    spec: ScheduleSpec
    schedule: str
    due: float
    created: float
    batch: Batch | None = None
    agent_id: str | None = None
    failed_start: bool = False
    own_start: float = inf
    own_end: float = inf
    own_outcome: Outcome = "failure"

    @property
    def started(self) -> float:
        """When its work begins; inf for never."""
        return self.batch.started if self.batch else self.own_start

    @property
    def ends(self) -> float:
        """When it is over; inf for never."""
        return self.batch.ends if self.batch else self.own_end

    @property
    def outcome(self) -> Outcome:
        """How it ends."""
        return self.batch.outcome if self.batch else self.own_outcome

    def state(self, now: float) -> State:
        """Queued (as "pending"), running or ended."""
        if now >= self.ends:
            return self.outcome
        return "pending" if now < self.started else "running"
