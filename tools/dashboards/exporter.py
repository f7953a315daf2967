"""*Exporter*: does it poll, within its budget, without lag and without drift?

And how are its ledger and its process?
"""

from __future__ import annotations

from typing import Any

from . import variables
from .fields import BLUE, GREEN, GREY, ORANGE, QUANTILES, RED, YELLOW, Look
from .layout import Section, dashboard, evenly, line, section
from .marks import RESTARTS
from .panels import Panel, bars, figure, heatmap, lines, stat, timeline
from .process import ledger, process
from .queries import (
    ACCOUNT,
    ad_hoc,
    all_per_bar,
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
)
from .tables import Column, table

_REQUESTS = series("runtype_api_requests_total", ACCOUNT)
_LAG = series("runtype_record_detection_lag_seconds_bucket", ACCOUNT)


def exporter() -> dict[str, Any]:
    """The dashboard."""
    choices = [variables.datasource(), variables.account(), variables.instance()]
    sections = [_state(), _polls(), _api(), _sweeps(), _accuracy(), ledger(), process()]
    return dashboard("runtype-exporter", choices, RESTARTS, sections)


def _gauge(metric: str, how: str = "min") -> str:
    return f"{how}({series(metric, ACCOUNT)})"


def _state() -> Section:
    left = f"max by (account) ({series('runtype_api_budget_remaining_requests', ACCOUNT)})"
    limit = f"max by (account) ({series('runtype_api_budget_limit_requests', ACCOUNT)})"
    until = f"max by (account) ({series('runtype_api_throttled_until_timestamp_seconds', ACCOUNT)})"
    failed = f"sum({gain(series('runtype_poll_failures_total', ACCOUNT))})"
    return Section(
        "",
        (
            evenly(
                4,
                stat(
                    "API",
                    "Whether every account's last cycle reached Runtype's API, with a key that it"
                    " accepts.",
                    now(f"{_gauge('runtype_up')} or vector(-1)"),
                    Look(
                        unit="none",
                        empty="No answer",
                        words={
                            1: ("Reachable", GREEN),
                            0: ("Unreachable", RED),
                            -1: ("No exporter", RED),
                        },
                    ),
                ),
                stat(
                    "Data age",
                    "Time since the account that lags most was last polled without a failure.",
                    now(f"time() - {_gauge('runtype_last_successful_poll_timestamp_seconds')}"),
                    Look(
                        unit="s",
                        empty="Never polled",
                        decimals=0,
                        steps=((300, YELLOW), (900, RED)),
                    ),
                ),
                stat(
                    "Failed polls",
                    "Polling cycles that failed, by all that ended in the time range.",
                    now(
                        share(
                            f"({failed} or vector(0))",
                            f"sum({gain(series('runtype_polls_total', ACCOUNT))})",
                        )
                    ),
                    Look(
                        unit="percentunit",
                        empty="No polls",
                        decimals=1,
                        steps=((0.01, YELLOW), (0.1, RED)),
                    ),
                ),
                stat(
                    "Burst left",
                    "Requests that could be sent at once, of the account that has least, by the"
                    " tenth of its hourly limit that may come in one burst. The rest of the limit"
                    " is granted evenly.",
                    now(f"min({left} / ({limit} * 0.1))"),
                    Look(
                        unit="percentunit",
                        empty="No budget",
                        decimals=0,
                        base=RED,
                        steps=((0.05, YELLOW), (0.25, GREEN)),
                    ),
                ),
                stat(
                    "Pause asked for",
                    "How long the API still wants to be left alone (Retry-After), of the account"
                    " that must wait longest.",
                    now(f"max(clamp_min({until} - time(), 0))"),
                    Look(unit="s", empty="Unknown", decimals=0, steps=((1, YELLOW), (900, RED))),
                ),
                stat(
                    "Waiting now",
                    "Batches whose results wait to be read. A few for a moment are normal.",
                    now(or_zero(f"sum({series('runtype_sweeps_pending', ACCOUNT)})")),
                    Look(
                        unit="locale", empty="Unknown", decimals=0, steps=((50, YELLOW), (500, RED))
                    ),
                ),
                stat(
                    "Drift",
                    "Records by which the API's own totals and the results that were read differ,"
                    " all batches together.",
                    now(
                        or_zero(
                            "sum(max by (account, schedule)"
                            f" ({series('runtype_reconciliation_drift_records', ACCOUNT)}))"
                        )
                    ),
                    Look(
                        unit="locale", empty="Unknown", decimals=0, steps=((1, YELLOW), (100, RED))
                    ),
                ),
                figure(
                    "Clock difference",
                    "The API's clock minus the exporter's, of the account where it is greatest."
                    " Whole seconds are all that the API tells.",
                    now(f"max(abs({series('runtype_api_clock_skew_seconds', ACCOUNT)}))"),
                    Look(
                        unit="s",
                        empty="Unknown",
                        decimals=1,
                        base="text",
                        steps=((5, YELLOW), (60, RED)),
                    ),
                ),
            ),
        ),
    )


