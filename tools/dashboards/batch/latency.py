"""The *Batch* dashboard's section "Latency"."""

from __future__ import annotations

from tools.dashboards.batch.expressions import LATENCY, duration
from tools.dashboards.field_config import BLUE, seconds
from tools.dashboards.latency import latency_quantiles
from tools.dashboards.layout import Section, even_row, row, section
from tools.dashboards.panels import Panel, heatmap, ranking
from tools.dashboards.queries import (
    buckets_per_bar,
    highest,
    increase_in_range,
    instant_query,
    name_ad_hoc,
    quantile,
    range_query,
)


def latency_section() -> Section:
    """Return the section."""
    return section(
        "Latency",
        row(9, (14, _latency()), (10, _quantiles())),
        even_row(8, _slowest_flows(), _longest_batches()),
    )


def _latency() -> Panel:
    return heatmap(
        "Latency of records",
        "Records that succeeded, by the time from their creation to their success. The dots are"
        " exemplars: single records, with the ids of record and batch.",
        range_query(buckets_per_bar(LATENCY), "{{le}}", exemplar=True),
        seconds("No records", base=BLUE),
    )


def _quantiles() -> Panel:
    return latency_quantiles(
        "Latency quantiles",
        "Half of the records are faster than p50, nine of ten than p90, 99 of 100 than p99.",
        LATENCY,
    )


def _slowest_flows() -> Panel:
    p90 = name_ad_hoc(quantile(0.9, increase_in_range(LATENCY), "schedule, flow"))
    return ranking(
        "Slowest flows",
        "The six flows with the highest p90 of record latency over the time range, successes only.",
        instant_query(highest(6, p90), "{{schedule}}: {{flow}}"),
        seconds("No records", low=0, base=BLUE),
    )


def _longest_batches() -> Panel:
    return ranking(
        "Longest batches",
        "The six batches shown that took longest, or have been at work for longest.",
        instant_query(highest(6, f"max by (batch) ({duration()})"), "{{batch}}"),
        seconds("No batch", low=0, base=BLUE),
    )
