"""Who fires when: schedules, with every change that was made to them, and people who submit batches.

What falls due at the very moment of a change still goes by what stood before. It knows neither runs
nor batches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf
from typing import Any, Generic, NamedTuple, TypeVar

from .cron import check, due_times
from .values import AdhocSpec, ScheduleSpec

SpecT = TypeVar("SpecT")


class Source(ABC, Generic[SpecT]):
    """Whatever falls due from `created` on. Times are seconds since the epoch.

    `due` is the next due time (inf for none), `taken` the last one that is past.
    """

    def __init__(self, created: float) -> None:
        self.created = self.taken = created
        self._refill()

    @abstractmethod
    def times(self, after: float) -> Iterator[tuple[float, SpecT]]:
        """The due times later than `after`, in order, each with what is to be made of it."""

    def take(self, now: float, stop: float) -> Iterator[tuple[float, SpecT]]:
        """What has fallen due by now and before `stop`, and was not taken yet."""
        while (due := self._next) is not None and self.due <= now and self.due < stop:
            self.taken = self.due
            self._turn()
            yield due

    def _refill(self) -> None:
        self._times = self.times(self.taken)
        self._turn()

    def _turn(self) -> None:
        self._next = next(self._times, None)
        self.due = inf if self._next is None else self._next[0]


class Submitter(Source[AdhocSpec]):
    """Somebody who submits batches outside any schedule."""

    def __init__(self, spec: AdhocSpec, start: float) -> None:
        self._spec = spec
        super().__init__(start if spec.since is None else spec.since)

    def times(self, after: float) -> Iterator[tuple[float, AdhocSpec]]:
        """The due times later than `after`."""
        return ((due, self._spec) for due in due_times(self._spec.cron, "UTC", after))


class _Change(NamedTuple):
    at: float
    fields: Mapping[str, Any]


class Schedule(Source[ScheduleSpec]):
    """A schedule from its making to its deletion."""

    def __init__(self, id_: str, spec: ScheduleSpec, created: float) -> None:
        self.id, self.key = id_, spec.key
        self._spec, self._changes = spec, list[_Change]()
        self._deleted = inf
        super().__init__(created)

    def exists(self, now: float) -> bool:
        """Whether it is made and not deleted."""
        return self.created <= now < self._deleted

    def spec(self, now: float) -> ScheduleSpec:
        """The schedule as it stands, with the changes made by now."""
        spec = self._spec
        for change in self._changes:
            if change.at <= now:
                spec = replace(spec, **change.fields)
        return spec

    def updated(self, now: float) -> float:
        """When it was last changed, or made."""
        return max(
            (change.at for change in self._changes if change.at <= now), default=self.created
        )

    def change(self, at: float, **fields: Any) -> None:
        """Give some of its fields other values from a moment on.

        Raises:
            TypeError: it has no such field.
            ValueError: a cron expression or time zone that has no due times; or a later due time
                has been taken already.
        """
        changed = replace(self.spec(at), **fields)
        if changed.cron is not None:
            check(changed.cron, changed.timezone)
        self._not_before(at)
        insort(self._changes, _Change(at, fields), key=lambda change: change.at)
        self._refill()

    def delete(self, at: float) -> None:
        """It is no more from a moment on.

        Raises:
            ValueError: a later due time has been taken already.
        """
        self._not_before(at)
        self._deleted = at
        self._refill()

    def times(self, after: float) -> Iterator[tuple[float, ScheduleSpec]]:
        """The due times later than `after`, each with the schedule as it then stands."""
        while after < self._deleted:
            until = min((change.at for change in self._changes if change.at > after), default=inf)
            until = min(until, self._deleted)
            spec = self.spec(after)
            for due in _dues(spec, after):
                if due > until:
                    break
                yield due, spec
            after = until

    def due_after(self, now: float) -> float | None:
        """When it falls due next, as it stands now; None for never."""
        return next(_dues(self.spec(now), now), None)

    def _not_before(self, at: float) -> None:
        if at < self.taken:
            raise ValueError(
                f"{self.id} fell due at {self.taken} already: a change at {at} comes too late;"
                " script it earlier"
            )


def _dues(spec: ScheduleSpec, after: float) -> Iterator[float]:
    if not spec.enabled:
        return iter(())
    if spec.cron is not None:
        return due_times(spec.cron, spec.timezone, after)
    return iter([spec.run_at] if spec.run_at is not None and spec.run_at > after else [])