def _polls() -> Section:
    newest = series("runtype_last_successful_poll_timestamp_seconds", ACCOUNT)
    took = per_second(series("runtype_poll_duration_seconds_bucket", ACCOUNT))
    failures = per_bar(series("runtype_poll_failures_total", ACCOUNT), "reason")
    failed = per_bar(series("runtype_collector_failures_total", ACCOUNT), "collector, reason")
    return section(
        "Polls",
        evenly(
            7,
            bars(
                "Polling cycles",
                "Cycles that ended, and those of them that failed, by reason.",
                [
                    over_time(all_per_bar(series("runtype_polls_total", ACCOUNT)), "ended"),
                    over_time(failures, "failed: {{reason}}"),
                ],
                Look(
                    unit="locale",
                    empty="No cycle ended",
                    decimals=0,
                    low=0,
                    colours={"ended": BLUE},
                    shades=RED,
                ),
                custom={"stacking": {"mode": "none", "group": "A"}},
            ),
            lines(
                "Duration of cycles",
                "How long a polling cycle takes. It finds out what changed; results are read"
                " beside it.",
                [over_time(quantile(q, took), name) for q, name in ((0.5, "p50"), (0.99, "p99"))],
                Look(unit="s", empty="No cycle ended", low=0, colours=QUANTILES),
                calcs=["lastNotNull", "max"],
                interval="1m",
            ),
            lines(
                "Data age by account",
                "Time since the last cycle without a failure.",
                [over_time(f"time() - max by (account) ({newest})", "{{account}}")],
                Look(unit="s", empty="Never polled", low=0, palette=True),
                calcs=["lastNotNull", "max"],
            ),
        ),
        line(
            8,
            (15, _collectors()),
            (
                9,
                bars(
                    "Failed reads",
                    "Reads of the API that failed, by what was read and why.",
                    [
                        over_time(failed, "{{collector}}: {{reason}}"),
                        quiet("no read failed", failed),
                    ],
                    Look(
                        unit="locale",
                        empty="No read failed",
                        decimals=0,
                        low=0,
                        colours={"no read failed": GREEN},
                        shades=RED,
                    ),
                    table=True,
                ),
            ),
        ),
    )


def _collectors() -> Panel:
    return timeline(
        "Collectors",
        "The reads of the API. One is down when it is forbidden for this key, or failed three"
        " times; the others go on without it.",
        [
            over_time(
                f"min by (account, collector) ({series('runtype_collector_up', ACCOUNT)})",
                "{{account}}: {{collector}}",
            )
        ],
        Look(
            unit="none", empty="Nothing was read yet", words={1: ("works", GREEN), 0: ("down", RED)}
        ),
    )


def _api() -> Section:
    left = f"max by (account) ({series('runtype_api_budget_remaining_requests', ACCOUNT)})"
    limit = f"max by (account) ({series('runtype_api_budget_limit_requests', ACCOUNT)})"
    hour = f"sum by (account) (increase({_REQUESTS}[1h])) / {limit}"
    return section(
        "API and budget",
        evenly(
            8,
            bars(
                "Requests by operation",
                "Requests sent, by what they read. Retries count.",
                [over_time(per_bar(_REQUESTS, "operation"), "{{operation}}")],
                Look(unit="locale", empty="No requests", decimals=0, low=0, palette=True),
                table=True,
            ),
            bars(
                "Requests by code",
                "Requests sent, by HTTP status, or by the word for what failed before there was"
                " one.",
                [over_time(per_bar(_REQUESTS, "code"), "{{code}}")],
                Look(
                    unit="locale",
                    empty="No requests",
                    decimals=0,
                    low=0,
                    shades=ORANGE,
                    colours={
                        "200": GREEN,
                        "401": RED,
                        "403": RED,
                        "404": GREY,
                        "429": YELLOW,
                        "500": ORANGE,
                        "503": ORANGE,
                    },
                ),
                table=True,
            ),
        ),
        line(
            10,
            (10, _operations()),
            (
                7,
                lines(
                    "Budget used",
                    "Requests of the past hour, by those that the configuration allows in any"
                    " hour.",
                    [over_time(hour, "{{account}}")],
                    Look(unit="percentunit", empty="No requests", low=0, palette=True),
                    calcs=["lastNotNull", "max"],
                ),
            ),
            (
                7,
                lines(
                    "Requests at hand",
                    "Requests that could be sent at once. At 0, work waits; nothing is lost.",
                    [over_time(left, "{{account}}")],
                    Look(unit="locale", empty="No budget", decimals=0, low=0, palette=True),
                    calcs=["lastNotNull", "min"],
                ),
            ),
        ),
    )


