"""A batch and a run at any moment, computed from the plan that was made at their creation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import NamedTuple

from runtype_exporter.simulator.account.work import CancelledPlan, Place, Work, WorkPlan, state
from runtype_exporter.simulator.settings import (
    Api,
    CancelledRest,
    RecordAttempt,
    ScheduleSpec,
    SimulatedOutcome,
    SimulatedState,
)

WRAP_UP = 1.0
"""Seconds between the end of a batch's last record and its completion."""


class BatchTarget(NamedTuple):
    """What a batch runs: a flow, or an agent if `agent_id` is set.

    For an agent `flow_id` is "" and `flow_name` is the agent's name, as the summary shows it.
    """

    flow_id: str
    flow_name: str
    agent_id: str = ""

    @property
    def label(self) -> str:
        """What the truth calls it: the flow's name, or the agent's id."""
        return self.agent_id or self.flow_name


class SimulatedRow(NamedTuple):
    """One result as a page shows it."""

    place: Place
    attempt: RecordAttempt
    state: SimulatedState

    def word(self, usual: Mapping[SimulatedState, str]) -> str:
        """Return its status word: its own one, or the usual one of its state."""
        is_open = self.state in {"pending", "running"}
        own = self.attempt.open_word if is_open else self.attempt.final_word
        return own or usual[self.state]


class _BatchEnd(NamedTuple):
    """What stays in memory of a batch whose records do not."""

    settled: float
    ends: float
    final: Counter[SimulatedOutcome]
    outcome: SimulatedOutcome


