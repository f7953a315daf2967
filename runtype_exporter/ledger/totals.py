"""The durable counters and histograms, in memory.

A change is planned first, and applied once it is on disk.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping

from runtype_exporter import catalogue
from runtype_exporter.model import (
    Delta,
    Exemplar,
    HistogramValue,
    LabelValues,
    Observation,
    Sample,
    Series,
    Snapshot,
)
from runtype_exporter.objectives import Objectives

EXEMPLAR_CHARACTERS = 128
"""An exemplar's label names and values together may have no more (OpenMetrics 1.0)."""

Samples = dict[Series, Sample]


class Totals:
    """Every durable series, and which of them changed since the last snapshot."""

    def __init__(
        self,
        samples: Samples,
        boundaries: Mapping[str, tuple[float, ...]],
        changed_at: Mapping[Series, float],
    ) -> None:
        self._samples = samples
        self._boundaries = dict(boundaries)
        self._changed_at = dict(changed_at)
        self._changed = set(samples)
        self._lines = sum(map(_lines, samples.values()))
        self._version = 0
        self.objectives = Objectives()

    @property
    def boundaries(self) -> Mapping[str, tuple[float, ...]]:
        """Each histogram's bounds, ascending, without infinity."""
        return self._boundaries

    @property
    def lines(self) -> int:
        """The lines of all series in OpenMetrics, the longer of the two formats."""
        return self._lines

    def __contains__(self, series: object) -> bool:
        """Return whether the series exists."""
        return series in self._samples

    def plan(self, delta: Delta, now: float) -> Samples:
        """Return the samples that a delta, and the objectives' events in it, add or replace.

        Change nothing: `apply` does.

        Raises:
            ValueError: an increment is negative, or the catalogue does not give a series to the
                ledger.
        """
        planned: Samples = {}
        for series, step in (*delta.increments.items(), *self.objectives.events(delta).items()):
            before = self._samples.get(series)
            if before is None:
                _check(series, "counter")
                before = Sample(0.0, now)
            elif not step:
                continue
            if step < 0:
                raise ValueError(f"{series[0]}: a counter cannot go down")
            planned[series] = Sample(_number(before) + step, before.created)
        for series, observations in delta.observations.items():
            before = self._samples.get(series)
            if before is None:
                _check(series, "histogram")
                before = Sample(self._empty(series[0]), now)
            elif not observations:
                continue
            planned[series] = Sample(_observe(_histogram(before), observations), before.created)
        return planned

    def restart(self, boundaries: Mapping[str, tuple[float, ...]], now: float) -> Samples:
        """Return every series of the histograms whose bounds differ from these, at zero.

        Change nothing: `apply` does.
        """
        changed = {
            metric
            for metric, bounds in boundaries.items()
            if bounds != self._boundaries.get(metric)
        }
        return {
            series: Sample(
                HistogramValue(boundaries[series[0]], (0,) * (len(boundaries[series[0]]) + 1), 0.0),
                now,
            )
            for series in self._samples
            if series[0] in changed
        }

    def apply(
        self,
        planned: Samples,
        now: float,
        boundaries: Mapping[str, tuple[float, ...]] | None = None,
    ) -> None:
        """Replace the planned samples, and use these boundaries of histograms from now on."""
        self._boundaries.update(boundaries or {})
        for series, sample in planned.items():
            before = self._samples.get(series)
            self._lines += _lines(sample) - (0 if before is None else _lines(before))
        self._samples.update(planned)
        self._changed.update(planned)
        self._changed_at.update(dict.fromkeys(planned, now))

    def stale(self, account: str, schedules: Collection[str], before: float) -> list[Series]:
        """Return an account's series of other schedules than these, unchanged since `before`.

        `schedules` are labels, `before` is in seconds since the Unix epoch.
        """
        return [
            series
            for series, at in self._changed_at.items()
            if at < before
            and (schedule := label(series, "schedule")) is not None
            and schedule not in schedules
            and label(series, "account") == account
        ]

    def used(self, account: str, name: str, *, but: Collection[Series]) -> set[str]:
        """Return the values of a label in an account's series, without the series in `but`."""
        return {
            value
            for series in self._samples.keys() - but
            if (value := label(series, name)) is not None and label(series, "account") == account
        }

    def end(self, ended: Collection[Series]) -> None:
        """Remove series. The next snapshot shows that they ended."""
        for series in ended:
            self._lines -= _lines(self._samples.pop(series))
            del self._changed_at[series]
        self._changed.update(ended)

    def snapshot(self) -> Snapshot:
        """Return the series that changed since the last snapshot; the first time all."""
        self._version += 1
        families: dict[str, dict[LabelValues, Sample | None]] = {}
        for series in self._changed:
            families.setdefault(series[0], {})[series[1]] = self._samples.get(series)
        self._changed = set()
        return Snapshot(self._version, families)

    def _empty(self, metric: str) -> HistogramValue:
        bounds = self._boundaries[metric]
        return HistogramValue(bounds, (0,) * (len(bounds) + 1), 0.0)


def label(series: Series, name: str) -> str | None:
    """Return the value of one of a series' labels, None if its metric has no such label."""
    names = catalogue.BY_NAME[series[0]].labels
    return series[1][names.index(name)] if name in names else None


def _lines(sample: Sample) -> int:
    """Return the lines of a sample in OpenMetrics.

    A counter has its value and `_created`; a histogram its buckets, count, sum and `_created`.
    """
    return len(sample.value.counts) + 3 if isinstance(sample.value, HistogramValue) else 2


def _check(series: Series, kind: catalogue.MetricType) -> None:
    name, labels = series
    metric = catalogue.BY_NAME.get(name)
    if (
        metric is None
        or metric.owner != "ledger"
        or metric.type != kind
        or len(metric.labels) != len(labels)
    ):
        raise ValueError(f"{name}: not a {kind} of the ledger with {len(labels)} labels")


def _number(sample: Sample) -> float:
    if isinstance(sample.value, HistogramValue):
        # As for any series that is no counter.
        raise ValueError("a histogram cannot be incremented")  # noqa: TRY004
    return sample.value


def _histogram(sample: Sample) -> HistogramValue:
    if not isinstance(sample.value, HistogramValue):
        # As for any series that is no histogram.
        raise ValueError("a counter cannot observe")  # noqa: TRY004
    return sample.value


def _observe(before: HistogramValue, observations: list[Observation]) -> HistogramValue:
    bounds = before.bounds
    counts = list(before.counts)
    total = before.sum
    newest: dict[int, Observation] = {}
    for observation in observations:
        value = observation[0]
        bucket = bisect_left(bounds, value)
        counts[bucket] += 1
        total += value
        newest[bucket] = observation
    exemplars = {
        bucket: exemplar
        for bucket, last in newest.items()
        if (exemplar := _exemplar(last)) is not None
    }
    return HistogramValue(bounds, tuple(counts), total, {**before.exemplars, **exemplars})


def _exemplar(observation: Observation) -> Exemplar | None:
    ids = {"batch_id": observation.batch, "record_id": observation.record}
    labels = {name: value for name, value in ids.items() if value}
    if (
        not labels
        or sum(len(name) + len(value) for name, value in labels.items()) > EXEMPLAR_CHARACTERS
    ):
        return None
    return Exemplar(labels, observation.value, observation.at)