def _operations() -> Panel:
    each = "account, operation"
    buckets = series("runtype_api_request_duration_seconds_bucket", ACCOUNT)
    every, fine = (
        f"sum by ({each}) ({gain(series('runtype_api_requests_total', ACCOUNT, *which))})"
        for which in ((), ('code=~"2.."',))
    )
    return table(
        "Operations",
        "What is read from the API over the time range: how often, how often in vain, and how long"
        " nine of ten requests took at most, the body's transfer included.",
        [
            Column(title="Operation", label="operation"),
            Column(title="Account", label="account", width=90),
            Column(
                title="Requests", expr=f"round({every}) > 0", unit="locale", decimals=0, width=95
            ),
            Column(
                title="In vain",
                expr=f"1 - ({fine} or {every} * 0) / ({every} > 0)",
                unit="percentunit",
                decimals=1,
                steps=((0.01, YELLOW), (0.1, RED)),
                cell="color-text",
                width=90,
            ),
            Column(title="p90", expr=quantile(0.9, gain(buckets), each), unit="s", width=90),
        ],
        "No requests",
        "-Requests",
    )


def _sweeps() -> Section:
    pending, oldest = (
        series(metric, ACCOUNT)
        for metric in ("runtype_sweeps_pending", "runtype_oldest_pending_sweep_timestamp_seconds")
    )
    ended = all_per_bar(series("runtype_batch_sweeps_total", ACCOUNT))
    failures = per_bar(series("runtype_batch_sweep_failures_total", ACCOUNT), "reason")
    return section(
        "Sweeps: reading the results of batches",
        evenly(
            7,
            bars(
                "Sweeps",
                "Sweeps that reached the end, and those that failed, by reason.",
                [over_time(ended, "complete"), over_time(failures, "failed: {{reason}}")],
                Look(
                    unit="locale",
                    empty="No sweeps",
                    decimals=0,
                    low=0,
                    colours={"complete": BLUE},
                    shades=RED,
                ),
            ),
            lines(
                "Batches waiting",
                "Batches whose results wait to be read.",
                [over_time(f"max by (account) ({pending})", "{{account}}")],
                Look(unit="locale", empty="Nothing was read yet", decimals=0, low=0, palette=True),
                calcs=["lastNotNull", "max"],
                custom={"axisSoftMax": 10},
            ),
            lines(
                "Longest wait",
                "How long the batch that waits longest has waited. It is 0 where none waits.",
                [
                    over_time(
                        f"time() - min by (account) ({oldest}) or 0 * max by (account) ({pending})",
                        "{{account}}",
                    )
                ],
                Look(unit="s", empty="None waits", low=0, palette=True),
                calcs=["lastNotNull", "max"],
                custom={"axisSoftMax": 60},
            ),
        ),
    )


def _accuracy() -> Section:
    drift = series("runtype_reconciliation_drift_records", ACCOUNT)
    differs = f"sum by (schedule) (max by (account, schedule) ({drift})) > 0"
    odd = per_bar(series("runtype_record_invalid_timestamps_total", ACCOUNT), "reason")
    changed = all_per_bar(series("runtype_record_outcome_changes_total", ACCOUNT))
    late = all_per_bar(series("runtype_batch_late_changes_total", ACCOUNT))
    return section(
        "Is what it counts complete, and how late?",
        line(
            8,
            (
                10,
                heatmap(
                    "Detection lag",
                    "Results by the time from their end to the moment they were counted. What a"
                    " first start catches up with lies above.",
                    over_time(
                        f"sum by (le) ({per_second(_LAG)}) * $__interval_ms / 1000", "{{le}}"
                    ),
                    Look(unit="s", empty="No results", base=BLUE),
                ),
            ),
            (
                7,
                lines(
                    "Drift by schedule",
                    "Records by which the API's totals and the rows of the last whole reading"
                    " differ. It should be 0, or return to it.",
                    [over_time(ad_hoc(differs), "{{schedule}}"), quiet("no drift", differs)],
                    Look(unit="locale", empty="No drift", decimals=0, low=0, palette=True),
                    calcs=["lastNotNull"],
                ),
            ),
            (
                7,
                bars(
                    "Oddities",
                    "Results without a trustworthy time, results counted again with another"
                    " outcome, closed batches whose counts changed.",
                    [
                        over_time(odd, "time {{reason}}"),
                        over_time(changed, "outcome changed"),
                        over_time(late, "changed after the close"),
                        quiet("none", odd, changed, late),
                    ],
                    Look(
                        unit="locale",
                        empty="None",
                        decimals=0,
                        low=0,
                        colours={"none": GREEN},
                        shades=ORANGE,
                    ),
                ),
            ),
        ),
    )
