"""The *Batch* dashboard's section "Duration against history".

It compares batches and runs with earlier ones. Runs include those of agents, which have no batch.
"""

from __future__ import annotations

from tools.dashboards.batch.expressions import CHOSEN, timestamp
from tools.dashboards.field_config import (
    GREY,
    ORANGE,
    OUTCOMES,
    RED,
    YELLOW,
    dashed_line,
    number,
    seconds,
)
from tools.dashboards.layout import Section, row, section
from tools.dashboards.panels import Panel, bars, lines
from tools.dashboards.queries import (
    ACCOUNT,
    KIND,
    SCHEDULE,
    increase_in_range,
    name_ad_hoc,
    per_bar,
    per_second,
    quantile,
    range_query,
    selector,
)
from tools.dashboards.tables import label_column, ratio_column, seconds_column, table

_DURATIONS = increase_in_range(selector("runtype_batch_duration_seconds_bucket", *CHOSEN))
_DURATION_OF_CLOSED = f"{timestamp('completed')} - {timestamp('started')}"


def history_section() -> Section:
    """Return the section."""
    return section(
        "Duration against history",
        row(9, (11, _newest_batches()), (13, _newest_against_history())),
        row(8, (6, _runs_by_outcome()), (9, _run_duration()), (9, _run_queue_time())),
    )


def _newest_batches() -> Panel:
    newest = f"max by (schedule) ({_DURATION_OF_CLOSED})"
    median, p90 = "p50 of the range", "p90 of the range"
    return lines(
        "Duration of the newest batches",
        "Duration of the newest closed batch of each schedule. Dashed: the quantiles of all"
        " batches that closed in the time range before each point, of the schedules chosen"
        " together.",
        [
            range_query(name_ad_hoc(newest), "{{schedule}}"),
            range_query(quantile(0.5, _DURATIONS), median),
            range_query(quantile(0.9, _DURATIONS), p90),
        ],
        seconds(
            "No batch whose end is known",
            low=0,
            palette=True,
            overrides=(dashed_line(median, GREY), dashed_line(p90, ORANGE)),
        ),
        calcs=["lastNotNull"],
        table=True,
        custom={"lineInterpolation": "stepAfter", "fillOpacity": 0},
        interval="1m",
    )


def _newest_against_history() -> Panel:
    by = "account, schedule"
    newest = f"max by ({by}) ({_DURATION_OF_CLOSED})"
    median, p90 = (quantile(q, _DURATIONS, by) for q in (0.5, 0.9))
    return table(
        "Newest batch against history",
        "The newest closed batch of each schedule, and its ratio to the median of those that"
        " closed in the time range. Quantiles come from a histogram, so they are as coarse as its"
        " buckets. Choose a range with enough batches, such as seven days.",
        [
            label_column("Schedule", "schedule"),
            label_column("Account", "account", width=90),
            seconds_column("Newest", name_ad_hoc(newest), width=95),
            seconds_column("p50", name_ad_hoc(median), width=95),
            seconds_column("p90", name_ad_hoc(p90), width=95),
            ratio_column(
                "Ratio",
                name_ad_hoc(f"{newest} / ({median} > 0)"),
                decimals=1,
                steps=((2, YELLOW), (4, RED)),
                cell="color-text",
                width=80,
            ),
        ],
        empty="No batch whose end is known",
        sort="-Ratio",
    )


def _runs_by_outcome() -> Panel:
    ended = selector("runtype_schedule_runs_finished_total", ACCOUNT, SCHEDULE, KIND)
    return bars(
        "Runs by outcome",
        "Runs of schedules as they ended, those of agents too.",
        [range_query(per_bar(ended, "outcome"), "{{outcome}}")],
        number("No run ended", low=0, colours=OUTCOMES),
    )


def _run_duration() -> Panel:
    return _p90_of_runs(
        "Duration of runs",
        "p90 of the time from a run's start to its completion, by schedule.",
        "runtype_schedule_run_duration_seconds_bucket",
    )


def _run_queue_time() -> Panel:
    return _p90_of_runs(
        "Time in the queue",
        "p90 of the time from a run's creation to its start, by schedule.",
        "runtype_schedule_run_queue_seconds_bucket",
    )


def _p90_of_runs(title: str, description: str, buckets: str) -> Panel:
    rate = per_second(selector(buckets, ACCOUNT, SCHEDULE, KIND))
    return lines(
        title,
        description,
        [range_query(quantile(0.9, rate, "schedule"), "{{schedule}}")],
        seconds("No run ended", low=0, palette=True),
        calcs=["max"],
        table=True,
        interval="1m",
        maxDataPoints=90,
        custom={"drawStyle": "points", "pointSize": 6},
    )
