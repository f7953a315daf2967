"""Service level objectives: which events a delta makes, and whether each is good or bad.

Pure values without the configuration's library.

It must not know how anything was counted, read or stored: what is judged are the very increments
that the totals get, so that events and counters cannot disagree.
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

_RESULTS: dict[str, Verdict] = {"success": "good", "failure": "bad", "unknown": "bad"}
"""How a success objective judges outcomes; a cancelled record is no event."""
_SHELF = 4096
"""Pairs of an account and a schedule whose objectives are kept at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One objective's definition of its events.

    `schedule` is a glob on schedules' labels; ad-hoc batches ("") match "" alone.

    `threshold` (of latency) and `max_delay` (of freshness) in seconds.
    """

    name: str
    type: Literal["success", "latency", "freshness"]
    schedule: str = "*"
    threshold: float | None = None
    max_delay: float | None = None

    def matches(self, schedule: str) -> bool:
        """Whether the events of a schedule's label are this objective's."""
        if not schedule or not self.schedule:
            return schedule == self.schedule
        return fnmatchcase(schedule, self.schedule)


@dataclass(frozen=True, slots=True)
class _Events:
    """One objective's two series for one account and schedule."""

    good: Series
    bad: Series
    threshold: float


@dataclass(frozen=True, slots=True)
class _Matching:
    success: tuple[_Events, ...]
    latency: tuple[_Events, ...]
    freshness: tuple[_Events, ...]


class Objectives:
    """All objectives in force. What it is asked about changes nothing in it."""

    def __init__(self, objectives: Sequence[Objective] = ()) -> None:
        self._objectives = tuple(objectives)
        self._matching: Callable[[str, str], _Matching] = lru_cache(maxsize=_SHELF)(self._match)

    def max_delay(self, schedule: str) -> float | None:
        """The strictest delay that a start of this schedule may have, seconds.

        None where no objective says.
        """
        delays = (
            objective.max_delay
            for objective in self._objectives
            if objective.type == "freshness" and objective.matches(schedule)
        )
        return min((delay for delay in delays if delay is not None), default=None)

    def events(self, delta: Delta) -> dict[Series, float]:
        """What a delta adds to the events of the objectives that match.

        A delta that makes a counter exist (an increment of 0) makes its events exist, so that their
        increase is seen from the first.
        """
        events: dict[Series, float] = {}
        if not self._objectives:
            return events
        for (metric, labels), step in delta.increments.items():
            if metric == RECORDS_FINISHED.name:
                self._add(events, self._of(labels).success, _RESULTS.get(labels[-1]), step)
            elif metric == RECORDS_ABANDONED.name:
                self._add(events, self._of(labels).success, "bad", step)
            elif metric == SCHEDULE_STARTS.name:
                self._add(
                    events,
                    self._of(labels).freshness,
                    "good" if labels[-1] == "on_time" else "bad",
                    step,
                )
        for (metric, labels), observations in delta.observations.items():
            if metric == RECORD_LATENCY.name and labels[-1] == "success":
                for series in self._of(labels).latency:
                    threshold = series.threshold
                    good = sum(observation[0] <= threshold for observation in observations)
                    events[series.good] = events.get(series.good, 0.0) + good
                    events[series.bad] = events.get(series.bad, 0.0) + len(observations) - good
        return events

    @staticmethod
    def _add(
        events: dict[Series, float],
        matching: Sequence[_Events],
        verdict: Verdict | None,
        step: float,
    ) -> None:
        for series in matching:
            for result, key in (("good", series.good), ("bad", series.bad)):
                events[key] = events.get(key, 0.0) + (step if result == verdict else 0.0)

    def _of(self, labels: LabelValues) -> _Matching:
        return self._matching(labels[0], labels[1])

    def _match(self, account: str, schedule: str) -> _Matching:
        def of(type_: str) -> tuple[_Events, ...]:
            return tuple(
                _Events(
                    good=(SLO_EVENTS.name, (objective.name, account, schedule, "good")),
                    bad=(SLO_EVENTS.name, (objective.name, account, schedule, "bad")),
                    threshold=objective.threshold or 0.0,
                )
                for objective in self._objectives
                if objective.type == type_ and objective.matches(schedule)
            )

        return _Matching(of("success"), of("latency"), of("freshness"))
