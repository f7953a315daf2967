"""*SLO*: every objective, its budget, how fast it burns, and who burns it.

It reads what the recording rules record (docs/slo.md).
"""

from __future__ import annotations

from typing import Any

from . import variables
from .fields import BLUE, GREEN, GREY, ORANGE, RED, YELLOW, Look
from .layout import ITS_ACCOUNT, Section, address, dashboard, evenly, itself, line, section
from .marks import RESTARTS
from .panels import Panel, bars, lines, repeated, stat, timeline
from .queries import ACCOUNT, gain, now, over_time, per_bar, series, share, without_alert
from .tables import Column, table

SLO = 'slo=~"$slo"'
_EACH = "slo, account"
_EVENTS = series("runtype_slo_events_total", SLO, ACCOUNT)
_BAD = series("runtype_slo_events_total", SLO, ACCOUNT, 'result="bad"')
_BURN = 'alertname="RuntypeErrorBudgetBurn", alertstate="firing", slo=~"$slo", account=~"$account"'

_LEFT = ((-1e6, RED), (0, YELLOW), (0.25, GREEN))
_PACE = ((1, YELLOW), (6, ORANGE), (14.4, RED))
"""From 1 on the budget does not last its period; 6 and 14.4 are the burn rates that page."""
_NO_RULES = "No recording rules, or no events yet"


def slo() -> dict[str, Any]:
    """The dashboard."""
    choices = [variables.datasource(), variables.account(), variables.slo()]
    return dashboard(
        "runtype-slo",
        choices,
        RESTARTS,
        [_verdict(), _history(), _windows(), _events(), _alerts()],
        since="now-7d",
    )


def _recorded(name: str) -> str:
    return series(name, SLO, ACCOUNT)


def _verdict() -> Section:
    left, burn = "slo:period_error_budget_remaining:ratio", "slo:current_burn_rate:ratio"
    return Section(
        "",
        (
            evenly(
                4,
                stat(
                    "Least budget left",
                    "Error budget left of the objective that has least: 100 % is untouched, 0 % is"
                    " used up, below it the objective is missed.",
                    now(f"min({_recorded(left)})"),
                    Look(
                        unit="percentunit", empty="No SLO yet", decimals=0, base=GREY, steps=_LEFT
                    ),
                ),
                stat(
                    "Missed objectives",
                    "Objectives whose budget is overspent.",
                    now(f"count({_recorded(left)} < 0) or count({_recorded(left)}) * 0"),
                    Look(unit="locale", empty="No SLO yet", decimals=0, steps=((1, RED),)),
                ),
                stat(
                    "Fastest burn",
                    "Burn rate of the past hour, of the objective that burns fastest. At 1 the"
                    " budget lasts exactly its period, at 14.4 a budget of 30 days lasts two.",
                    now(f"max({_recorded(burn)})"),
                    Look(unit="none", empty="No events", decimals=1, steps=_PACE),
                ),
                stat(
                    "First to run out",
                    "Time until the first budget is used up, at the pace of the past days.",
                    now(
                        f"min({_recorded('slo:period_error_budget_exhaustion:seconds')}) or"
                        f" count({_recorded(left)}) * 0 - 1"
                    ),
                    Look(
                        unit="s",
                        empty="No SLO yet",
                        decimals=1,
                        base=RED,
                        words={-1: ("None will", GREEN)},
                        steps=((86400, YELLOW), (864000, GREEN)),
                    ),
                ),
                stat(
                    "Burn alerts firing",
                    "Alerts for a budget that burns too fast, firing now.",
                    now(f"count(ALERTS{{{_BURN}}}) or count(slo:objective:ratio) * 0"),
                    Look(unit="locale", empty="No rules", decimals=0, steps=((1, RED),)),
                ),
                stat(
                    "Data",
                    "Whether the events of every account can be judged: it was polled lately, and"
                    " the ledger is older than an hour. Until then no burn alert fires.",
                    now(f"min({series('runtype:account_trusted:bool', ACCOUNT)})"),
                    Look(
                        unit="none",
                        empty="No rules",
                        words={1: ("Trusted", GREEN), 0: ("Not trusted", YELLOW)},
                    ),
                ),
            ),
            line(8, (24, _objectives())),
        ),
    )


