"""How long batches and runs took, against how long they used to take."""

from __future__ import annotations

from .batches import stamp
from .fields import GREY, ORANGE, OUTCOMES, RED, YELLOW, Look, dashed
from .layout import Line, line
from .panels import Panel, bars, lines
from .queries import (
    ACCOUNT,
    FLOW,
    KIND,
    SCHEDULE,
    ad_hoc,
    gain,
    over_time,
    per_bar,
    per_second,
    quantile,
    series,
)
from .tables import Column, table

_BUCKETS = series("runtype_batch_duration_seconds_bucket", ACCOUNT, SCHEDULE, KIND, FLOW)


def duration_lines() -> Panel:
    """The newest batches, with the quantiles of the time range before each point."""
    newest = f"max by (schedule) ({stamp('completed')} - {stamp('started')})"
    return lines(
        "Duration of the newest batches",
        "Duration of the newest closed batch of each schedule. Dashed: the quantiles of all batches"
        " that closed in the time range before each point, of the schedules chosen together.",
        [
            over_time(ad_hoc(newest), "{{schedule}}"),
            over_time(quantile(0.5, gain(_BUCKETS)), "p50 of the range"),
            over_time(quantile(0.9, gain(_BUCKETS)), "p90 of the range"),
        ],
        Look(
            unit="s",
            empty="No batch whose end is known",
            low=0,
            palette=True,
            overrides=(dashed("p50 of the range", GREY), dashed("p90 of the range", ORANGE)),
        ),
        calcs=["lastNotNull"],
        table=True,
        custom={"lineInterpolation": "stepAfter", "fillOpacity": 0},
        interval="1m",
    )


def duration_table() -> Panel:
    """The same for each schedule by itself."""
    each = "account, schedule"
    newest = f"max by ({each}) ({stamp('completed')} - {stamp('started')})"
    median = quantile(0.5, gain(_BUCKETS), each)
    return table(
        "Newest batch against history",
        "The newest closed batch of each schedule, and its ratio to the median of those that closed"
        " in the time range. Quantiles come from a histogram, so they are as coarse as its buckets."
        " Choose a range with enough batches, such as seven days.",
        [
            Column(title="Schedule", label="schedule"),
            Column(title="Account", label="account", width=90),
            Column(title="Newest", expr=ad_hoc(newest), unit="s", width=95),
            Column(title="p50", expr=ad_hoc(median), unit="s", width=95),
            Column(
                title="p90", expr=ad_hoc(quantile(0.9, gain(_BUCKETS), each)), unit="s", width=95
            ),
            Column(
                title="Ratio",
                expr=ad_hoc(f"{newest} / ({median} > 0)"),
                unit="none",
                decimals=1,
                steps=((2, YELLOW), (4, RED)),
                cell="color-text",
                width=80,
            ),
        ],
        "No batch whose end is known",
        "-Ratio",
    )


def runs() -> Line:
    """Runs of schedules, those of agents among them, which have no batch."""
    ended = series("runtype_schedule_runs_finished_total", ACCOUNT, SCHEDULE, KIND)

    def times(title: str, why: str, metric: str) -> Panel:
        buckets = per_second(series(f"{metric}_bucket", ACCOUNT, SCHEDULE, KIND))
        look = Look(unit="s", empty="No run ended", low=0, palette=True)
        points = {"drawStyle": "points", "pointSize": 6}
        query = over_time(quantile(0.9, buckets, "schedule"), "{{schedule}}")
        return lines(
            title,
            why,
            [query],
            look,
            calcs=["max"],
            table=True,
            interval="1m",
            maxDataPoints=90,
            custom=points,
        )

    took, queued = "runtype_schedule_run_duration_seconds", "runtype_schedule_run_queue_seconds"
    return line(
        8,
        (
            6,
            bars(
                "Runs by outcome",
                "Runs of schedules as they ended, those of agents too.",
                [over_time(per_bar(ended, "outcome"), "{{outcome}}")],
                Look(unit="locale", empty="No run ended", decimals=0, low=0, colours=OUTCOMES),
            ),
        ),
        (
            9,
            times(
                "Duration of runs",
                "p90 of the time from a run's start to its completion, by schedule.",
                took,
            ),
        ),
        (
            9,
            times(
                "Time in the queue",
                "p90 of the time from a run's creation to its start, by schedule.",
                queued,
            ),
        ),
    )
