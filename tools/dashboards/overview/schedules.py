"""The *Overview*'s section "Which schedule?".

It shows the schedules by health, ad-hoc batches, and alerts over time.
"""

from __future__ import annotations

from runtype_exporter.rules.outcomes import BAD_RECORDS, JUDGED_RECORDS
from tools.dashboards.field_config import BLUE, GREEN, GREY, ORANGE, RED, YELLOW, as_words
from tools.dashboards.layout import (
    ROW_ACCOUNT_VAR,
    Section,
    cell_var,
    dashboard_url,
    row,
    section,
)
from tools.dashboards.overview.selectors import DEGRADED_SHARE, FAILING_SHARE, FIRING_ALERTS
from tools.dashboards.panels import Panel, timeline
from tools.dashboards.queries import (
    ACCOUNT,
    FLOW,
    SCHEDULE,
    SUCCESS,
    increase_in_range,
    quantile,
    range_query,
    selector,
    share,
    without_alert,
)
from tools.dashboards.tables import (
    dollars_column,
    label_column,
    number_column,
    percent_column,
    seconds_column,
    table,
    time_column,
    word_column,
)

_RECORDS, _STARTS = "runtype_records_finished_total", "runtype_schedule_starts_total"
_COST = "runtype_cost_dollars_total"
_SCHEDULED, _AD_HOC = 'schedule!=""', 'schedule=""'
_MISSED, _LATE = 'result=~"missed|failed"', 'result="late"'

_HEALTH = {0.0: ("Healthy", GREEN), 1.0: ("Degraded", YELLOW), 2.0: ("Failing", RED)}
_ENABLED = {1.0: ("On", GREEN), 0.0: ("Paused", GREY)}
_FAILING_STEPS = ((DEGRADED_SHARE, YELLOW), (FAILING_SHARE, RED))
_ALERT_STATES = {
    3: ("critical", RED),
    2: ("warning", ORANGE),
    1: ("info", BLUE),
    0: ("quiet", GREY),
    -1: ("no rules", YELLOW),
}


def schedules_section() -> Section:
    """Return the section."""
    return section(
        "Which schedule?",
        row(13, (24, _schedules())),
        row(7, (12, _ad_hoc_batches()), (12, _alerts())),
    )


def _by_schedule(metric: str, *matchers: str) -> str:
    """Return the increase of a counter in the time range by schedule, without ad-hoc batches."""
    series = selector(metric, ACCOUNT, SCHEDULE, _SCHEDULED, *matchers)
    return f"sum by (account, schedule) ({increase_in_range(series)})"


def _failing_share_by_schedule() -> str:
    return share(
        _by_schedule(_RECORDS, FLOW, BAD_RECORDS), _by_schedule(_RECORDS, FLOW, JUDGED_RECORDS)
    )


def _health() -> str:
    """Return an expression that is 2, 1 or 0: failing, degraded, healthy.

    Each reason has its own value of a label, so that `or` keeps all of them.
    """
    failing = _failing_share_by_schedule()
    reasons = {
        "some": f"({failing}) >= bool {DEGRADED_SHARE:g}",
        "many": f"(({failing}) >= bool {FAILING_SHARE:g}) * 2",
        "gone": f"({_by_schedule(_STARTS, _MISSED)} > bool 0.5) * 2",
        "late": f"{_by_schedule(_STARTS, _LATE)} > bool 0.5",
    }
    parts = [f'label_replace({expr}, "reason", "{name}", "", "")' for name, expr in reasons.items()]
    return f"max by (account, schedule) ({' or '.join(parts)})"


def _schedules() -> Panel:
    latency = selector(
        "runtype_record_latency_seconds_bucket", ACCOUNT, SCHEDULE, FLOW, _SCHEDULED, SUCCESS
    )
    enabled = selector("runtype_schedule_enabled", ACCOUNT, SCHEDULE)
    last_run = selector("runtype_schedule_last_run_timestamp_seconds", ACCOUNT, SCHEDULE)
    records = f"round({_by_schedule(_RECORDS, FLOW)})"
    missed = f"round({_by_schedule(_STARTS, _MISSED)})"
    late = f"round({_by_schedule(_STARTS, _LATE)})"
    p90 = quantile(0.9, increase_in_range(latency), "account, schedule")
    url = dashboard_url(
        "runtype-batch", ROW_ACCOUNT_VAR, "${flow:queryparam}", cell_var("schedule")
    )
    return table(
        "Schedules",
        "Every schedule over the time range, the worst first. Failing: 5 % of its records failed,"
        " or a start was missed or failed. Degraded: 1 % failed, or a start was late. Click a"
        " schedule for its batches.",
        [
            label_column("Schedule", "schedule", link=("Its batches", url)),
            label_column("Account", "account", width=110),
            word_column("Health", _health(), _HEALTH, width=90),
            word_column("State", f"max by (account, schedule) ({enabled})", _ENABLED, width=80),
            time_column("Last run", f"max by (account, schedule) ({last_run})", width=130),
            number_column("Records", records, decimals=None, width=90),
            percent_column(
                "Failed",
                _failing_share_by_schedule(),
                decimals=1,
                steps=_FAILING_STEPS,
                cell="color-text",
                width=80,
            ),
            number_column("Missed", missed, steps=((1, RED),), cell="color-text", width=80),
            number_column("Late", late, steps=((1, YELLOW),), cell="color-text", width=70),
            seconds_column("Latency p90", p90, width=110),
            dollars_column("Cost", _by_schedule(_COST, FLOW), width=90),
        ],
        empty="No schedule has run",
        sort="-Health",
    )


def _ad_hoc_batches() -> Panel:
    def by_flow(metric: str, *matchers: str) -> str:
        series = selector(metric, ACCOUNT, FLOW, _AD_HOC, *matchers)
        return f"sum by (account, flow) ({increase_in_range(series)})"

    batches = f"round({by_flow('runtype_batches_finished_total')})"
    failing = share(by_flow(_RECORDS, BAD_RECORDS), by_flow(_RECORDS, JUDGED_RECORDS))
    url = dashboard_url("runtype-batch", ROW_ACCOUNT_VAR, "var-kind=()", cell_var("flow"))
    return table(
        "Ad-hoc batches",
        "Batches that no schedule started, by flow, over the time range. Click a flow for its"
        " batches.",
        [
            label_column("Flow", "flow", link=("Its ad-hoc batches", url)),
            label_column("Account", "account", width=90),
            number_column("Batches", batches, decimals=None, width=90),
            number_column("Records", f"round({by_flow(_RECORDS)})", decimals=None, width=90),
            percent_column(
                "Failed", failing, decimals=1, steps=_FAILING_STEPS, cell="color-text", width=70
            ),
            dollars_column("Cost", by_flow(_COST), width=75),
        ],
        empty="No ad-hoc batches",
        sort="-Records",
    )


def _alerts() -> Panel:
    weights = {"critical": 3, "warning": 2, "info": 1}
    firing = " or ".join(
        f'ALERTS{{{FIRING_ALERTS}, severity="{severity}"}} * {weight}'
        for severity, weight in weights.items()
    )
    none_firing = without_alert("alertname", f"ALERTS{{{FIRING_ALERTS}}}")
    return timeline(
        "Alerts",
        "Which alerts fired when, of all accounts. It needs the alert rules in this Prometheus;"
        " where nothing fires, it says so.",
        [range_query(f"max by (alertname) ({firing}) or {none_firing}", "{{alertname}}")],
        as_words("Nothing fires", _ALERT_STATES),
    )