def _objectives() -> Panel:
    # Objectives without events have rows too: that nothing ran is not the same as that all is well.
    every = f"sum by ({_EACH}) ({_EVENTS}) * 0"
    meant = "{every} + on (slo) group_left () {name}"
    remaining = "slo:period_error_budget_remaining"
    bad = f"sum by ({_EACH}) ({gain(_BAD)})"
    link = address("runtype-slo", ITS_ACCOUNT, itself("slo"))

    def recorded(name: str) -> str:
        return f"max by ({_EACH}) ({_recorded(name)})"

    return table(
        "Objectives",
        "Every objective. Budget, burn over the period and time to exhaustion are of the"
        " objective's own period; bad events and events are of the time range. A dash means that"
        " there were no events to judge, or that a budget will not run out.",
        [
            Column(title="SLO", label="slo", link=("This objective alone", link)),
            Column(title="Account", label="account", width=110),
            Column(
                title="Objective",
                expr=meant.format(every=every, name="slo:objective:ratio"),
                unit="percentunit",
                width=90,
            ),
            Column(
                title="Days",
                expr=meant.format(every=every, name="slo:time_period:days"),
                unit="none",
                width=60,
            ),
            Column(
                title="Budget left",
                expr=recorded(f"{remaining}:ratio"),
                unit="percentunit",
                decimals=1,
                low=0,
                high=1,
                base=GREY,
                steps=_LEFT,
                cell="gauge",
                width=210,
            ),
            Column(
                title="Left in events",
                expr=recorded(f"{remaining}:events"),
                unit="locale",
                decimals=0,
                width=115,
                steps=((-1e12, RED), (0, "text")),
                cell="color-text",
            ),
            Column(
                title="Burn, past hour",
                expr=recorded("slo:current_burn_rate:ratio"),
                unit="none",
                decimals=2,
                width=125,
                steps=_PACE,
                cell="color-text",
            ),
            Column(
                title="Burn, period",
                expr=recorded("slo:period_burn_rate:ratio"),
                unit="none",
                decimals=2,
                width=120,
                steps=((1, RED),),
                cell="color-text",
            ),
            Column(
                title="Used up in",
                expr=recorded(f"{remaining.removesuffix('_remaining')}_exhaustion:seconds"),
                unit="s",
                decimals=1,
                width=105,
                steps=((-1, RED), (86400, YELLOW), (864000, "text")),
                cell="color-text",
            ),
            Column(title="Bad events", expr=f"round({bad})", unit="locale", decimals=0, width=95),
            Column(
                title="Events",
                expr=f"round(sum by ({_EACH}) ({gain(_EVENTS)}))",
                unit="locale",
                decimals=0,
                width=95,
            ),
        ],
        "No SLO has events",
        "-Burn, period",
    )


def _history() -> Section:
    left, burn = (
        f"max by ({_EACH}) ({_recorded(name)})"
        for name in ("slo:period_error_budget_remaining:ratio", "slo:current_burn_rate:ratio")
    )
    return section(
        "History",
        evenly(
            8,
            lines(
                "Error budget left",
                "Of each objective's own period. It rises again as bad events grow older than"
                " that.",
                [over_time(left, "{{slo}} ({{account}})")],
                Look(unit="percentunit", empty=_NO_RULES, high=1, palette=True),
                calcs=["lastNotNull"],
                table=True,
                custom={"fillOpacity": 0},
            ),
            lines(
                "Burn rate of the past hour",
                "1 is a budget that lasts exactly its period. Dashed: the burn rates 6 and 14.4,"
                " which page when they last.",
                [over_time(burn, "{{slo}} ({{account}})")],
                Look(
                    unit="none",
                    empty=_NO_RULES,
                    decimals=1,
                    low=0,
                    base="transparent",
                    steps=((6, ORANGE), (14.4, RED)),
                    palette=True,
                ),
                calcs=["lastNotNull", "max"],
                table=True,
                custom={"fillOpacity": 0, "axisSoftMax": 1, "thresholdsStyle": {"mode": "dashed"}},
            ),
        ),
    )


