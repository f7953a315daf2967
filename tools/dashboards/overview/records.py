"""The *Overview*'s sections "How much?" and "How fast?"."""

from __future__ import annotations

from tools.dashboards.field_config import BLUE, OUTCOMES, STARTS, number, seconds
from tools.dashboards.latency import latency_quantiles
from tools.dashboards.layout import Section, even_row, section
from tools.dashboards.overview.selectors import FAILED, FINISHED, LATENCY
from tools.dashboards.panels import Panel, bars, ranking
from tools.dashboards.queries import (
    ACCOUNT,
    FLOW,
    SCHEDULE,
    highest,
    increase_in_range,
    instant_query,
    name_ad_hoc,
    per_bar,
    quantile,
    range_query,
    selector,
    zero_when_empty,
)


def volume_section() -> Section:
    """Return the section "How much?"."""
    return section(
        "How much?",
        even_row(8, _records_by_outcome(), _failed_records()),
        even_row(7, _closed_batches(), _due_starts()),
    )


def latency_section() -> Section:
    """Return the section "How fast?"."""
    return section("How fast?", even_row(8, _latency(), _slowest_schedules()))


def _records_by_outcome() -> Panel:
    return bars(
        "Records by outcome",
        "Record results that became final, as they were counted. Each is counted once; a retried"
        " record is two results.",
        [range_query(per_bar(FINISHED, "outcome"), "{{outcome}}")],
        number("No records", low=0, colours=OUTCOMES),
    )


def _failed_records() -> Panel:
    failures = per_bar(FAILED, "schedule")
    return bars(
        "Failed records by schedule",
        "Failures and results of unknown outcome, by the schedule that ran them.",
        [
            range_query(name_ad_hoc(failures), "{{schedule}}"),
            zero_when_empty("no failures", failures),
        ],
        number("No failures", low=0, palette=True),
        table=True,
    )


def _closed_batches() -> Panel:
    closed = selector("runtype_batches_finished_total", ACCOUNT, SCHEDULE, FLOW)
    return bars(
        "Batches closed by outcome",
        "Batches that ended with every record accounted for. Those given up are not among them.",
        [range_query(per_bar(closed, "outcome"), "{{outcome}}")],
        number("No batch closed", low=0, colours=OUTCOMES),
    )


def _due_starts() -> Panel:
    starts = selector("runtype_schedule_starts_total", ACCOUNT, SCHEDULE)
    return bars(
        "Due starts",
        "Due starts of schedules by how they went, when they were judged: once the allowed delay"
        " has passed.",
        [range_query(per_bar(starts, "result"), "{{result}}")],
        number("No start was due", low=0, colours=STARTS),
    )


def _latency() -> Panel:
    return latency_quantiles(
        "Record latency",
        "Time from a record's creation to its success: half of the records are faster than p50,"
        " nine of ten than p90.",
        LATENCY,
    )


def _slowest_schedules() -> Panel:
    p90 = name_ad_hoc(quantile(0.9, increase_in_range(LATENCY), "schedule"))
    return ranking(
        "Slowest schedules",
        "The six schedules with the highest p90 of record latency over the time range, successes"
        " only.",
        instant_query(highest(6, p90), "{{schedule}}"),
        seconds("No records", low=0, base=BLUE),
    )
