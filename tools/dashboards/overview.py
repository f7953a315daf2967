"""*Overview*: is everything healthy?

Which schedule is not? How fast, how much? It needs rules for three panels only.
"""

from __future__ import annotations

from typing import Any

from . import variables
from .fields import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    OUTCOMES,
    QUANTILES,
    RED,
    STARTS,
    YELLOW,
    Look,
    deepened,
    named,
    thresholds,
)
from .layout import Section, dashboard, evenly, line, section
from .marks import RESTARTS
from .panels import Panel, bars, figure, lines, ranking, stat, timeline
from .queries import (
    ACCOUNT,
    BAD,
    FLOW,
    JUDGED,
    SCHEDULE,
    ad_hoc,
    gain,
    now,
    or_zero,
    over_time,
    per_bar,
    per_second,
    quantile,
    quiet,
    series,
    share,
    without_alert,
)
from .schedules import MANY, SOME, ad_hoc_table, plan_table, schedule_table

FINISHED = series("runtype_records_finished_total", ACCOUNT, SCHEDULE, FLOW)
FAILED = series("runtype_records_finished_total", ACCOUNT, SCHEDULE, FLOW, BAD)
COUNTED = series("runtype_records_finished_total", ACCOUNT, SCHEDULE, FLOW, JUDGED)
LATENCY = series(
    "runtype_record_latency_seconds_bucket", ACCOUNT, SCHEDULE, FLOW, 'outcome="success"'
)
COST = series("runtype_cost_dollars_total", ACCOUNT, SCHEDULE, FLOW)


_ALERTS = 'alertname=~"Runtype.+", alertstate="firing"'


def overview() -> dict[str, Any]:
    """The dashboard."""
    return dashboard(
        "runtype-overview",
        [variables.datasource(), variables.account(), variables.schedule(), variables.flow()],
        RESTARTS,
        [_verdict(), _schedules(), _throughput(), _speed(), _money()],
    )


def _verdict() -> Section:
    return Section(
        "",
        (
            evenly(
                4,
                _reachable(),
                _age(),
                _failing(),
                _missed(),
                _budget(),
                _firing(),
                _open(),
                _waiting(),
            ),
        ),
    )


def _reachable() -> Panel:
    return stat(
        "API",
        "Whether every account's last cycle reached Runtype's API, with a key that it accepts. It"
        " tells when the exporter is gone.",
        now(f"min({series('runtype_up', ACCOUNT)}) or vector(-1)"),
        Look(
            unit="none",
            empty="No answer",
            words={1: ("Reachable", GREEN), 0: ("Unreachable", RED), -1: ("No exporter", RED)},
        ),
    )


def _age() -> Panel:
    newest = series("runtype_last_successful_poll_timestamp_seconds", ACCOUNT)
    return stat(
        "Data age",
        "Time since the account that lags most was last polled without a failure. From 15 minutes"
        " on, nothing else here can be trusted.",
        now(f"time() - min(max by (account) ({newest}))"),
        Look(unit="s", empty="Never polled", decimals=0, steps=((300, YELLOW), (900, RED))),
    )


def _failing() -> Panel:
    return stat(
        "Failing records",
        "Failed records by all records of the time range; cancelled ones count as neither. Retried"
        " records count each time.",
        now(share(f"sum({gain(FAILED)})", f"sum({gain(COUNTED)})")),
        Look(
            unit="percentunit", empty="No records", decimals=1, steps=((SOME, YELLOW), (MANY, RED))
        ),
    )


def _missed() -> Panel:
    starts = series("runtype_schedule_starts_total", ACCOUNT, SCHEDULE, 'result=~"missed|failed"')
    return stat(
        "Missed starts",
        "Due starts in the time range that never came, or failed. A start is judged a while after"
        " it was due, so this lags.",
        now(f"round(sum({gain(starts)}))"),
        Look(unit="locale", empty="Unknown", decimals=0, steps=((1, RED),)),
    )


def _budget() -> Panel:
    return stat(
        "Error budget left",
        "What is left of the error budget of the objective that has least. It comes from the"
        " recording rules; without these, or before an objective has events, there is none to"
        " show.",
        now(f"min({series('slo:period_error_budget_remaining:ratio', ACCOUNT)})"),
        Look(
            unit="percentunit",
            empty="No SLO yet",
            decimals=0,
            base=GREY,
            steps=((-1e6, RED), (0, YELLOW), (0.25, GREEN)),
        ),
    )


def _firing() -> Panel:
    rules = "count(runtype:account_trusted:bool) * 0"
    firing = [
        now(f'count(ALERTS{{{_ALERTS}, severity="{severity}"}}) or {rules}', severity)
        for severity in ("critical", "warning")
    ]
    return stat(
        "Alerts firing",
        "Critical alerts and warnings that fire now, of all accounts. It needs the alert rules in"
        " this Prometheus.",
        firing,
        Look(
            unit="locale",
            empty="No rules",
            decimals=0,
            steps=((1, RED),),
            overrides=(
                named("warning", thresholds=thresholds(GREY, deepened(((0, GREEN), (1, YELLOW))))),
            ),
        ),
        textMode="value_and_name",
    )


def _open() -> Panel:
    return figure(
        "Open batches",
        "Batches that are followed until each of their records is accounted for.",
        now(
            or_zero(
                "sum(max by (account, schedule, flow)"
                f" ({series('runtype_batches_open', ACCOUNT, SCHEDULE, FLOW)}))"
            )
        ),
        Look(unit="locale", empty="Unknown", decimals=0, base="text"),
    )


