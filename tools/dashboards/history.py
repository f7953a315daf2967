"""How long batches took, against how long they used to take."""

from __future__ import annotations

from .batches import stamp
from .fields import GREY, ORANGE, RED, YELLOW, Look, dashed
from .panels import Panel, lines
from .queries import ACCOUNT, FLOW, KIND, SCHEDULE, ad_hoc, gain, over_time, quantile, series
from .tables import Column, table

_BUCKETS = series("runtype_batch_duration_seconds_bucket", ACCOUNT, SCHEDULE, KIND, FLOW)


def duration_lines() -> Panel:
    """The newest batches, with the quantiles of the time range before each point."""
    newest = f"max by (schedule) ({stamp('completed')} - {stamp('started')})"
    return lines(
        "Duration of the newest batches",
        "Duration of the newest closed batch of each schedule. Dashed: the quantiles of all batches that closed in the time range "
        "before each point, of the schedules chosen together.",
        [
            over_time(ad_hoc(newest), "{{schedule}}"),
            over_time(quantile(0.5, gain(_BUCKETS)), "p50 of the range"),
            over_time(quantile(0.9, gain(_BUCKETS)), "p90 of the range"),
        ],
        Look(
            unit="s", empty="No batch whose end is known", low=0, palette=True,
            overrides=(dashed("p50 of the range", GREY), dashed("p90 of the range", ORANGE)),
        ),
        calcs=["lastNotNull"], table=True, custom={"lineInterpolation": "stepAfter", "fillOpacity": 0}, interval="1m",
    )  # fmt: skip


def duration_table() -> Panel:
    """The same for each schedule by itself."""
    each = "account, schedule"
    newest = f"max by ({each}) ({stamp('completed')} - {stamp('started')})"
    median = quantile(0.5, gain(_BUCKETS), each)
    return table(
        "Newest batch against history",
        "The newest closed batch of each schedule, and its ratio to the median of those that closed in the time range. Quantiles come "
        "from a histogram, so they are as coarse as its buckets. Choose a range with enough batches, such as seven days.",
        [
            Column(title="Schedule", label="schedule"),
            Column(title="Account", label="account", width=90),
            Column(title="Newest", expr=ad_hoc(newest), unit="s", width=95),
            Column(title="p50", expr=ad_hoc(median), unit="s", width=95),
            Column(title="p90", expr=ad_hoc(quantile(0.9, gain(_BUCKETS), each)), unit="s", width=95),
            Column(title="Ratio", expr=ad_hoc(f"{newest} / ({median} > 0)"), unit="none", decimals=1,
                   steps=((2, YELLOW), (4, RED)), cell="color-text", width=80),
        ],
        "No batch whose end is known",
        "-Ratio",
    )  # fmt: skip
