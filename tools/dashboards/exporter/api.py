"""The *Exporter* dashboard's section "API and budget"."""

from __future__ import annotations

from tools.dashboards.exporter.expressions import BUDGET_LEFT, BUDGET_LIMIT
from tools.dashboards.field_config import GREEN, GREY, ORANGE, RED, YELLOW, number, percent
from tools.dashboards.layout import Section, even_row, row, section
from tools.dashboards.panels import Panel, bars, lines
from tools.dashboards.queries import (
    ACCOUNT,
    increase_in_range,
    per_bar,
    quantile,
    range_query,
    selector,
)
from tools.dashboards.tables import (
    label_column,
    number_column,
    percent_column,
    seconds_column,
    table,
)

_REQUESTS = selector("runtype_api_requests_total", ACCOUNT)
_CODES = {
    "200": GREEN,
    "401": RED,
    "403": RED,
    "404": GREY,
    "429": YELLOW,
    "500": ORANGE,
    "503": ORANGE,
}


def api_section() -> Section:
    """Return the section."""
    return section(
        "API and budget",
        even_row(8, _requests_by_operation(), _requests_by_code()),
        row(10, (10, _operations()), (7, _budget_used()), (7, _requests_at_hand())),
    )


def _requests_by_operation() -> Panel:
    return bars(
        "Requests by operation",
        "Requests sent, by what they read. Retries count.",
        [range_query(per_bar(_REQUESTS, "operation"), "{{operation}}")],
        number("No requests", low=0, palette=True),
        table=True,
    )


def _requests_by_code() -> Panel:
    return bars(
        "Requests by code",
        "Requests sent, by HTTP status, or by the word for what failed before there was one.",
        [range_query(per_bar(_REQUESTS, "code"), "{{code}}")],
        number("No requests", low=0, shades=ORANGE, colours=_CODES),
        table=True,
    )


def _operations() -> Panel:
    by = "account, operation"
    durations = selector("runtype_api_request_duration_seconds_bucket", ACCOUNT)
    succeeded = selector("runtype_api_requests_total", ACCOUNT, 'code=~"2.."')
    every, good = (
        f"sum by ({by}) ({increase_in_range(series)})" for series in (_REQUESTS, succeeded)
    )
    return table(
        "Operations",
        "What is read from the API over the time range: how often, how often in vain, and how long"
        " nine of ten requests took at most, the body's transfer included.",
        [
            label_column("Operation", "operation"),
            label_column("Account", "account", width=90),
            number_column("Requests", f"round({every}) > 0", width=95),
            percent_column(
                "In vain",
                f"1 - ({good} or {every} * 0) / ({every} > 0)",
                decimals=1,
                steps=((0.01, YELLOW), (0.1, RED)),
                cell="color-text",
                width=90,
            ),
            seconds_column("p90", quantile(0.9, increase_in_range(durations), by), width=90),
        ],
        empty="No requests",
        sort="-Requests",
    )


def _budget_used() -> Panel:
    used = f"sum by (account) (increase({_REQUESTS}[1h])) / {BUDGET_LIMIT}"
    return lines(
        "Budget used",
        "Requests of the past hour, by those that the configuration allows in any hour.",
        [range_query(used, "{{account}}")],
        percent("No requests", low=0, palette=True),
        calcs=["lastNotNull", "max"],
    )


def _requests_at_hand() -> Panel:
    return lines(
        "Requests at hand",
        "Requests that could be sent at once. At 0, work waits; nothing is lost.",
        [range_query(BUDGET_LEFT, "{{account}}")],
        number("No budget", low=0, palette=True),
        calcs=["lastNotNull", "min"],
    )
