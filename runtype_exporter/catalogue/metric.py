"""The declaration of a metric, and bucket boundaries and label values that several share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runtype_exporter.model import Series

MetricType = Literal["counter", "gauge", "histogram"]
Owner = Literal["ledger", "snapshot", "process"]
Stability = Literal["stable", "experimental"]
Values = tuple[tuple[str, tuple[str, ...]], ...]

LATENCY_BUCKETS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""The default boundaries of record latencies, in seconds. `metrics.latency_buckets` of the
configuration replaces them."""
DURATION_BUCKETS = (
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
    7200.0,
    14400.0,
    28800.0,
    86400.0,
)
LAG_BUCKETS = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
POLL_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
COMMIT_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)

USAGE_PERIODS = ("daily", "monthly")
TIME_SOURCES = ("date", "local")
"""Where an account's time comes from: the API's `Date` header, or the clock of the machine."""
REJECTED_REASONS = ("identity", "status", "count", "type")
"""What is wrong with a row of an answer: the first of these that applies."""
TIMESTAMP_FAULTS = ("missing", "unparseable", "negative")

BATCH_LABELS = ("account", "schedule", "flow", "batch")
FLOW_LABELS = ("account", "schedule", "flow")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, with its name in the text format 0.0.4 (counters end in `_total`).

    `buckets` are a histogram's default boundaries in seconds. `values` has the closed set of a
    label's values, where there is one.
    """

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...]
    owner: Owner
    stability: Stability = "stable"
    buckets: tuple[float, ...] = ()
    values: Values = ()


def series(metric: Metric, **labels: str) -> Series:
    """Return one series of a metric, by the names of its labels.

    Raises:
        ValueError: a label is missing or unknown, or a value is not in the label's closed set.
    """
    if labels.keys() != set(metric.labels):
        raise ValueError(f"{metric.name} has the labels {metric.labels}, not {tuple(labels)}")
    for name, allowed in metric.values:
        if labels[name] not in allowed:
            raise ValueError(f"{metric.name}: {name} is one of {allowed}, not {labels[name]!r}")
    return metric.name, tuple(labels[name] for name in metric.labels)
