"""The metrics: name, type, help, labels, owner and stability of each, declared once.

Rendering, the ledger, the docs, rules and dashboards are made from these declarations or checked
against them. Owners: `ledger` (durable: survives restarts), `snapshot` (gauges set from the last
complete read), `process` (starts at 0 with the process).
"""

# Every declaration is public; to list them here would declare each twice.
# ruff: noqa: F403, F405

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
    """Return the boundaries of the ledger's histograms by metric name, in seconds.

    `latency` are those of record latencies, which can be configured.
    """
    return {
        metric.name: latency if metric is RECORD_LATENCY else metric.buckets
        for metric in CATALOGUE
        if metric.type == "histogram" and metric.owner == "ledger"
    }
