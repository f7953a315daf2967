"""What fires when: schedules with their changes, and users who submit batches.

What falls due exactly at the moment of a change still uses the state before the change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Generic, NamedTuple, TypeVar

from runtype_exporter.simulator.account.cron import check, due_times
from runtype_exporter.simulator.account.work import ScriptedPlan
from runtype_exporter.simulator.settings import AdhocSpec, ScheduleSpec

SpecT = TypeVar("SpecT")


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """The reason why a run or an ad-hoc batch begins.

    `key` seeds its ids and random streams. `due` and `at` (its creation) are in seconds since the
    epoch. Without a `script` the work of `size` records is random. `failed`: only a run begins, and
    it fails at once.
    """

    key: str
    due: float
    at: float
    size: int
    script: ScriptedPlan | None = None
    completed: float | None = None
    record_ids: Sequence[str] = ()
    failed: bool = False


class TriggerSource(ABC, Generic[SpecT]):
    """Anything that falls due, from `created` on. Times are in seconds since the epoch.

    `due` is the next due time (inf: none), `taken` the last one that was taken.
    """

    def __init__(self, created: float) -> None:
        self.created = self.taken = created
        self._refill()

    @abstractmethod
    def times(self, after: float) -> Iterator[tuple[float, SpecT]]:
        """Yield the due times later than `after`, in order, each with the settings at that time."""

    def take(self, now: float, stop: float) -> Iterator[tuple[float, SpecT]]:
        """Yield what has fallen due by now and before `stop` and was not taken yet."""
        while (due := self._next) is not None and self.due <= now and self.due < stop:
            self.taken = self.due
            self._step()
            yield due

    def _refill(self) -> None:
        self._times = self.times(self.taken)
        self._step()

    def _step(self) -> None:
        self._next = next(self._times, None)
        self.due = inf if self._next is None else self._next[0]


class AdhocSubmitter(TriggerSource[AdhocSpec]):
    """A user who submits batches outside any schedule."""

    def __init__(self, spec: AdhocSpec, start: float) -> None:
        self._spec = spec
        super().__init__(start if spec.since is None else spec.since)

    def times(self, after: float) -> Iterator[tuple[float, AdhocSpec]]:
        """Yield the due times later than `after`."""
        return ((due, self._spec) for due in due_times(self._spec.cron, "UTC", after))


class _ScheduleChange(NamedTuple):
    at: float
    fields: Mapping[str, Any]


class SimulatedSchedule(TriggerSource[ScheduleSpec]):
    """A schedule with all its changes, from its creation to its deletion."""

    def __init__(self, id_: str, spec: ScheduleSpec, created: float) -> None:
        self.id, self.key = id_, spec.key
        self._spec, self._changes = spec, list[_ScheduleChange]()
        self._deleted = inf
        super().__init__(created)

    def exists(self, now: float) -> bool:
        """Return True if the schedule is created and not deleted."""
        return self.created <= now < self._deleted

    def spec(self, now: float) -> ScheduleSpec:
        """Return the settings of the schedule with the changes made by now."""
        spec = self._spec
        for change in self._changes:
            if change.at <= now:
                spec = replace(spec, **change.fields)
        return spec

    def updated(self, now: float) -> float:
        """Return when the schedule was last changed or created."""
        return max(
            (change.at for change in self._changes if change.at <= now), default=self.created
        )

    def change(self, at: float, **fields: Any) -> None:
        """Change some fields from a moment on.

        Raises:
            TypeError: an unknown field.
            ValueError: a wrong cron expression or time zone, or a later due time was already taken.
        """
        changed = replace(self.spec(at), **fields)
        if changed.cron is not None:
            check(changed.cron, changed.timezone)
        self._not_before(at)
        insort(self._changes, _ScheduleChange(at, fields), key=lambda change: change.at)
        self._refill()

    def delete(self, at: float) -> None:
        """Delete the schedule from a moment on.

        Raises:
            ValueError: a later due time was already taken.
        """
        self._not_before(at)
        self._deleted = at
        self._refill()

    def times(self, after: float) -> Iterator[tuple[float, ScheduleSpec]]:
        """Yield the due times later than `after`, each with the settings at that time."""
        while after < self._deleted:
            until = min((change.at for change in self._changes if change.at > after), default=inf)
            until = min(until, self._deleted)
            spec = self.spec(after)
            for due in _due_times_of(spec, after):
                if due > until:
                    break
                yield due, spec
            after = until

    def due_after(self, now: float) -> float | None:
        """Return when the schedule falls due next with its present settings; None for never."""
        return next(_due_times_of(self.spec(now), now), None)

    def _not_before(self, at: float) -> None:
        if at < self.taken:
            raise ValueError(
                f"{self.id} fell due at {self.taken} already: a change at {at} comes too late;"
                " script it earlier"
            )


def _due_times_of(spec: ScheduleSpec, after: float) -> Iterator[float]:
    if not spec.enabled:
        return iter(())
    if spec.cron is not None:
        return due_times(spec.cron, spec.timezone, after)
    return iter([spec.run_at] if spec.run_at is not None and spec.run_at > after else [])
