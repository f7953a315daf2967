"""The *SLO* dashboard's first section: six numbers, and the table of objectives."""

from __future__ import annotations

from tools.dashboards.field_config import (
    GREEN,
    GREY,
    RED,
    YELLOW,
    ValueStyle,
    as_words,
    number,
    percent,
    seconds,
)
from tools.dashboards.layout import (
    ROW_ACCOUNT_VAR,
    Section,
    cell_var,
    dashboard_url,
    even_row,
    row,
    section,
)
from tools.dashboards.panels import Panel, stat
from tools.dashboards.queries import increase_in_range, instant_query
from tools.dashboards.slo.expressions import (
    BAD_EVENTS,
    BUDGET_LEFT,
    BUDGET_LEFT_EVENTS,
    BUDGET_STEPS,
    BURN_ALERTS,
    BURN_STEPS,
    BY_SLO,
    CURRENT_BURN,
    EVENTS,
    EXHAUSTION,
    PERIOD_BURN,
    TRUSTED,
    recorded,
    recorded_by_slo,
)
from tools.dashboards.tables import (
    gauge_column,
    label_column,
    number_column,
    percent_column,
    ratio_column,
    seconds_column,
    table,
)


def objectives_section() -> Section:
    """Return the section."""
    return section(
        "",
        even_row(
            4,
            _least_budget(),
            _missed_objectives(),
            _fastest_burn(),
            _first_exhaustion(),
            _burn_alerts(),
            _trusted_data(),
        ),
        row(8, (24, _objectives())),
    )


def _least_budget() -> Panel:
    return stat(
        "Least budget left",
        "Error budget left of the objective that has least: 100 % is untouched, 0 % is used up,"
        " below it the objective is missed.",
        instant_query(f"min({recorded(BUDGET_LEFT)})"),
        percent("No SLO yet", decimals=0, base=GREY, steps=BUDGET_STEPS),
    )


def _missed_objectives() -> Panel:
    budget = recorded(BUDGET_LEFT)
    return stat(
        "Missed objectives",
        "Objectives whose budget is overspent.",
        instant_query(f"count({budget} < 0) or count({budget}) * 0"),
        number("No SLO yet", steps=((1, RED),)),
    )


def _fastest_burn() -> Panel:
    return stat(
        "Fastest burn",
        "Burn rate of the past hour, of the objective that burns fastest. At 1 the budget lasts"
        " exactly its period, at 14.4 a budget of 30 days lasts two.",
        instant_query(f"max({recorded(CURRENT_BURN)})"),
        ValueStyle(unit="none", empty="No events", decimals=1, steps=BURN_STEPS),
    )


def _first_exhaustion() -> Panel:
    # -1: there are budgets, and none will run out.
    first = f"min({recorded(EXHAUSTION)}) or count({recorded(BUDGET_LEFT)}) * 0 - 1"
    return stat(
        "First to run out",
        "Time until the first budget is used up, at the pace of the past days.",
        instant_query(first),
        seconds(
            "No SLO yet",
            decimals=1,
            base=RED,
            mappings={-1: ("None will", GREEN)},
            steps=((86400, YELLOW), (864000, GREEN)),
        ),
    )


def _burn_alerts() -> Panel:
    return stat(
        "Burn alerts firing",
        "Alerts for a budget that burns too fast, firing now.",
        instant_query(f"count(ALERTS{{{BURN_ALERTS}}}) or count(slo:objective:ratio) * 0"),
        number("No rules", steps=((1, RED),)),
    )


def _trusted_data() -> Panel:
    return stat(
        "Data",
        "Whether the events of every account can be judged: it was polled lately, and the ledger"
        " is older than an hour. Until then no burn alert fires.",
        instant_query(f"min({TRUSTED})"),
        as_words("No rules", {1: ("Trusted", GREEN), 0: ("Not trusted", YELLOW)}),
    )


def _objectives() -> Panel:
    # Objectives without events have rows too: no events does not mean that all is well.
    every = f"sum by ({BY_SLO}) ({EVENTS}) * 0"
    objective = f"{every} + on (slo) group_left () slo:objective:ratio"
    days = f"{every} + on (slo) group_left () slo:time_period:days"
    events, bad = (
        f"round(sum by ({BY_SLO}) ({increase_in_range(series)}))" for series in (EVENTS, BAD_EVENTS)
    )
    url = dashboard_url("runtype-slo", ROW_ACCOUNT_VAR, cell_var("slo"))
    return table(
        "Objectives",
        "Every objective. Budget, burn over the period and time to exhaustion are of the"
        " objective's own period; bad events and events are of the time range. A dash means that"
        " there were no events to judge, or that a budget will not run out.",
        [
            label_column("SLO", "slo", link=("This objective alone", url)),
            label_column("Account", "account", width=110),
            percent_column("Objective", objective, width=90),
            ratio_column("Days", days, width=60),
            gauge_column(
                "Budget left",
                recorded_by_slo(BUDGET_LEFT),
                decimals=1,
                base=GREY,
                steps=BUDGET_STEPS,
                width=210,
            ),
            number_column(
                "Left in events",
                recorded_by_slo(BUDGET_LEFT_EVENTS),
                steps=((-1e12, RED), (0, "text")),
                width=115,
                cell="color-text",
            ),
            ratio_column(
                "Burn, past hour",
                recorded_by_slo(CURRENT_BURN),
                decimals=2,
                steps=BURN_STEPS,
                width=125,
                cell="color-text",
            ),
            ratio_column(
                "Burn, period",
                recorded_by_slo(PERIOD_BURN),
                decimals=2,
                steps=((1, RED),),
                width=120,
                cell="color-text",
            ),
            seconds_column(
                "Used up in",
                recorded_by_slo(EXHAUSTION),
                decimals=1,
                steps=((-1, RED), (86400, YELLOW), (864000, "text")),
                width=105,
                cell="color-text",
            ),
            number_column("Bad events", bad, width=95),
            number_column("Events", events, width=95),
        ],
        empty="No SLO has events",
        sort="-Burn, period",
    )