def _waiting() -> Panel:
    oldest = series("runtype_oldest_pending_sweep_timestamp_seconds", ACCOUNT)
    return stat(
        "Longest wait",
        "How long the batch that waits longest has waited for its results to be read. 0 where none"
        " waits. Nothing is lost by waiting; if it grows, the request budget is too small.",
        now(or_zero(f"time() - min({oldest})")),
        Look(unit="s", empty="Unknown", decimals=0, steps=((900, YELLOW), (3600, RED))),
    )


def _schedules() -> Section:
    return section(
        "Which schedule?",
        line(13, (24, schedule_table())),
        line(7, (12, ad_hoc_table()), (12, _alerts())),
    )


def _alerts() -> Panel:
    weights = {"critical": 3, "warning": 2, "info": 1}
    firing = " or ".join(
        f'ALERTS{{{_ALERTS}, severity="{severity}"}} * {weight}'
        for severity, weight in weights.items()
    )
    quiet = without_alert("alertname", f"ALERTS{{{_ALERTS}}}")
    return timeline(
        "Alerts",
        "Which alerts fired when, of all accounts. It needs the alert rules in this Prometheus;"
        " where nothing fires, it says so.",
        [over_time(f"max by (alertname) ({firing}) or {quiet}", "{{alertname}}")],
        Look(
            unit="none",
            empty="Nothing fires",
            words={
                3: ("critical", RED),
                2: ("warning", ORANGE),
                1: ("info", BLUE),
                0: ("quiet", GREY),
                -1: ("no rules", YELLOW),
            },
        ),
    )


def _throughput() -> Section:
    starts = series("runtype_schedule_starts_total", ACCOUNT, SCHEDULE)
    closed = series("runtype_batches_finished_total", ACCOUNT, SCHEDULE, FLOW)
    return section(
        "How much?",
        evenly(
            8,
            bars(
                "Records by outcome",
                "Record results that became final, as they were counted. Each is counted once; a"
                " retried record is two results.",
                [over_time(per_bar(FINISHED, "outcome"), "{{outcome}}")],
                Look(unit="locale", empty="No records", decimals=0, low=0, colours=OUTCOMES),
            ),
            bars(
                "Failed records by schedule",
                "Failures and results of unknown outcome, by the schedule that ran them.",
                [
                    over_time(ad_hoc(per_bar(FAILED, "schedule")), "{{schedule}}"),
                    quiet("no failures", per_bar(FAILED, "schedule")),
                ],
                Look(unit="locale", empty="No failures", decimals=0, low=0, palette=True),
                table=True,
            ),
        ),
        evenly(
            7,
            bars(
                "Batches closed by outcome",
                "Batches that ended with every record accounted for, and those given up (lost).",
                [over_time(per_bar(closed, "outcome"), "{{outcome}}")],
                Look(unit="locale", empty="No batch closed", decimals=0, low=0, colours=OUTCOMES),
            ),
            bars(
                "Due starts",
                "Due starts of schedules by how they went, when they were judged: once the allowed"
                " delay has passed.",
                [over_time(per_bar(starts, "result"), "{{result}}")],
                Look(unit="locale", empty="No start was due", decimals=0, low=0, colours=STARTS),
            ),
        ),
    )


def _speed() -> Section:
    quantiles = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))
    return section(
        "How fast?",
        evenly(
            8,
            lines(
                "Record latency",
                "Time from a record's creation to its success: half of the records are faster than"
                " p50, nine of ten than p90.",
                [
                    over_time(quantile(q, per_second(LATENCY)), name, exemplar=True)
                    for q, name in quantiles
                ],
                Look(unit="s", empty="No records", low=0, colours=QUANTILES),
                calcs=["lastNotNull", "max"],
                interval="1m",
                maxDataPoints=90,
            ),
            ranking(
                "Slowest schedules",
                "The six schedules with the highest p90 of record latency over the time range,"
                " successes only.",
                now(
                    f"sort_desc(topk(6, {ad_hoc(quantile(0.9, gain(LATENCY), 'schedule'))}))",
                    "{{schedule}}",
                ),
                Look(unit="s", empty="No records", low=0, base=BLUE),
            ),
        ),
    )


def _money() -> Section:
    thousand = share(
        f"1000 * sum by (schedule) ({gain(COST)})", f"sum by (schedule) ({gain(FINISHED)})"
    )
    return section(
        "How much does it cost?",
        line(
            8,
            (
                12,
                bars(
                    "Cost by schedule",
                    "Cost of batches, counted as they close.",
                    [over_time(ad_hoc(per_bar(COST, "schedule")), "{{schedule}}")],
                    Look(unit="currencyUSD", empty="No cost", decimals=2, low=0, palette=True),
                    table=True,
                ),
            ),
            (
                12,
                ranking(
                    "Dearest schedules",
                    "Cost of 1,000 records over the time range, the six highest. The cost is"
                    " counted when a batch closes, its records while it runs, so a short range may"
                    " mislead.",
                    now(f"sort_desc(topk(6, {ad_hoc(f'{thousand} > 0')}))", "{{schedule}}"),
                    Look(unit="currencyUSD", empty="No cost", decimals=2, low=0, base=BLUE),
                ),
            ),
        ),
        line(
            5,
            (
                5,
                figure(
                    "Cost",
                    "Cost of the batches that closed in the time range.",
                    now(or_zero(f"sum({gain(COST)})")),
                    Look(unit="currencyUSD", empty="None", decimals=2, base="text"),
                ),
            ),
            (
                5,
                figure(
                    "Cost of 1,000 records",
                    "Cost of the batches that closed in the time range, by the records that"
                    " finished in it.",
                    now(share(f"1000 * sum({gain(COST)})", f"sum({gain(FINISHED)})")),
                    Look(unit="currencyUSD", empty="No records", decimals=2, base="text"),
                ),
            ),
            (14, plan_table()),
        ),
    )