def _windows() -> Section:
    # The windows follow the objective's period, so their names are taken from the series.
    window = "slo:sli_error:ratio_rate(.+)"
    every = f'{{__name__=~"slo:sli_error:ratio_rate.+", {SLO}, {ACCOUNT}}}'
    named = f'label_replace({every}, "window", "$1", "__name__", "{window}")'
    burn = f"max by (window) ({named} / on (slo) group_left () slo:error_budget:ratio)"
    panel = lines(
        "Burn rates of $slo",
        "Burn rate over each window of the alerts and over the period, of the account that burns"
        " fastest. An alert needs a long and a short window above its rate.",
        [over_time(burn, "{{window}}")],
        Look(unit="none", empty=_NO_RULES, decimals=1, low=0, palette=True),
        calcs=["lastNotNull"],
        table=True,
        custom={"axisSoftMax": 1, "fillOpacity": 0, "lineWidth": 1},
    )
    return section("Burn rates over the windows", line(8, (24, repeated(panel, "slo"))))


def _events() -> Section:
    each = "slo, account, schedule"
    bad, every = f"sum by ({each}) ({gain(_BAD)})", f"sum by ({each}) ({gain(_EVENTS)})"
    of_all = f"{bad} / on (slo, account) group_left () (sum by ({_EACH}) ({gain(_BAD)}) > 0)"
    link = address("runtype-batch", ITS_ACCOUNT, itself("schedule"))
    return section(
        "Who burns it?",
        line(
            9,
            (
                9,
                bars(
                    "Bad events by objective",
                    "As they were counted. A record can be bad for more than one objective.",
                    [over_time(per_bar(_BAD, "slo"), "{{slo}}")],
                    Look(unit="locale", empty="No bad events", decimals=0, low=0, palette=True),
                ),
            ),
            (
                15,
                table(
                    "Bad events by schedule",
                    "Bad events of the time range: by all events of the schedule, and by all bad"
                    " events of the objective.",
                    [
                        Column(title="SLO", label="slo", width=170),
                        Column(
                            title="Schedule",
                            label="schedule",
                            empty="(ad hoc)",
                            link=("Its batches", link),
                        ),
                        Column(title="Account", label="account", width=90),
                        Column(
                            title="Bad",
                            expr=f"round({bad}) > 0",
                            unit="locale",
                            decimals=0,
                            width=75,
                        ),
                        Column(
                            title="Of its events",
                            expr=f"{share(bad, every)} > 0",
                            unit="percentunit",
                            decimals=1,
                            width=110,
                        ),
                        Column(
                            title="Of all bad",
                            expr=f"{of_all} > 0",
                            unit="percentunit",
                            decimals=1,
                            low=0,
                            high=1,
                            base=BLUE,
                            cell="gauge",
                            width=190,
                        ),
                    ],
                    "No bad events",
                    "-Bad",
                ),
            ),
        ),
    )


def _alerts() -> Section:
    firing = " or ".join(
        f'ALERTS{{{_BURN}, severity="{severity}"}} * {weight}'
        for severity, weight in (("critical", 2), ("warning", 1))
    )
    quiet = without_alert("slo", f"ALERTS{{{_BURN}}}")
    trusted = f"min by (account) ({series('runtype:account_trusted:bool', ACCOUNT)})"
    return section(
        "Alerts",
        evenly(
            5,
            timeline(
                "Burn alerts",
                "Which objectives' budgets burned so fast that an alert fired; where none did, it"
                " says so.",
                [over_time(f"max by (slo) ({firing}) or {quiet}", "{{slo}}")],
                Look(
                    unit="none",
                    empty="Nothing fires",
                    words={
                        2: ("critical", RED),
                        1: ("warning", ORANGE),
                        0: ("quiet", GREY),
                        -1: ("no rules", YELLOW),
                    },
                ),
            ),
            timeline(
                "Trusted accounts",
                "When the events of an account could be judged. While they could not, no burn alert"
                " fires.",
                [over_time(trusted, "{{account}}")],
                Look(
                    unit="none",
                    empty="No recording rules",
                    words={1: ("trusted", GREEN), 0: ("not trusted", YELLOW)},
                ),
            ),
        ),
    )
