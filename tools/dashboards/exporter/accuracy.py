"""The *Exporter* dashboard's section on the accuracy of counts: detection lag, drift, anomalies."""

from __future__ import annotations

from tools.dashboards.exporter.expressions import DRIFT
from tools.dashboards.field_config import BLUE, GREEN, ORANGE, number, seconds
from tools.dashboards.layout import Section, row, section
from tools.dashboards.panels import Panel, bars, heatmap, lines
from tools.dashboards.queries import (
    ACCOUNT,
    buckets_per_bar,
    name_ad_hoc,
    per_bar,
    range_query,
    selector,
    total_per_bar,
    zero_when_empty,
)


def accuracy_section() -> Section:
    """Return the section."""
    return section(
        "Is what it counts complete, and how late?",
        row(8, (10, _detection_lag()), (7, _drift_by_schedule()), (7, _anomalies())),
    )


def _detection_lag() -> Panel:
    lag = selector("runtype_record_detection_lag_seconds_bucket", ACCOUNT)
    return heatmap(
        "Detection lag",
        "Results by the time from their end to the moment they were counted. What a first start"
        " catches up with lies above.",
        range_query(buckets_per_bar(lag), "{{le}}"),
        seconds("No results", base=BLUE),
    )


def _drift_by_schedule() -> Panel:
    drift = f"sum by (schedule) (max by (account, schedule) ({DRIFT})) > 0"
    return lines(
        "Drift by schedule",
        "Records by which the API's totals and the rows of the last whole reading differ. It"
        " should be 0, or return to it.",
        [range_query(name_ad_hoc(drift), "{{schedule}}"), zero_when_empty("no drift", drift)],
        number("No drift", low=0, palette=True),
        calcs=["lastNotNull"],
    )


def _anomalies() -> Panel:
    invalid = per_bar(selector("runtype_record_invalid_timestamps_total", ACCOUNT), "reason")
    changed = total_per_bar(selector("runtype_record_outcome_changes_total", ACCOUNT))
    late = total_per_bar(selector("runtype_batch_late_changes_total", ACCOUNT))
    return bars(
        "Oddities",
        "Results without a trustworthy time, results counted again with another outcome, closed"
        " batches whose counts changed.",
        [
            range_query(invalid, "time {{reason}}"),
            range_query(changed, "outcome changed"),
            range_query(late, "changed after the close"),
            zero_when_empty("none", invalid, changed, late),
        ],
        number("None", low=0, colours={"none": GREEN}, shades=ORANGE),
    )
