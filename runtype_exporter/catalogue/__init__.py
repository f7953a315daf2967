"""One declaration a metric: name, type, help, labels, owner, stability.

Rendering, the ledger, the docs, rules and dashboards take what they know of a metric from here or
are checked against it. Owners: `ledger` (durable: survives restarts), `snapshot` (gauges of the last
complete picture), `process` (reset with the process).
"""

# ruff: noqa: F403, F405 - every declaration is public; to list them here would declare each twice

from __future__ import annotations

from runtype_exporter.catalogue import durable, gauges, process
from runtype_exporter.catalogue.durable import *
from runtype_exporter.catalogue.gauges import *
from runtype_exporter.catalogue.metric import *
from runtype_exporter.catalogue.process import *

CATALOGUE: tuple[Metric, ...] = tuple(
    value
    for module in (durable, gauges, process)
    for value in vars(module).values()
    if isinstance(value, Metric)
)
"""Every metric, in the order of the exposition."""

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in CATALOGUE}


def boundaries(latency: tuple[float, ...] = LATENCY_BUCKETS) -> dict[str, tuple[float, ...]]:
    """The ledger's histograms and their boundaries in seconds, record latencies with the configured ones."""
    return {
        metric.name: latency if metric is RECORD_LATENCY else metric.buckets
        for metric in CATALOGUE
        if metric.type == "histogram" and metric.owner == "ledger"
    }
