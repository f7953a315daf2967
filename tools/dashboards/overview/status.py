"""The first section of the *Overview*: eight numbers that answer "is everything healthy?"."""

from __future__ import annotations

from tools.dashboards import account_stats
from tools.dashboards.field_config import (
    GREEN,
    GREY,
    RED,
    YELLOW,
    background_steps,
    number,
    override,
    percent,
    seconds,
    thresholds,
)
from tools.dashboards.layout import Section, even_row, section
from tools.dashboards.overview.selectors import (
    COUNTED,
    DEGRADED_SHARE,
    FAILED,
    FAILING_SHARE,
    FIRING_ALERTS,
)
from tools.dashboards.panels import Panel, plain_stat, stat
from tools.dashboards.queries import (
    ACCOUNT,
    FLOW,
    SCHEDULE,
    increase_in_range,
    instant_query,
    or_zero,
    selector,
    share,
)


def status_section() -> Section:
    """Return the section."""
    return section(
        "",
        even_row(
            4,
            account_stats.api(" It tells when the exporter is gone."),
            _data_age(),
            _failing_records(),
            _missed_starts(),
            _error_budget(),
            _alerts_firing(),
            _open_batches(),
            _longest_wait(),
        ),
    )


def _data_age() -> Panel:
    polled = selector("runtype_last_successful_poll_timestamp_seconds", ACCOUNT)
    return account_stats.data_age(
        f"max by (account) ({polled})",
        " From 15 minutes on, nothing else here can be trusted.",
    )


def _failing_records() -> Panel:
    failed, counted = increase_in_range(FAILED), increase_in_range(COUNTED)
    return stat(
        "Failing records",
        "Failed records by all records of the time range; cancelled ones count as neither. Retried"
        " records count each time.",
        instant_query(share(f"sum({failed})", f"sum({counted})")),
        percent("No records", decimals=1, steps=((DEGRADED_SHARE, YELLOW), (FAILING_SHARE, RED))),
    )


def _missed_starts() -> Panel:
    starts = selector("runtype_schedule_starts_total", ACCOUNT, SCHEDULE, 'result=~"missed|failed"')
    return stat(
        "Missed starts",
        "Due starts in the time range that never came, or failed. A start is judged a while after"
        " it was due, so this lags.",
        instant_query(f"round(sum({increase_in_range(starts)}))"),
        number("Unknown", steps=((1, RED),)),
    )


def _error_budget() -> Panel:
    remaining = selector("slo:period_error_budget_remaining:ratio", ACCOUNT)
    return stat(
        "Error budget left",
        "What is left of the error budget of the objective that has least. It comes from the"
        " recording rules; without these, or before an objective has events, there is none to"
        " show.",
        instant_query(f"min({remaining})"),
        percent(
            "No SLO yet", decimals=0, base=GREY, steps=((-1e6, RED), (0, YELLOW), (0.25, GREEN))
        ),
    )


def _alerts_firing() -> Panel:
    zero_with_rules = "count(runtype:account_trusted:bool) * 0"
    queries = [
        instant_query(
            f'count(ALERTS{{{FIRING_ALERTS}, severity="{severity}"}}) or {zero_with_rules}',
            severity,
        )
        for severity in ("critical", "warning")
    ]
    warnings = thresholds(GREY, background_steps(((0, GREEN), (1, YELLOW))))
    return stat(
        "Alerts firing",
        "Critical alerts and warnings that fire now, of all accounts. It needs the alert rules in"
        " this Prometheus.",
        queries,
        number(
            "No rules",
            steps=((1, RED),),
            overrides=(override("warning", thresholds=warnings),),
        ),
        textMode="value_and_name",
    )


def _open_batches() -> Panel:
    batches = selector("runtype_batches_open", ACCOUNT, SCHEDULE, FLOW)
    return plain_stat(
        "Open batches",
        "Batches that are followed until each of their records is accounted for.",
        instant_query(or_zero(f"sum(max by (account, schedule, flow) ({batches}))")),
        number("Unknown", base="text"),
    )


def _longest_wait() -> Panel:
    oldest = selector("runtype_oldest_pending_sweep_timestamp_seconds", ACCOUNT)
    return stat(
        "Longest wait",
        "How long the batch that waits longest has waited for its results to be read. 0 where none"
        " waits. Nothing is lost by waiting; if it grows, the request budget is too small.",
        instant_query(or_zero(f"time() - min({oldest})")),
        seconds("Unknown", decimals=0, steps=((900, YELLOW), (3600, RED))),
    )
