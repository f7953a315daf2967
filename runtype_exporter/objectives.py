"""Service level objectives: the good and bad events that a delta of counters contains.

Events are derived from the same increments that the totals get. So events and counters cannot
disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

from runtype_exporter.catalogue import (
    RECORD_LATENCY,
    RECORDS_ABANDONED,
    RECORDS_FINISHED,
    SCHEDULE_STARTS,
    SLO_EVENTS,
)
from runtype_exporter.model import Delta, LabelValues, Series

Verdict = Literal["good", "bad"]

_VERDICTS: dict[str, Verdict] = {"success": "good", "failure": "bad", "unknown": "bad"}
"""The verdict of a success objective by outcome. A cancelled record is not an event."""
_CACHE_SIZE = 4096
"""The number of (account, schedule) pairs whose matching objectives are cached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The definition of an objective's events."""

    name: str
    type: Literal["success", "latency", "freshness"]
    schedule: str = "*"
    """A glob on the schedule label. Ad-hoc batches have the label "", which only "" matches."""
    threshold: float | None = None
    """For type `latency`, in seconds."""
    max_delay: float | None = None
    """For type `freshness`, in seconds."""

    def matches(self, schedule: str) -> bool:
        """Return whether the objective applies to the events of this schedule label."""
        if not schedule or not self.schedule:
            return schedule == self.schedule
        return fnmatchcase(schedule, self.schedule)


@dataclass(frozen=True, slots=True)
class _EventSeries:
    """The good and the bad series of an objective for one account and schedule."""

    good: Series
    bad: Series
    threshold: float


@dataclass(frozen=True, slots=True)
class _MatchingObjectives:
    success: tuple[_EventSeries, ...]
    latency: tuple[_EventSeries, ...]
    freshness: tuple[_EventSeries, ...]


class Objectives:
    """The objectives of the configuration. Instances do not change."""

    def __init__(self, objectives: Sequence[Objective] = ()) -> None:
        self._objectives = tuple(objectives)
        self._matching: Callable[[str, str], _MatchingObjectives] = lru_cache(maxsize=_CACHE_SIZE)(
            self._match
        )

    def max_delay(self, schedule: str) -> float | None:
        """Return the smallest allowed delay of a start of this schedule, in seconds.

        None if no objective limits it.
        """
        delays = (
            objective.max_delay
            for objective in self._objectives
            if objective.type == "freshness" and objective.matches(schedule)
        )
        return min((delay for delay in delays if delay is not None), default=None)

    def events(self, delta: Delta) -> dict[Series, float]:
        """Return what a delta adds to the events of the matching objectives.

        An increment of 0 creates a counter. It also creates the series of its events, so that
        `increase` sees the first event too.
        """
        events: dict[Series, float] = {}
        if not self._objectives:
            return events
        for (metric, labels), step in delta.increments.items():
            if metric == RECORDS_FINISHED.name:
                self._add(
                    events, self._objectives_of(labels).success, _VERDICTS.get(labels[-1]), step
                )
            elif metric == RECORDS_ABANDONED.name:
                self._add(events, self._objectives_of(labels).success, "bad", step)
            elif metric == SCHEDULE_STARTS.name:
                self._add(
                    events,
                    self._objectives_of(labels).freshness,
                    "good" if labels[-1] == "on_time" else "bad",
                    step,
                )
        for (metric, labels), observations in delta.observations.items():
            if metric == RECORD_LATENCY.name and labels[-1] == "success":
                for series in self._objectives_of(labels).latency:
                    threshold = series.threshold
                    good = sum(observation[0] <= threshold for observation in observations)
                    events[series.good] = events.get(series.good, 0.0) + good
                    events[series.bad] = events.get(series.bad, 0.0) + len(observations) - good
        return events

    @staticmethod
    def _add(
        events: dict[Series, float],
        matching: Sequence[_EventSeries],
        verdict: Verdict | None,
        step: float,
    ) -> None:
        for series in matching:
            for result, key in (("good", series.good), ("bad", series.bad)):
                events[key] = events.get(key, 0.0) + (step if result == verdict else 0.0)

    def _objectives_of(self, labels: LabelValues) -> _MatchingObjectives:
        return self._matching(labels[0], labels[1])

    def _match(self, account: str, schedule: str) -> _MatchingObjectives:
        def of(type_: str) -> tuple[_EventSeries, ...]:
            return tuple(
                _EventSeries(
                    good=(SLO_EVENTS.name, (objective.name, account, schedule, "good")),
                    bad=(SLO_EVENTS.name, (objective.name, account, schedule, "bad")),
                    threshold=objective.threshold or 0.0,
                )
                for objective in self._objectives
                if objective.type == type_ and objective.matches(schedule)
            )

        return _MatchingObjectives(of("success"), of("latency"), of("freshness"))
