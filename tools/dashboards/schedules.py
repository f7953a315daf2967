"""The tables of the *Overview*.

Each schedule with its health, what no schedule started, and what the plan allows.
"""

from __future__ import annotations

from .fields import GREEN, GREY, RED, YELLOW
from .layout import ITS_ACCOUNT, address, itself
from .panels import Panel
from .queries import ACCOUNT, BAD, FLOW, JUDGED, SCHEDULE, gain, quantile, series, share
from .tables import Column, table

SOME, MANY = 0.01, 0.05
"""From which failing share on a schedule is degraded, and failing."""

_SCHEDULED, _AD_HOC = 'schedule!=""', 'schedule=""'
_RESULT_GONE, _RESULT_LATE = 'result=~"missed|failed"', 'result="late"'
_HEALTH = {0.0: ("Healthy", GREEN), 1.0: ("Degraded", YELLOW), 2.0: ("Failing", RED)}


def _of(metric: str, *matchers: str) -> str:
    return (
        "sum by (account, schedule)"
        f" ({gain(series(metric, ACCOUNT, SCHEDULE, _SCHEDULED, *matchers))})"
    )


def _schedule_health() -> str:
    """2, 1 or 0: failing, degraded, healthy.

    Each reason has a label of its own, so that none shadows another.
    """
    starts, records = "runtype_schedule_starts_total", "runtype_records_finished_total"
    failing = share(_of(records, FLOW, BAD), _of(records, FLOW, JUDGED))
    reasons = {
        "some": f"({failing}) >= bool {SOME:g}",
        "many": f"(({failing}) >= bool {MANY:g}) * 2",
        "gone": f"({_of(starts, _RESULT_GONE)} > bool 0.5) * 2",
        "late": f"{_of(starts, _RESULT_LATE)} > bool 0.5",
    }
    parts = [f'label_replace({expr}, "reason", "{name}", "", "")' for name, expr in reasons.items()]
    return f"max by (account, schedule) ({' or '.join(parts)})"


def schedule_table() -> Panel:
    """Every schedule, the worst first."""
    records = "runtype_records_finished_total"
    buckets = series(
        "runtype_record_latency_seconds_bucket",
        ACCOUNT,
        SCHEDULE,
        FLOW,
        _SCHEDULED,
        'outcome="success"',
    )
    enabled = series("runtype_schedule_enabled", ACCOUNT, SCHEDULE)
    last = series("runtype_schedule_last_run_timestamp_seconds", ACCOUNT, SCHEDULE)
    link = address("runtype-batch", ITS_ACCOUNT, "${flow:queryparam}", itself("schedule"))
    return table(
        "Schedules",
        "Every schedule over the time range, the worst first. Failing: 5 % of its records failed,"
        " or a start was missed or failed. Degraded: 1 % failed, or a start was late. Click a"
        " schedule for its batches.",
        [
            Column(title="Schedule", label="schedule", link=("Its batches", link)),
            Column(title="Account", label="account", width=110),
            Column(
                title="Health",
                expr=_schedule_health(),
                unit="none",
                words=_HEALTH,
                cell="color-text",
                width=90,
            ),
            Column(
                title="State",
                expr=f"max by (account, schedule) ({enabled})",
                unit="none",
                width=80,
                words={1.0: ("On", GREEN), 0.0: ("Paused", GREY)},
                cell="color-text",
            ),
            Column(
                title="Last run",
                expr=f"max by (account, schedule) ({last}) * 1000",
                unit="dateTimeFromNow",
                width=130,
            ),
            Column(title="Records", expr=f"round({_of(records, FLOW)})", unit="locale", width=90),
            Column(
                title="Failed",
                expr=share(_of(records, FLOW, BAD), _of(records, FLOW, JUDGED)),
                unit="percentunit",
                decimals=1,
                base="text",
                steps=((SOME, YELLOW), (MANY, RED)),
                cell="color-text",
                width=80,
            ),
            Column(
                title="Missed",
                expr=f"round({_of('runtype_schedule_starts_total', _RESULT_GONE)})",
                unit="locale",
                decimals=0,
                steps=((1, RED),),
                cell="color-text",
                width=80,
            ),
            Column(
                title="Late",
                expr=f"round({_of('runtype_schedule_starts_total', _RESULT_LATE)})",
                unit="locale",
                decimals=0,
                steps=((1, YELLOW),),
                cell="color-text",
                width=70,
            ),
            Column(
                title="Latency p90",
                expr=quantile(0.9, gain(buckets), "account, schedule"),
                unit="s",
                width=110,
            ),
            Column(
                title="Cost",
                expr=_of("runtype_cost_dollars_total", FLOW),
                unit="currencyUSD",
                decimals=2,
                width=90,
            ),
        ],
        "No schedule has run",
        "-Health",
    )


def ad_hoc_table() -> Panel:
    """Ad-hoc batches by flow."""

    def of(metric: str, *matchers: str) -> str:
        return f"sum by (account, flow) ({gain(series(metric, ACCOUNT, FLOW, _AD_HOC, *matchers))})"

    records = "runtype_records_finished_total"
    link = address("runtype-batch", ITS_ACCOUNT, "var-kind=()", itself("flow"))
    return table(
        "Ad-hoc batches",
        "Batches that no schedule started, by flow, over the time range. Click a flow for its"
        " batches.",
        [
            Column(title="Flow", label="flow", link=("Its ad-hoc batches", link)),
            Column(title="Account", label="account", width=90),
            Column(
                title="Batches",
                expr=f"round({of('runtype_batches_finished_total')})",
                unit="locale",
                width=90,
            ),
            Column(title="Records", expr=f"round({of(records)})", unit="locale", width=90),
            Column(
                title="Failed",
                expr=share(of(records, BAD), of(records, JUDGED)),
                unit="percentunit",
                decimals=1,
                steps=((SOME, YELLOW), (MANY, RED)),
                cell="color-text",
                width=70,
            ),
            Column(
                title="Cost",
                expr=of("runtype_cost_dollars_total"),
                unit="currencyUSD",
                decimals=2,
                width=75,
            ),
        ],
        "No ad-hoc batches",
        "-Records",
    )


def plan_table() -> Panel:
    """What the plan allows, and what is used of it."""

    def of(metric: str) -> str:
        return f"max by (account, period) ({series(f'runtype_usage_{metric}', ACCOUNT)})"

    return table(
        "Plan usage",
        "Executions that the plan's day and month have used. A dash stands where the plan has no"
        " limit. In slow mode Runtype delays work.",
        [
            Column(title="Account", label="account"),
            Column(title="Period", label="period", width=90),
            Column(
                title="Used",
                expr=f"{of('executions')} / {of('execution_limit')}",
                unit="percentunit",
                decimals=0,
                low=0,
                high=1,
                base=GREEN,
                steps=((0.8, YELLOW), (0.95, RED)),
                cell="gauge",
                width=230,
            ),
            Column(title="Executions", expr=of("executions"), unit="locale", decimals=0, width=105),
            Column(title="Limit", expr=of("execution_limit"), unit="locale", decimals=0, width=95),
            Column(
                title="Resets",
                expr=f"{of('resets_timestamp_seconds')} * 1000",
                unit="dateTimeFromNow",
                width=120,
            ),
            Column(
                title="Speed",
                expr=of("slow_mode"),
                unit="none",
                words={0.0: ("Full", GREEN), 1.0: ("Slow mode", RED)},
                cell="color-text",
                width=100,
            ),
        ],
        "No plan was read",
        "-Used",
    )
