"""The *Exporter* dashboard's first section: eight numbers on its state."""

from __future__ import annotations

from tools.dashboards import account_stats
from tools.dashboards.exporter.expressions import (
    BUDGET_LEFT,
    BUDGET_LIMIT,
    DRIFT,
    LAST_POLL,
    SWEEPS_PENDING,
)
from tools.dashboards.field_config import GREEN, RED, YELLOW, number, percent, seconds
from tools.dashboards.layout import Section, even_row, section
from tools.dashboards.panels import Panel, plain_stat, stat
from tools.dashboards.queries import (
    ACCOUNT,
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
            account_stats.api(),
            account_stats.data_age(LAST_POLL),
            _failed_polls(),
            _burst_left(),
            _pause(),
            _waiting(),
            _drift(),
            _clock_difference(),
        ),
    )


def _failed_polls() -> Panel:
    failed, every = (
        f"sum({increase_in_range(selector(metric, ACCOUNT))})"
        for metric in ("runtype_poll_failures_total", "runtype_polls_total")
    )
    return stat(
        "Failed polls",
        "Polling cycles that failed, by all that ended in the time range.",
        instant_query(share(f"({failed} or vector(0))", every)),
        percent("No polls", decimals=1, steps=((0.01, YELLOW), (0.1, RED))),
    )


def _burst_left() -> Panel:
    return stat(
        "Burst left",
        "Requests that could be sent at once, of the account that has least, by the tenth of its"
        " hourly limit that may come in one burst. The rest of the limit is granted evenly.",
        instant_query(f"min({BUDGET_LEFT} / ({BUDGET_LIMIT} * 0.1))"),
        percent("No budget", decimals=0, base=RED, steps=((0.05, YELLOW), (0.25, GREEN))),
    )


def _pause() -> Panel:
    until = selector("runtype_api_throttled_until_timestamp_seconds", ACCOUNT)
    return stat(
        "Pause asked for",
        "How long the API still wants to be left alone (Retry-After), of the account that must"
        " wait longest.",
        instant_query(f"max(clamp_min(max by (account) ({until}) - time(), 0))"),
        seconds("Unknown", decimals=0, steps=((1, YELLOW), (900, RED))),
    )


def _waiting() -> Panel:
    return stat(
        "Waiting now",
        "Batches whose results wait to be read. A few for a moment are normal.",
        instant_query(or_zero(f"sum({SWEEPS_PENDING})")),
        number("Unknown", steps=((50, YELLOW), (500, RED))),
    )


def _drift() -> Panel:
    return stat(
        "Drift",
        "Records by which the API's own totals and the results that were read differ, all batches"
        " together.",
        instant_query(or_zero(f"sum(max by (account, schedule) ({DRIFT}))")),
        number("Unknown", steps=((1, YELLOW), (100, RED))),
    )


def _clock_difference() -> Panel:
    return plain_stat(
        "Clock difference",
        "The API's clock minus the exporter's, of the account where it is greatest. Whole seconds"
        " are all that the API tells.",
        instant_query(f"max(abs({selector('runtype_api_clock_skew_seconds', ACCOUNT)}))"),
        seconds("Unknown", decimals=1, base="text", steps=((5, YELLOW), (60, RED))),
    )
