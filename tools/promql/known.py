"""The known metrics: the catalogue, some metrics of other programs, and what rules record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from runtype_exporter.catalogue import CATALOGUE
from tools.promql.labels import Labels, Values

TARGET = ("job", "instance", "namespace", "pod", "container", "service", "endpoint", "cluster")
"""The labels that a scrape adds to every series. `job` and `instance` are always added, the others
in Kubernetes."""

Kind = Literal["counter", "gauge", "unknown"]

_OTHER_PROGRAMS: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "up": ("gauge", ()),
    "scrape_duration_seconds": ("gauge", ()),
    "scrape_samples_scraped": ("gauge", ()),
    "scrape_samples_post_metric_relabeling": ("gauge", ()),
    "scrape_series_added": ("gauge", ()),
    "process_cpu_seconds_total": ("counter", ()),
    "process_resident_memory_bytes": ("gauge", ()),
    "process_virtual_memory_bytes": ("gauge", ()),
    "process_start_time_seconds": ("gauge", ()),
    "process_open_fds": ("gauge", ()),
    "process_max_fds": ("gauge", ()),
    "python_info": ("gauge", ("implementation", "major", "minor", "patchlevel", "version")),
    "python_gc_objects_collected_total": ("counter", ("generation",)),
    "python_gc_objects_uncollectable_total": ("counter", ("generation",)),
    "python_gc_collections_total": ("counter", ("generation",)),
    "prometheus_build_info": (
        "gauge",
        ("branch", "goarch", "goos", "goversion", "revision", "tags", "version"),
    ),
    "prometheus_tsdb_lowest_timestamp_seconds": ("gauge", ()),
    "prometheus_tsdb_lowest_timestamp": ("gauge", ()),
    "prometheus_tsdb_retention_limit_seconds": ("gauge", ()),
    "prometheus_tsdb_retention_limit_bytes": ("gauge", ()),
    "prometheus_tsdb_time_retentions_total": ("counter", ()),
    "prometheus_tsdb_size_retentions_total": ("counter", ()),
    "prometheus_rule_evaluation_failures_total": ("counter", ("rule_group",)),
    "prometheus_rule_group_iterations_missed_total": ("counter", ("rule_group",)),
    "prometheus_rule_group_last_duration_seconds": ("gauge", ("rule_group",)),
    "prometheus_rule_group_interval_seconds": ("gauge", ("rule_group",)),
    "prometheus_notifications_dropped_total": ("counter", ()),
    "prometheus_notifications_alertmanagers_discovered": ("gauge", ()),
}
"""Metrics of other programs that rules and dashboards may use, with their labels (without those of
the target)."""


@dataclass(frozen=True, slots=True)
class KnownMetrics:
    """The labels and the kind of each known series.

    `histograms` are the names without suffix, which are no series.
    """

    series: Mapping[str, Labels]
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    histograms: frozenset[str] = frozenset()

    def labels(self, name: str) -> Labels | None:
        """Return the labels of a name. None if there is no such series."""
        return self.series.get(name)

    def kind(self, name: str) -> Kind:
        """Return whether the series is a counter or a gauge, if known."""
        return self.kinds.get(name, "unknown")

    def matching(self, pattern: str) -> list[str]:
        """Return the names that a regular expression matches completely."""
        return [name for name in self.series if re.fullmatch(pattern, name)]

    def recorded(self, name: str, labels: Labels) -> KnownMetrics:
        """Return a copy with a recorded series. Several rules may record one name."""
        before = self.series.get(name)
        return KnownMetrics(
            {**self.series, name: before.union(labels) if before else labels},
            self.kinds,
            self.histograms,
        )

    def alerting(self, alerts: Labels) -> KnownMetrics:
        """Return a copy with the series that Prometheus writes for alerts with these labels."""
        states: dict[str, Values] = {"alertstate": frozenset({"pending", "firing"})}
        own = {"ALERTS": alerts.add(states), "ALERTS_FOR_STATE": alerts}
        return KnownMetrics({**self.series, **own}, self.kinds, self.histograms)


def known_metrics() -> KnownMetrics:
    """Return what exists before any rule records."""
    series = {
        name: (kind, labels) for name, kind, labels in [*_from_catalogue(), *_from_other_programs()]
    }
    return KnownMetrics(
        {name: labels for name, (_, labels) in series.items()},
        {name: kind for name, (kind, _) in series.items()},
        frozenset(metric.name for metric in CATALOGUE if metric.type == "histogram"),
    )


def metric_of(series: str) -> str:
    """Return the name of a series in the catalogue: histograms have no suffix there."""
    base = re.sub(r"_(bucket|sum|count)$", "", series)
    return (
        base
        if any(metric.name == base and metric.type == "histogram" for metric in CATALOGUE)
        else series
    )


def _from_catalogue() -> Iterator[tuple[str, Kind, Labels]]:
    for metric in CATALOGUE:
        closed: dict[str, Values] = {label: frozenset(values) for label, values in metric.values}
        labels = Labels.of(*metric.labels, *TARGET).add(closed)
        if metric.type == "histogram":
            yield f"{metric.name}_bucket", "counter", labels.add({"le": None})
            yield f"{metric.name}_sum", "counter", labels
            yield f"{metric.name}_count", "counter", labels
        else:
            yield metric.name, metric.type, labels


def _from_other_programs() -> Iterator[tuple[str, Kind, Labels]]:
    for name, (kind, labels) in _OTHER_PROGRAMS.items():
        yield name, kind, Labels.of(*labels, *TARGET)
    # Each alert has its own labels.
    for name in ("ALERTS", "ALERTS_FOR_STATE"):
        yield name, "gauge", Labels.of("alertname", "alertstate", "severity", *TARGET, open_=True)
