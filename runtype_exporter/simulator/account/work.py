"""The records of one batch with all their attempts, and what they show at any moment.

All times are fixed when the batch is created. Reading changes nothing, so what a read shows depends
only on its moment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from math import inf
from typing import NamedTuple, Protocol

from runtype_exporter.simulator.settings import (
    CancelledRest,
    RecordAttempt,
    RecordPlan,
    SimulatedOutcome,
    SimulatedState,
)

RecordAttempts = tuple[RecordAttempt, ...]
"""One record: its first attempt and its retries."""


class Place(NamedTuple):
    """A row: the number of a record in its batch, and of an attempt in its record."""

    record: int
    attempt: int


class RecordCounts(NamedTuple):
    """The API's own counts: records that ended at least once, and those that last failed."""

    ended: int
    failed: int


def state(attempt: RecordAttempt, now: float) -> SimulatedState:
    """Return the state of an attempt at a moment; it must exist by then."""
    if now < attempt.started:
        return "pending"
    return "running" if now < attempt.finished else attempt.outcome


class Work:
    """The records of one batch with all their attempts. `cancelled`: a user ended it early."""

    def __init__(self, records: Sequence[RecordAttempts], *, cancelled: bool = False) -> None:
        self.records = records
        self.cancelled = cancelled

    @cached_property
    def _appended(self) -> tuple[list[float], list[Place]]:
        places = sorted(
            (attempt.created, number, index)
            for index, record in enumerate(self.records)
            for number, attempt in enumerate(record)
        )
        return [created for created, _, _ in places], [
            Place(index, number) for _, number, index in places
        ]

    @cached_property
    def _firsts(self) -> tuple[list[float], list[int]]:
        firsts = sorted((record[0].created, index) for index, record in enumerate(self.records))
        return [created for created, _ in firsts], [index for _, index in firsts]

    @cached_property
    def _events(self) -> tuple[list[float], list[RecordCounts]]:
        events: list[tuple[float, int, int]] = []
        for record in self.records:
            failed = 0
            for number, attempt in enumerate(record):
                if attempt.finished < inf:
                    now_failed = int(attempt.outcome == "failure")
                    events.append((attempt.finished, int(number == 0), now_failed - failed))
                    failed = now_failed
        events.sort()
        counts = [RecordCounts(0, 0)]
        for _, ended, change in events:
            counts.append(RecordCounts(counts[-1].ended + ended, counts[-1].failed + change))
        return [at for at, _, _ in events], counts

    @cached_property
    def settled(self) -> float:
        """The moment of the last end; -inf if nothing ever ends."""
        return self._events[0][-1] if self._events[0] else -inf

    @property
    def final(self) -> Counter[SimulatedOutcome]:
        """How many attempts end in each outcome, at the end of time."""
        return self.ended(inf)

    @property
    def stuck(self) -> bool:
        """True if any attempt never ends."""
        return any(attempt.finished == inf for record in self.records for attempt in record)

    def ended(self, now: float) -> Counter[SimulatedOutcome]:
        """Return how many attempts have ended in each outcome by now."""
        return Counter(
            attempt.outcome
            for record in self.records
            for attempt in record
            if attempt.finished <= now and attempt.finished < inf
        )

    def shown(self, now: float) -> Counter[SimulatedOutcome]:
        """Return the same as `ended`, without results that a later attempt has replaced."""
        return Counter(
            record[place.attempt].outcome
            for place in self.rows(now, replaced=True)
            for record in (self.records[place.record],)
            if record[place.attempt].finished <= now
        )

    def counts(self, now: float, flush: int = 1) -> RecordCounts:
        """Return the counts by now. They move in groups of `flush` ends."""
        times, counts = self._events
        ended = bisect_right(times, now)
        return counts[ended - ended % flush]

    def visible(self, now: float, *, replaced: bool) -> int:
        """Return how many rows exist by now."""
        return bisect_right(self._firsts[0] if replaced else self._appended[0], now)

    def rows(
        self, now: float, start: int = 0, stop: int | None = None, *, replaced: bool
    ) -> list[Place]:
        """Return the rows that exist by now from one position to another, oldest first.

        With `replaced` there is one row per record: its newest attempt.
        """
        visible = self.visible(now, replaced=replaced)
        stop = visible if stop is None else min(stop, visible)
        if not replaced:
            return self._appended[1][start:stop]
        return [Place(index, self._newest(index, now)) for index in self._firsts[1][start:stop]]

    def _newest(self, index: int, now: float) -> int:
        return max(
            number for number, attempt in enumerate(self.records[index]) if attempt.created <= now
        )


def cancel_at(
    records: Sequence[RecordAttempts], moment: float, rest: CancelledRest = "cancelled"
) -> list[RecordAttempts]:
    """Return the records of a batch that a user cancels at a moment.

    What has not ended by then is cancelled, and not retried; `rest` says what becomes of records
    that did not begin.
    """
    return [
        tuple(
            _cancelled_attempt(attempt, moment, rest)
            for number, attempt in enumerate(record)
            if number == 0 or attempt.created < moment
        )
        for record in records
    ]


def _cancelled_attempt(attempt: RecordAttempt, moment: float, rest: CancelledRest) -> RecordAttempt:
    if attempt.finished <= moment:
        return attempt
    created = min(attempt.created, moment)
    if attempt.started < moment or rest == "cancelled":
        return RecordAttempt(created, min(attempt.started, moment), moment, "cancelled")
    # A record keeps its place in the batch, because its ids depend on it.
    return RecordAttempt(created if rest == "pending" else inf, inf, inf)


class WorkPlan(Protocol):
    """A source of a batch's work that returns equal work each time."""

    def __hash__(self) -> int:
        """Hash by identity: the cache of works is keyed by plans."""
        ...

    def work(self) -> Work:
        """Return the work."""
        ...


class ScriptedPlan:
    """The plan of scripted records, in seconds since `at`."""

    def __init__(
        self, at: float, records: Sequence[RecordPlan], *, cancelled: bool = False
    ) -> None:
        self._work = Work(
            [
                tuple(
                    RecordAttempt(
                        at + attempt.created,
                        at + attempt.started,
                        at + attempt.finished,
                        *attempt[3:],
                    )
                    for attempt in plan.attempts
                )
                for plan in records
            ],
            cancelled=cancelled,
        )

    def work(self) -> Work:
        """Return the work as scripted."""
        return self._work


class CancelledPlan:
    """Another plan whose batch a user cancels at a moment."""

    def __init__(self, plan: WorkPlan, moment: float, rest: CancelledRest) -> None:
        self._plan, self._moment, self._rest = plan, moment, rest

    def work(self) -> Work:
        """Return the work up to the cancellation."""
        records = cancel_at(self._plan.work().records, self._moment, self._rest)
        return Work(records, cancelled=True)
