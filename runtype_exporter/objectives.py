"""Service level objectives: the good and bad events that a delta of counters contains.

Events are derived from the same increments that the totals get. So events and counters cannot
disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal, assert_never

from runtype_exporter.catalogue import (
    RECORD_LATENCY,
    RECORDS_ABANDONED,
    RECORDS_FINISHED,
    SCHEDULE_STARTS,
    SLO_EVENTS,
    Metric,
    series,
)
from runtype_exporter.model import (
    OUTCOMES,
    START_RESULTS,
    Delta,
    LabelValues,
    Observation,
    Outcome,
    Series,
    StartResult,
)

Verdict = Literal["good", "bad"]

_CACHE_SIZE = 4096
"""The number of (account, schedule) pairs whose matching objectives are cached."""


def record_verdict(outcome: Outcome) -> Verdict | None:
    """Return what a finished record is for a success objective. None: it is not an event."""
    match outcome:
        case "success":
            return "good"
        case "failure" | "unknown":
            return "bad"
        case "cancelled":
            return None
        case _:
            assert_never(outcome)


def start_verdict(result: StartResult) -> Verdict:
    """Return what a due start is for a freshness objective."""
    match result:
        case "on_time":
            return "good"
        case "late" | "missed" | "failed":
            return "bad"
        case _:
            assert_never(result)


_RECORD_VERDICTS: Mapping[str, Verdict | None] = {
    outcome: record_verdict(outcome) for outcome in OUTCOMES
}
_START_VERDICTS: Mapping[str, Verdict] = {result: start_verdict(result) for result in START_RESULTS}


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
        for (metric, values), step in delta.increments.items():
            if metric == RECORDS_FINISHED.name:
                labels = _named(RECORDS_FINISHED, values)
                verdict = _RECORD_VERDICTS[labels["outcome"]]
                self._add(events, self._objectives_of(labels).success, verdict, step)
            elif metric == RECORDS_ABANDONED.name:
                labels = _named(RECORDS_ABANDONED, values)
                self._add(events, self._objectives_of(labels).success, "bad", step)
            elif metric == SCHEDULE_STARTS.name:
                labels = _named(SCHEDULE_STARTS, values)
                verdict = _START_VERDICTS[labels["result"]]
                self._add(events, self._objectives_of(labels).freshness, verdict, step)
        for (metric, values), observations in delta.observations.items():
            if metric == RECORD_LATENCY.name:
                labels = _named(RECORD_LATENCY, values)
                if labels["outcome"] == "success":
                    self._add_latencies(events, self._objectives_of(labels).latency, observations)
        return events

    @staticmethod
    def _add_latencies(
        events: dict[Series, float],
        matching: Sequence[_EventSeries],
        observations: Sequence[Observation],
    ) -> None:
        for event in matching:
            good = sum(observation.value <= event.threshold for observation in observations)
            events[event.good] = events.get(event.good, 0.0) + good
            events[event.bad] = events.get(event.bad, 0.0) + len(observations) - good

    @staticmethod
    def _add(
        events: dict[Series, float],
        matching: Sequence[_EventSeries],
        verdict: Verdict | None,
        step: float,
    ) -> None:
        for event in matching:
            for result, key in (("good", event.good), ("bad", event.bad)):
                events[key] = events.get(key, 0.0) + (step if result == verdict else 0.0)

    def _objectives_of(self, labels: Mapping[str, str]) -> _MatchingObjectives:
        return self._matching(labels["account"], labels["schedule"])

    def _match(self, account: str, schedule: str) -> _MatchingObjectives:
        of_schedule = {"account": account, "schedule": schedule}

        def of(type_: str) -> tuple[_EventSeries, ...]:
            return tuple(
                _EventSeries(
                    good=series(SLO_EVENTS, slo=objective.name, **of_schedule, result="good"),
                    bad=series(SLO_EVENTS, slo=objective.name, **of_schedule, result="bad"),
                    threshold=objective.threshold or 0.0,
                )
                for objective in self._objectives
                if objective.type == type_ and objective.matches(schedule)
            )

        return _MatchingObjectives(of("success"), of("latency"), of("freshness"))


def _named(metric: Metric, values: LabelValues) -> dict[str, str]:
    """Return the label values of a series by the names of the labels."""
    return dict(zip(metric.labels, values, strict=True))
