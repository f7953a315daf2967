"""The durable counters and histograms as they stand, in memory: plan a change, and adopt it once it is on disk.

It must not know where the changes come from, nor how they are stored.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from runtype_exporter import catalogue
from runtype_exporter.model import Delta, Exemplar, HistogramValue, LabelValues, Observation, Sample, Series, Snapshot

EXEMPLAR_CHARACTERS = 128
"""An exemplar's label names and values together may have no more (OpenMetrics 1.0)."""

Samples = dict[Series, Sample]


class Totals:
    """Every durable series, and which of them changed since the last snapshot."""

    def __init__(self, samples: Samples, boundaries: Mapping[str, tuple[float, ...]]) -> None:
        self._samples = samples
        self._boundaries = dict(boundaries)
        self._changed = set(samples)
        self._version = 0

    @property
    def boundaries(self) -> Mapping[str, tuple[float, ...]]:
        """Each histogram's bounds, ascending, without infinity."""
        return self._boundaries

    def plan(self, delta: Delta, now: float) -> Samples:
        """The samples that a delta makes new or different; nothing is changed yet.

        Raises:
            ValueError: an increment is negative, or a series is none that the catalogue gives to the ledger.
        """
        planned: Samples = {}
        for series, step in delta.increments.items():
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
        """Every series of the histograms whose bounds differ from these, at zero; nothing is changed yet."""
        changed = {metric for metric, bounds in boundaries.items() if bounds != self._boundaries.get(metric)}
        return {
            series: Sample(HistogramValue(boundaries[series[0]], (0,) * (len(boundaries[series[0]]) + 1), 0.0), now)
            for series in self._samples
            if series[0] in changed
        }

    def adopt(self, planned: Samples, boundaries: Mapping[str, tuple[float, ...]] | None = None) -> None:
        """Make a plan the truth, and these boundaries those of every histogram from now on."""
        self._boundaries.update(boundaries or {})
        self._samples.update(planned)
        self._changed.update(planned)

    def snapshot(self) -> Snapshot:
        """The series that changed since the snapshot before; the first time all."""
        self._version += 1
        families: dict[str, dict[LabelValues, Sample | None]] = {}
        for series in self._changed:
            families.setdefault(series[0], {})[series[1]] = self._samples[series]
        self._changed = set()
        return Snapshot(self._version, families)

    def _empty(self, metric: str) -> HistogramValue:
        bounds = self._boundaries[metric]
        return HistogramValue(bounds, (0,) * (len(bounds) + 1), 0.0)


def _check(series: Series, kind: catalogue.MetricType) -> None:
    name, labels = series
    metric = catalogue.BY_NAME.get(name)
    if metric is None or metric.owner != "ledger" or metric.type != kind or len(metric.labels) != len(labels):
        raise ValueError(f"{name}: not a {kind} of the ledger with {len(labels)} labels")


def _number(sample: Sample) -> float:
    if isinstance(sample.value, HistogramValue):
        raise ValueError("a histogram cannot be incremented")  # noqa: TRY004  # as for any series that is no counter
    return sample.value


def _histogram(sample: Sample) -> HistogramValue:
    if not isinstance(sample.value, HistogramValue):
        raise ValueError("a counter cannot observe")  # noqa: TRY004  # as for any series that is no histogram
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
    exemplars = {bucket: exemplar for bucket, last in newest.items() if (exemplar := _exemplar(last)) is not None}
    return HistogramValue(bounds, tuple(counts), total, {**before.exemplars, **exemplars})


def _exemplar(observation: Observation) -> Exemplar | None:
    ids = {"batch_id": observation.batch, "record_id": observation.record}
    labels = {name: value for name, value in ids.items() if value}
    if not labels or sum(len(name) + len(value) for name, value in labels.items()) > EXEMPLAR_CHARACTERS:
        return None
    return Exemplar(labels, observation.value, observation.at)
