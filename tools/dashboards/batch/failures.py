"""The *Batch* dashboard's section "Failures"."""

from __future__ import annotations

from runtype_exporter.rules.outcomes import BAD_RECORDS, JUDGED_RECORDS
from tools.dashboards.batch.expressions import CHOSEN, RECORDS
from tools.dashboards.field_config import GREEN, ORANGE, OUTCOMES, number, percent
from tools.dashboards.layout import Section, even_row, section
from tools.dashboards.panels import Panel, bars, lines
from tools.dashboards.queries import (
    name_ad_hoc,
    per_bar,
    per_second,
    range_query,
    selector,
    share,
    total_per_bar,
    zero_when_empty,
)


def failures_section() -> Section:
    """Return the section."""
    return section(
        "Failures",
        even_row(8, _failed_records(), _failing_share()),
        even_row(7, _closed_batches(), _anomalies()),
    )


def _failed_records() -> Panel:
    failures = per_bar(selector(RECORDS, *CHOSEN, BAD_RECORDS), "schedule, flow")
    return bars(
        "Failed records",
        "Failures and results of unknown outcome, as they were counted.",
        [
            range_query(name_ad_hoc(failures), "{{schedule}}: {{flow}}"),
            zero_when_empty("no failures", failures),
        ],
        number("No failures", low=0, palette=True),
        table=True,
    )


def _failing_share() -> Panel:
    bad = f"sum by (schedule) ({per_second(selector(RECORDS, *CHOSEN, BAD_RECORDS))})"
    every = f"sum by (schedule) ({per_second(selector(RECORDS, *CHOSEN, JUDGED_RECORDS))})"
    return lines(
        "Failing share",
        "Failed records by all records, cancelled ones left out, in the window of each point.",
        [range_query(name_ad_hoc(share(bad, every)), "{{schedule}}")],
        percent("No records", low=0, palette=True),
        calcs=["lastNotNull", "max"],
        table=True,
        interval="1m",
        custom={"drawStyle": "points", "pointSize": 6},
    )


def _closed_batches() -> Panel:
    closed = selector("runtype_batches_finished_total", *CHOSEN)
    return bars(
        "Batches closed by outcome",
        "Batches that ended with every record accounted for. Those given up are not among them.",
        [range_query(per_bar(closed, "outcome"), "{{outcome}}")],
        number("No batch closed", low=0, colours=OUTCOMES),
    )


def _anomalies() -> Panel:
    counts = {
        legend: total_per_bar(selector(metric, *CHOSEN))
        for legend, metric in {
            "abandoned": "runtype_records_abandoned_total",
            "outcome changed": "runtype_record_outcome_changes_total",
            "changed after the close": "runtype_batch_late_changes_total",
        }.items()
    }
    return bars(
        "What did not add up",
        "Records of closed batches that never became final, results counted again with another"
        " outcome, and closed batches whose counts changed afterwards.",
        [
            *(range_query(expr, legend) for legend, expr in counts.items()),
            zero_when_empty("all adds up", *counts.values()),
        ],
        number("Everything added up", low=0, colours={"all adds up": GREEN}, shades=ORANGE),
    )
