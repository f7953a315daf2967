"""The publication gate: durable series start where Prometheus can see them start.

Prometheus loses what a series gained before its first sample, so a new one shows 0 and a restored
one its old value until a scrape has been served with it. It decides what is shown and must not know
how it is rendered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from runtype_exporter.model import HistogramValue, LabelValues, Sample, Series, Snapshot

PATIENCE = 120.0
"""Seconds after which a series is let through although nobody scraped it."""

Change = tuple[str, LabelValues, Sample | None]
"""A metric's name, label values, and what to show of that series (None: nothing)."""


@dataclass(frozen=True, slots=True)
class _Cohort:
    """The series that one version showed first."""

    version: int
    at: float
    series: list[Series] = field(default_factory=list)


@dataclass(slots=True)
class _Hold:
    cohort: _Cohort
    sample: Sample


class FirstScrapeGate:
    """Holds back what series gained before their first sample was served.

    One that is `open` holds nothing back.

    Gauges pass: they have no beginning.
    """

    def __init__(self, *, open_: bool = False) -> None:
        self._open = open_
        self._began: dict[Series, float] = {}
        self._holds: dict[Series, _Hold] = {}
        self._cohorts: deque[_Cohort] = deque()
        self._served = -1
        self._first = True

    def hold(self, snapshot: Snapshot, version: int, now: float) -> Iterator[Change]:
        """What to show of the series that changed.

        `version` is that of the exposition which will show it.
        """
        restored, self._first = self._first, False
        cohort = _Cohort(version, now)
        for name, family in snapshot.families.items():
            for labels, sample in family.items():
                shown = (
                    sample
                    if self._open
                    else self._pass((name, labels), sample, cohort, restored=restored)
                )
                if shown is not None or sample is None:
                    yield name, labels, shown
        if cohort.series:
            self._cohorts.append(cohort)

    def served(self, version: int) -> None:
        """A scrape got an exposition whole."""
        self._served = max(self._served, version)

    def release(self, now: float) -> Iterator[Change]:
        """What to show of the series whose time has come."""
        while self._cohorts:
            cohort = self._cohorts[0]
            # One from ahead of now is from before the clock was set back: it has waited nobody
            # knows how long.
            if cohort.version > self._served and 0 <= now - cohort.at < PATIENCE:
                break
            self._cohorts.popleft()
            for series in cohort.series:
                hold = self._holds.get(series)
                if hold is not None and hold.cohort is cohort:
                    del self._holds[series]
                    yield *series, hold.sample

    def _pass(
        self, series: Series, sample: Sample | None, cohort: _Cohort, *, restored: bool
    ) -> Sample | None:
        """What to show of one series; None where that stays as it is (or the series ended)."""
        if sample is None:
            self._began.pop(series, None)
            self._holds.pop(series, None)
            return None
        if sample.created is None:
            return sample
        if self._began.get(series) != sample.created:  # new, or begun anew at 0
            self._began[series] = sample.created
            self._holds[series] = _Hold(cohort, sample)
            cohort.series.append(series)
            return sample if restored else _zero(sample)
        hold = self._holds.get(series)
        if hold is None:
            return sample
        hold.sample = sample
        return None


def _zero(sample: Sample) -> Sample:
    value = sample.value
    if isinstance(value, HistogramValue):
        return replace(sample, value=HistogramValue(value.bounds, (0,) * len(value.counts), 0.0))
    return replace(sample, value=0.0)
