"""PromQL in the dashboards' words.

Selectors by the variables, counts of bars, shares, quantiles, zeros where nothing was counted.

Batches are bursty and rare, so a share is always bad events by all events, never an average of
shares, and nothing is divided by zero.
"""

from __future__ import annotations

from typing import Any

ACCOUNT = 'account=~"$account"'
SCHEDULE = 'schedule=~"$schedule"'
FLOW = 'flow=~"$flow"'
BATCH = 'batch=~"$batch"'
INSTANCE = 'instance=~"$instance"'
KIND = 'schedule=~"$kind"'
"""Scheduled batches or ad-hoc ones: these have no schedule, and a multiple choice cannot offer an
empty value."""

BAD = 'outcome=~"failure|unknown"'
JUDGED = 'outcome!="cancelled"'
"""What a failing share is a share of: a cancelled record is neither good nor bad."""

Target = dict[str, Any]


def series(metric: str, *matchers: str) -> str:
    """A selector."""
    return f"{metric}{{{', '.join(matchers)}}}"


def gain(selector: str) -> str:
    """What a counter gained over the dashboard's whole time range."""
    return f"increase({selector}[$__range])"


def per_second(selector: str) -> str:
    """What a counter gained a second, over the window that Grafana finds fit for the step."""
    return f"rate({selector}[$__rate_interval])"


def per_bar(selector: str, by: str) -> str:
    """What a counter gained in each bar of a bar chart.

    No bar, and no entry in the legend, where it gained nothing.

    Not `increase(...[$__interval])`: what is gained between the last sample of one window and the
    first of the next would be lost. `$__rate_interval` reaches one scrape further back, and the
    rate over it, times the bar's length, adds up to the true total. Of 1,448 records that a demo
    counted in half an hour, bars of a minute showed 1,448 this way, 1,363 with `increase` over the
    bar, and 1,810 with `increase` over `$__rate_interval`.
    """
    return f"sum by ({by}) ({per_second(selector)}) * $__interval_ms / 1000 > 0"


def all_per_bar(selector: str) -> str:
    """The same, of all series together."""
    return f"sum({per_second(selector)}) * $__interval_ms / 1000 > 0"


def share(bad: str, every: str) -> str:
    """Bad events by all events; absent where there were none."""
    return f"{bad} / ({every} > 0)"


def quantile(q: float, buckets: str, by: str = "") -> str:
    """A quantile of a histogram; absent where nothing was observed."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q:g}, sum by ({labels}) ({buckets})) >= 0"


def or_zero(expr: str) -> str:
    """Zero where no series is, for counts whose series begin with their first event.

    But not where the exporter itself is gone.
    """
    return f"{expr} or count({series('runtype_up', ACCOUNT)}) * 0"


def without_alert(label: str, alerts: str) -> str:
    """A lane for the time when no alert fires: 0, or -1 where there are no rules that could."""
    there = "count(runtype:account_trusted:bool) * 0 or vector(-1)"
    return f'(label_replace({there}, "{label}", "no alert", "", "") unless on () {alerts})'


def ad_hoc(expr: str) -> str:
    """A name in the place of the empty schedule, which a legend would show as nothing."""
    return f'label_replace({expr}, "schedule", "(ad hoc)", "schedule", "")'


def over_time(expr: str, legend: str, **options: Any) -> Target:
    """A query for a graph."""
    return {"expr": expr, "legendFormat": legend, "range": True, "instant": False, **options}


def now(expr: str, legend: str = "", **options: Any) -> Target:
    """A query for a single number."""
    return {"expr": expr, "legendFormat": legend, "range": False, "instant": True, **options}


def quiet(said: str, *told: str) -> Target:
    """A level line of 0 by a reassuring name where none of these tells anything in the whole time range.

    Not where the exporter is gone. A panel of failures would be empty in good times, and an empty
    panel looks like a broken one.
    """
    anything = f"last_over_time(({' or '.join(told)})[$__range:$__interval] @ end())"
    return over_time(f"count({series('runtype_up', ACCOUNT)}) * 0 unless on () {anything}", said)


def rows(expr: str) -> Target:
    """A query for a table."""
    return now(expr, format="table")
