"""The *Exporter* dashboard's section "Polls": polling cycles, collectors and failed reads."""

from __future__ import annotations

from tools.dashboards.exporter.expressions import LAST_POLL
from tools.dashboards.field_config import BLUE, GREEN, QUANTILES, RED, as_words, number, seconds
from tools.dashboards.layout import Section, even_row, row, section
from tools.dashboards.panels import Panel, bars, lines, timeline
from tools.dashboards.queries import (
    ACCOUNT,
    per_bar,
    per_second,
    quantile,
    range_query,
    selector,
    total_per_bar,
    zero_when_empty,
)


def polls_section() -> Section:
    """Return the section."""
    return section(
        "Polls",
        even_row(7, _cycles(), _cycle_duration(), _data_age()),
        row(8, (15, _collectors()), (9, _failed_reads())),
    )


def _cycles() -> Panel:
    ended = total_per_bar(selector("runtype_polls_total", ACCOUNT))
    failed = per_bar(selector("runtype_poll_failures_total", ACCOUNT), "reason")
    return bars(
        "Polling cycles",
        "Cycles that ended, and those of them that failed, by reason.",
        [range_query(ended, "ended"), range_query(failed, "failed: {{reason}}")],
        number("No cycle ended", low=0, colours={"ended": BLUE}, shades=RED),
        custom={"stacking": {"mode": "none", "group": "A"}},
    )


def _cycle_duration() -> Panel:
    durations = per_second(selector("runtype_poll_duration_seconds_bucket", ACCOUNT))
    return lines(
        "Duration of cycles",
        "How long a polling cycle takes. It shows what changed; results are read by other tasks.",
        [range_query(quantile(q, durations), name) for q, name in ((0.5, "p50"), (0.99, "p99"))],
        seconds("No cycle ended", low=0, colours=QUANTILES),
        calcs=["lastNotNull", "max"],
        interval="1m",
    )


def _data_age() -> Panel:
    return lines(
        "Data age by account",
        "Time since the last cycle without a failure.",
        [range_query(f"time() - max by (account) ({LAST_POLL})", "{{account}}")],
        seconds("Never polled", low=0, palette=True),
        calcs=["lastNotNull", "max"],
    )


def _collectors() -> Panel:
    up = f"min by (account, collector) ({selector('runtype_collector_up', ACCOUNT)})"
    return timeline(
        "Collectors",
        "The reads of the API. One is down when it is forbidden for this key, or failed three"
        " times in a row; the others go on without it.",
        [range_query(up, "{{account}}: {{collector}}")],
        as_words("Nothing was read yet", {1: ("works", GREEN), 0: ("down", RED)}),
    )


def _failed_reads() -> Panel:
    failed = per_bar(selector("runtype_collector_failures_total", ACCOUNT), "collector, reason")
    return bars(
        "Failed reads",
        "Reads of the API that failed, by what was read and why.",
        [
            range_query(failed, "{{collector}}: {{reason}}"),
            zero_when_empty("no read failed", failed),
        ],
        number("No read failed", low=0, colours={"no read failed": GREEN}, shades=RED),
        table=True,
    )
