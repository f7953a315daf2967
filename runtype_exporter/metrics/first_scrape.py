"""Hold back the values of new series until Prometheus has scraped their first sample.

Prometheus takes the first sample of a series as its start: what was counted before is lost to
`increase()`. So a new series shows 0, and a restored one its old value, until a scrape has been
served with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from runtype_exporter.model import HistogramValue, LabelValues, Sample, Series, Snapshot

PATIENCE = 120.0
"""Seconds after which a series is released although it was never scraped."""

Change = tuple[str, LabelValues, Sample | None]
"""A metric's name, label values, and what to show of that series (None: nothing)."""


@dataclass(frozen=True, slots=True)
class _Cohort:
    """The series that were first shown by one version."""

    version: int
    at: float
    series: list[Series] = field(default_factory=list)


@dataclass(slots=True)
class _Hold:
    cohort: _Cohort
    sample: Sample


class FirstScrapeGate:
    """Holds back what series gained before their first sample was served.

    With `open_` it holds nothing back. Gauges always pass.
    """

    def __init__(self, *, open_: bool = False) -> None:
        self._open = open_
        self._began: dict[Series, float] = {}
        self._holds: dict[Series, _Hold] = {}
        self._cohorts: deque[_Cohort] = deque()
        self._served = -1
        self._first = True

    def hold(self, snapshot: Snapshot, version: int, now: float) -> Iterator[Change]:
        """Yield the changes of a snapshot that may be shown now, and hold back the others.

        `version` is that of the exposition which will show them.
        """
        restored, self._first = self._first, False
        cohort = _Cohort(version, now)
        for name, family in snapshot.families.items():
            for labels, sample in family.items():
                shown = (
                    sample
                    if self._open
                    else self._sample_now((name, labels), sample, cohort, restored=restored)
                )
                if shown is not None or sample is None:
                    yield name, labels, shown
        if cohort.series:
            self._cohorts.append(cohort)

    def served(self, version: int) -> None:
        """Record that a scrape got this version completely."""
        self._served = max(self._served, version)

    def release(self, now: float) -> Iterator[Change]:
        """Yield what was held back and may be shown now."""
        while self._cohorts:
            cohort = self._cohorts[0]
            # A cohort from the future is from before the clock was set back. How long it has
            # waited is unknown, so it is released.
            if cohort.version > self._served and 0 <= now - cohort.at < PATIENCE:
                break
            self._cohorts.popleft()
            for series in cohort.series:
                hold = self._holds.get(series)
                if hold is not None and hold.cohort is cohort:
                    del self._holds[series]
                    yield *series, hold.sample

    def _sample_now(
        self, series: Series, sample: Sample | None, cohort: _Cohort, *, restored: bool
    ) -> Sample | None:
        """Return what to show of one series now.

        None means no change, or that the series ended.
        """
        if sample is None:
            self._began.pop(series, None)
            self._holds.pop(series, None)
            return None
        if sample.created is None:
            return sample
        # It is new, or was started again at 0.
        if self._began.get(series) != sample.created:
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
