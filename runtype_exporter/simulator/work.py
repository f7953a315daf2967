"""How the records of one batch fare.

Every moment drawn when the batch is made, and what can be asked of them at any later moment.

Reading changes nothing, so what a read shows depends on its moment alone. It knows neither ids nor
words nor JSON.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from math import inf
from typing import NamedTuple, Protocol

from .values import Attempt, Outcome, RecordPlan, State

Record = tuple[Attempt, ...]


class Place(NamedTuple):
    """Which row: a record's number in its batch, and which of its attempts."""

    record: int
    attempt: int


class Counts(NamedTuple):
    """The API's own counts of a batch.

    Records that have ended at least once, and those whose last end was a failure.
    """

    ended: int
    failed: int


def state(attempt: Attempt, now: float) -> State:
    """What an attempt that exists looks like at this moment."""
    if now < attempt.started:
        return "pending"
    return "running" if now < attempt.finished else attempt.outcome


class Work:
    """The records of one batch with all their attempts.

    `cancelled`: somebody ended the batch before its time.
    """

    def __init__(self, records: Sequence[Record], *, cancelled: bool = False) -> None:
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
    def _events(self) -> tuple[list[float], list[Counts]]:
        events: list[tuple[float, int, int]] = []
        for record in self.records:
            failed = 0
            for number, attempt in enumerate(record):
                if attempt.finished < inf:
                    now_failed = int(attempt.outcome == "failure")
                    events.append((attempt.finished, int(number == 0), now_failed - failed))
                    failed = now_failed
        events.sort()
        counts = [Counts(0, 0)]
        for _, ended, change in events:
            counts.append(Counts(counts[-1].ended + ended, counts[-1].failed + change))
        return [at for at, _, _ in events], counts

    @cached_property
    def settled(self) -> float:
        """The moment of the last end; -inf where nothing ever ends."""
        return self._events[0][-1] if self._events[0] else -inf

    @property
    def final(self) -> Counter[Outcome]:
        """How many attempts end in each outcome, in the end."""
        return self.ended(inf)

    @property
    def stuck(self) -> bool:
        """Whether any attempt never ends."""
        return any(attempt.finished == inf for record in self.records for attempt in record)

    def ended(self, now: float) -> Counter[Outcome]:
        """How many attempts have ended in each outcome by now."""
        return Counter(
            attempt.outcome
            for record in self.records
            for attempt in record
            if attempt.finished <= now and attempt.finished < inf
        )

    def shown(self, now: float) -> Counter[Outcome]:
        """As `ended`, but without the results that a later attempt of the same record has taken the place of."""
        return Counter(
            record[place.attempt].outcome
            for place in self.rows(now, replaced=True)
            for record in (self.records[place.record],)
            if record[place.attempt].finished <= now
        )

    def counts(self, now: float, flush: int = 1) -> Counts:
        """The counts by now, which move by groups of `flush` ends."""
        times, counts = self._events
        ended = bisect_right(times, now)
        return counts[ended - ended % flush]

    def visible(self, now: float, *, replaced: bool) -> int:
        """How many rows exist by now."""
        return bisect_right(self._firsts[0] if replaced else self._appended[0], now)

    def rows(
        self, now: float, start: int = 0, stop: int | None = None, *, replaced: bool
    ) -> list[Place]:
        """The rows that exist by now, oldest first, from one position to another.

        `replaced`: one a record, its newest attempt.
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


def cut(records: Sequence[Record], moment: float) -> list[Record]:
    """The records as they fare where somebody ends their batch at a moment.

    What has not ended by then is cancelled, and not retried.
    """
    return [
        tuple(
            (
                attempt
                if attempt.finished <= moment
                else Attempt(
                    min(attempt.created, moment), min(attempt.started, moment), moment, "cancelled"
                )
            )
            for number, attempt in enumerate(record)
            if number == 0 or attempt.created < moment
        )
        for record in records
    ]


class Plan(Protocol):
    """What a batch's work can be made of, the same each time."""

    def __hash__(self) -> int:
        """Plans are kept by identity."""
        ...

    def work(self) -> Work:
        """The work, made anew."""
        ...


class Script:
    """Work that a test wrote down, in seconds since `at`."""

    def __init__(
        self, at: float, records: Sequence[RecordPlan], *, cancelled: bool = False
    ) -> None:
        self._work = Work(
            [
                tuple(
                    Attempt(
                        at + attempt.created,
                        at + attempt.started,
                        at + attempt.finished,
                        attempt.outcome,
                    )
                    for attempt in (
                        Attempt(plan.created, plan.started, plan.finished, plan.outcome),
                        *plan.retries,
                    )
                )
                for plan in records
            ],
            cancelled=cancelled,
        )

    def work(self) -> Work:
        """The work as written."""
        return self._work


class Cut:
    """Work that is ended before its time, at a moment."""

    def __init__(self, plan: Plan, moment: float) -> None:
        self._plan, self._moment = plan, moment

    def work(self) -> Work:
        """What is left of the work."""
        return Work(cut(self._plan.work().records, self._moment), cancelled=True)