@dataclass(eq=False, kw_only=True)
class SimulatedBatch:
    """A batch, or the records of a run without a batch id.

    Times are in seconds since the epoch; `started` is inf if it was cancelled before its start.
    `completed` is None if the batch completes when its work does. `plan` makes the work and
    `work_cache` keeps recently used works. `label` is the schedule's name in the truth. `listed` is
    False for the records of a run without a batch id: the API does not list them as a batch. A
    `zombie` ends, as its run says, but the summary and its status show it as running forever.
    `relisted` is when the summary lists it once more, as if it had started then.
    """

    id: str
    schedule: str
    label: str
    target: BatchTarget
    created: float
    started: float
    total: int
    plan: WorkPlan
    work_cache: Callable[[WorkPlan], Work]
    late_retries: bool = False
    stuck_holds: bool = False
    completed: float | None = None
    listed: bool = True
    zombie: bool = False
    relisted: float = inf
    record_ids: tuple[str, ...] = ()

    @property
    def work(self) -> Work:
        """The records with their attempts."""
        return self.work_cache(self.plan)

    @cached_property
    def _end(self) -> _BatchEnd:
        work = self.work
        begun = self.created if self.started == inf else self.started
        return _BatchEnd(
            max(work.settled, begun), self._ends(work), work.final, self._outcome(work)
        )

    @property
    def settled(self) -> float:
        """When the last of its results becomes final; stuck results are ignored."""
        return self._end.settled

    @property
    def ends(self) -> float:
        """When it completes; inf if a stuck record keeps it running."""
        return self._end.ends

    @property
    def final(self) -> Mapping[SimulatedOutcome, int]:
        """How many results of each outcome it has in the end."""
        return self._end.final

    @property
    def outcome(self) -> SimulatedOutcome:
        """Its own outcome: cancelled, failure if no record succeeded, otherwise success."""
        return self._end.outcome

    def cancel(self, at: float, rest: CancelledRest = "cancelled") -> bool:
        """Cancel the batch at a moment; `rest` says what becomes of records that did not begin.

        Return False, and change nothing, if it is not queued or running then.
        """
        if not self.created <= at < self.ends:
            return False
        self.plan, self.completed = CancelledPlan(self.plan, at, rest), at
        self.started = self.started if self.started <= at else inf
        del self._end
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

    def _outcome(self, work: Work) -> SimulatedOutcome:
        if work.cancelled:
            return "cancelled"
        return "failure" if self.total and not work.final["success"] else "success"

    def state(self, now: float) -> SimulatedState:
        """Return its state: queued (as "pending"), running, or its outcome."""
        if now >= self.ends:
            return self.outcome
        return "pending" if now < self.started else "running"

    def shown_state(self, now: float) -> SimulatedState:
        """Return the state that the summary and the status of the batch show."""
        return "running" if self.zombie and now >= self.started else self.state(now)

    def shown_start(self, now: float) -> float:
        """Return the start that the summary and the status show; a queued batch shows its creation.

        It is never null in the API.
        """
        if now >= self.relisted:
            return self.relisted
        return self.started if now >= self.started else self.created

    def is_active(self, now: float) -> bool:
        """Return True if the summary lists it among the active batches."""
        return self.zombie or now < self.ends

    def is_recent(self, now: float, window: float) -> bool:
        """Return True if the summary lists it among those that ended within the window."""
        return not self.is_active(now) and any(
            since <= now < since + window for since in (self.ends, self.relisted)
        )

    def counts(self, now: float, api: Api) -> tuple[int, int]:
        """Return the numbers of processed and failed records that the API shows."""
        counts = self.work.counts(now, 1 if now >= min(self.ends, self.settled) else api.flush)
        return counts.ended - (0 if api.processed_includes_failed else counts.failed), counts.failed

    def ended(self, now: float) -> Mapping[SimulatedOutcome, int]:
        """Return how many of its results have become final by now, by outcome."""
        return self.final if now >= self.settled else self.work.ended(now)

    def unfinished(self, now: float) -> bool:
        """Return True if the batch still changes. Stuck records are ignored."""
        return now < self.settled or now < self.ends < inf

    def is_tracked(self, now: float, window: float) -> bool:
        """Return True if the batch still changes, or is in the summary or will be."""
        last_listed = self.ends if self.relisted == inf else self.relisted
        return self.zombie or self.unfinished(now) or now < last_listed + window

    def page(
        self, now: float, api: Api, offset: int, limit: int, status: str | None
    ) -> tuple[list[SimulatedRow], int]:
        """Return a page of its results, and the number of rows that match."""
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
            rows.sort(key=lambda row: -_last_change(row.attempt, now))
        elif api.results_order == "newest":
            rows.reverse()
        matching = [row for row in rows if status is None or row.word(api.record_words) == status]
        return matching[offset : offset + limit], len(matching)

    def _row(self, place: Place, now: float) -> SimulatedRow:
        attempt = self.work.records[place.record][place.attempt]
        return SimulatedRow(place, attempt, state(attempt, now))


def _last_change(attempt: RecordAttempt, now: float) -> float:
    return max(at for at in (attempt.created, attempt.started, attempt.finished) if at <= now)


@dataclass(eq=False, kw_only=True)
class SimulatedRun:
    """A run of a schedule, with a batch unless it runs an agent or failed at its start.

    Without a batch it has its own times and outcome; a failed start has only an end. `due` is when
    it fell due; for a run-now it is its creation.
    """

    id: str
    spec: ScheduleSpec
    schedule: str
    due: float
    created: float
    batch: SimulatedBatch | None = None
    agent_id: str | None = None
    failed_start: bool = False
    own_start: float = inf
    own_end: float = inf
    own_outcome: SimulatedOutcome = "failure"

    @property
    def started(self) -> float:
        """When its work begins; inf: never."""
        return self.batch.started if self.batch else self.own_start

    @property
    def ends(self) -> float:
        """When it ends; inf: never."""
        return self.batch.ends if self.batch else self.own_end

    @property
    def outcome(self) -> SimulatedOutcome:
        """Its outcome at its end."""
        return self.batch.outcome if self.batch else self.own_outcome

    def state(self, now: float) -> SimulatedState:
        """Return its state: queued (as "pending"), running, or its outcome."""
        if now >= self.ends:
            return self.outcome
        return "pending" if now < self.started else "running"
