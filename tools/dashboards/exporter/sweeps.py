"""The *Exporter* dashboard's section on sweeps."""

from __future__ import annotations

from tools.dashboards.exporter.expressions import SWEEPS_PENDING
from tools.dashboards.field_config import BLUE, RED, number, seconds
from tools.dashboards.layout import Section, even_row, section
from tools.dashboards.panels import Panel, bars, lines
from tools.dashboards.queries import ACCOUNT, per_bar, range_query, selector, total_per_bar


def sweeps_section() -> Section:
    """Return the section."""
    return section(
        "Sweeps: reading the results of batches",
        even_row(7, _sweeps(), _batches_waiting(), _longest_wait()),
    )


def _sweeps() -> Panel:
    complete = total_per_bar(selector("runtype_batch_sweeps_total", ACCOUNT))
    failed = per_bar(selector("runtype_batch_sweep_failures_total", ACCOUNT), "reason")
    return bars(
        "Sweeps",
        "Sweeps that reached the end, and those that failed, by reason.",
        [range_query(complete, "complete"), range_query(failed, "failed: {{reason}}")],
        number("No sweeps", low=0, colours={"complete": BLUE}, shades=RED),
    )


def _batches_waiting() -> Panel:
    return lines(
        "Batches waiting",
        "Batches whose results wait to be read.",
        [range_query(f"max by (account) ({SWEEPS_PENDING})", "{{account}}")],
        number("Nothing was read yet", low=0, palette=True),
        calcs=["lastNotNull", "max"],
        custom={"axisSoftMax": 10},
    )


def _longest_wait() -> Panel:
    oldest = selector("runtype_oldest_pending_sweep_timestamp_seconds", ACCOUNT)
    wait = f"time() - min by (account) ({oldest}) or 0 * max by (account) ({SWEEPS_PENDING})"
    return lines(
        "Longest wait",
        "How long the batch that waits longest has waited. It is 0 where none waits.",
        [range_query(wait, "{{account}}")],
        seconds("None waits", low=0, palette=True),
        calcs=["lastNotNull", "max"],
        custom={"axisSoftMax": 60},
    )
