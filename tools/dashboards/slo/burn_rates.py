"""The *SLO* dashboard's sections "History" and "Burn rates over the windows"."""

from __future__ import annotations

from tools.dashboards.field_config import ORANGE, RED, ValueStyle, percent
from tools.dashboards.layout import Section, even_row, row, section
from tools.dashboards.panels import Panel, lines, repeated
from tools.dashboards.queries import ACCOUNT, range_query
from tools.dashboards.slo.expressions import (
    BUDGET_LEFT,
    CURRENT_BURN,
    NO_RULES,
    SLO,
    recorded_by_slo,
)


def history_section() -> Section:
    """Return the section "History"."""
    return section("History", even_row(8, _budget_left(), _current_burn()))


def windows_section() -> Section:
    """Return the section "Burn rates over the windows"."""
    return section("Burn rates over the windows", row(8, (24, repeated(_burn_by_window(), "slo"))))


def _budget_left() -> Panel:
    return lines(
        "Error budget left",
        "Of each objective's own period. It rises again as bad events grow older than that.",
        [range_query(recorded_by_slo(BUDGET_LEFT), "{{slo}} ({{account}})")],
        percent(NO_RULES, high=1, palette=True),
        calcs=["lastNotNull"],
        table=True,
        custom={"fillOpacity": 0},
    )


def _current_burn() -> Panel:
    return lines(
        "Burn rate of the past hour",
        "1 is a budget that lasts exactly its period. Dashed: the burn rates 6 and 14.4, which"
        " page when they last.",
        [range_query(recorded_by_slo(CURRENT_BURN), "{{slo}} ({{account}})")],
        ValueStyle(
            unit="none",
            empty=NO_RULES,
            decimals=1,
            low=0,
            base="transparent",
            steps=((6, ORANGE), (14.4, RED)),
            palette=True,
        ),
        calcs=["lastNotNull", "max"],
        table=True,
        custom={"fillOpacity": 0, "axisSoftMax": 1, "thresholdsStyle": {"mode": "dashed"}},
    )


def _burn_by_window() -> Panel:
    # The windows depend on the objective's period, so they are read from the series' names.
    name = "slo:sli_error:ratio_rate(.+)"
    every = f'{{__name__=~"slo:sli_error:ratio_rate.+", {SLO}, {ACCOUNT}}}'
    with_window = f'label_replace({every}, "window", "$1", "__name__", "{name}")'
    burn = f"max by (window) ({with_window} / on (slo) group_left () slo:error_budget:ratio)"
    return lines(
        "Burn rates of $slo",
        "Burn rate over each window of the alerts and over the period, of the account that burns"
        " fastest. An alert needs a long and a short window above its rate.",
        [range_query(burn, "{{window}}")],
        ValueStyle(unit="none", empty=NO_RULES, decimals=1, low=0, palette=True),
        calcs=["lastNotNull"],
        table=True,
        custom={"axisSoftMax": 1, "fillOpacity": 0, "lineWidth": 1},
    )
