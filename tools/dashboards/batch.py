"""*Batch*: one schedule, flow or batch in depth.

Gauges show the batches that the exporter follows now, counters all of the time range.
"""

from __future__ import annotations

from typing import Any

from . import variables
from .batches import (
    SHOWN,
    batch_table,
    done,
    failed_now,
    left,
    picture,
    running_last,
    stamp,
    took,
    total,
)
from .fields import BLUE, GREEN, ORANGE, OUTCOMES, QUANTILES, RED, STATUSES, YELLOW, Look
from .history import duration_lines, duration_table, runs
from .layout import Section, dashboard, evenly, line, section
from .marks import RESTARTS
from .panels import areas, bars, figure, heatmap, lines, ranking, stat
from .queries import (
    ACCOUNT,
    BAD,
    FLOW,
    JUDGED,
    KIND,
    SCHEDULE,
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

OF = (ACCOUNT, SCHEDULE, KIND, FLOW)
RECORDS = "runtype_records_finished_total"
LATENCY = series("runtype_record_latency_seconds_bucket", *OF, 'outcome="success"')
COST = series("runtype_cost_dollars_total", *OF)


def batch() -> dict[str, Any]:
    """The dashboard."""
    choices = (
        variables.datasource,
        variables.account,
        variables.kind,
        variables.schedule,
        variables.flow,
        variables.batch,
    )
    sections = [_now(), _progress(), _latency(), _failures(), _duration(), _cost()]
    return dashboard("runtype-batch", [choice() for choice in choices], RESTARTS, sections)


def _now() -> Section:
    shown, left_over = total("account, batch"), left("account, batch")
    return Section(
        "",
        (
            evenly(
                4,
                figure(
                    "Batches shown",
                    "Batches with gauges of their own: open ones, configured ones, and the newest"
                    " closed one of each schedule. The variable Batch narrows these; what is"
                    " counted over the time range it does not touch.",
                    now(or_zero(f"count({shown})")),
                    Look(unit="locale", empty="None", base="text"),
                ),
                figure(
                    "Records done",
                    "Records with a final result, by all records of the batches shown.",
                    now(f"1 - {share(f'sum({left_over})', f'sum({shown})')}"),
                    Look(unit="percentunit", empty="No batch", decimals=1, base=BLUE),
                ),
                figure(
                    "Still to do",
                    "Records of the batches shown that have no final result yet.",
                    now(or_zero(f"sum({left_over})")),
                    Look(unit="locale", empty="None", decimals=0, base="text"),
                ),
                stat(
                    "Failed so far",
                    "Results of the batches shown whose status is a failure, by all their records."
                    " A record that was retried has several.",
                    now(share(f"sum({failed_now('account, batch')})", f"sum({shown})")),
                    Look(
                        unit="percentunit",
                        empty="No batch",
                        decimals=1,
                        steps=((0.01, YELLOW), (0.05, RED)),
                    ),
                ),
                stat(
                    "Oldest unfinished",
                    "Time since the oldest unfinished record of the batches shown was created.",
                    now(f"time() - min({stamp('oldest_unfinished')})"),
                    Look(unit="s", empty="None", decimals=1, steps=((3600, YELLOW), (21600, RED))),
                ),
                figure(
                    "Newest result",
                    "Time since the newest final result of the batches shown. An open batch without"
                    " a result for long is stuck.",
                    now(f"time() - max({stamp('last_result')})"),
                    Look(unit="s", empty="None", decimals=0, base="text"),
                ),
                figure(
                    "Records counted",
                    "Record results that became final in the time range, of the schedules and flows"
                    " chosen.",
                    now(or_zero(f"round(sum({gain(series(RECORDS, *OF))}))")),
                    Look(unit="locale", empty="None", base="text"),
                ),
                figure(
                    "Cost counted",
                    "Cost of the batches that closed in the time range, of the schedules and flows"
                    " chosen.",
                    now(or_zero(f"sum({gain(COST)})")),
                    Look(unit="currencyUSD", empty="None", decimals=2, base="text"),
                ),
            ),
            line(11, (24, batch_table())),
        ),
    )


def _progress() -> Section:
    return section(
        "Progress",
        evenly(
            9,
            areas(
                "Records by status",
                "Records of the batches shown by Runtype's own word for their status, after each"
                " complete reading of a batch.",
                [over_time(f"sum by (status) ({picture('status, account, batch')})", "{{status}}")],
                Look(
                    unit="locale",
                    empty="No batch",
                    decimals=0,
                    low=0,
                    colours=STATUSES,
                    palette=True,
                ),
                calcs=["lastNotNull"],
            ),
            lines(
                "Records done by batch",
                "Share of the records that have a final status, of each batch at work at the end of"
                " the time range. A batch whose line stays level below 100 % is stuck.",
                [over_time(f"{done('batch')} and {running_last('batch')}", "{{batch}}")],
                Look(
                    unit="percentunit",
                    empty="No batch is at work",
                    decimals=1,
                    low=0,
                    high=1,
                    palette=True,
                ),
                calcs=["lastNotNull"],
                table=True,
                custom={"fillOpacity": 0, "lineWidth": 1, "spanNulls": False},
            ),
        ),
    )


def _latency() -> Section:
    quantiles = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))
    slowest = ad_hoc(quantile(0.9, gain(LATENCY), "schedule, flow"))
    return section(
        "Latency",
        line(
            9,
            (
                14,
                heatmap(
                    "Latency of records",
                    "Records that succeeded, by the time from their creation to their success. The"
                    " dots are exemplars: single records, with the ids of record and batch.",
                    over_time(
                        f"sum by (le) ({per_second(LATENCY)}) * $__interval_ms / 1000",
                        "{{le}}",
                        exemplar=True,
                    ),
                    Look(unit="s", empty="No records", base=BLUE),
                ),
            ),
            (
                10,
                lines(
                    "Latency quantiles",
                    "Half of the records are faster than p50, nine of ten than p90, 99 of 100 than"
                    " p99.",
                    [
                        over_time(quantile(q, per_second(LATENCY)), name, exemplar=True)
                        for q, name in quantiles
                    ],
                    Look(unit="s", empty="No records", low=0, colours=QUANTILES),
                    calcs=["lastNotNull", "max"],
                    interval="1m",
                    maxDataPoints=90,
                ),
            ),
        ),
        evenly(
            8,
            ranking(
                "Slowest flows",
                "The six flows with the highest p90 of record latency over the time range,"
                " successes only.",
                now(f"sort_desc(topk(6, {slowest}))", "{{schedule}}: {{flow}}"),
                Look(unit="s", empty="No records", low=0, base=BLUE),
            ),
            ranking(
                "Longest batches",
                "The six batches shown that took longest, or have been at work for longest.",
                now(f"sort_desc(topk(6, max by (batch) ({took()})))", "{{batch}}"),
                Look(unit="s", empty="No batch", low=0, base=BLUE),
            ),
        ),
    )


def _failures() -> Section:
    bad, judged = (per_second(series(RECORDS, *OF, which)) for which in (BAD, JUDGED))
    failures = per_bar(series(RECORDS, *OF, BAD), "schedule, flow")
    odd = {
        "abandoned": all_per_bar(series("runtype_records_abandoned_total", *OF)),
        "outcome changed": all_per_bar(series("runtype_record_outcome_changes_total", *OF)),
        "changed after the close": all_per_bar(series("runtype_batch_late_changes_total", *OF)),
    }
    return section(
        "Failures",
        evenly(
            8,
            bars(
                "Failed records",
                "Failures and results of unknown outcome, as they were counted.",
                [
                    over_time(ad_hoc(failures), "{{schedule}}: {{flow}}"),
                    quiet("no failures", failures),
                ],
                Look(unit="locale", empty="No failures", decimals=0, low=0, palette=True),
                table=True,
            ),
            lines(
                "Failing share",
                "Failed records by all records, cancelled ones left out, in the window of each"
                " point.",
                [
                    over_time(
                        ad_hoc(
                            share(f"sum by (schedule) ({bad})", f"sum by (schedule) ({judged})")
                        ),
                        "{{schedule}}",
                    )
                ],
                Look(unit="percentunit", empty="No records", low=0, palette=True),
                calcs=["lastNotNull", "max"],
                table=True,
                interval="1m",
                custom={"drawStyle": "points", "pointSize": 6},
            ),
        ),
        evenly(
            7,
            bars(
                "Batches closed by outcome",
                "Batches that ended with every record accounted for, and those given up (lost).",
                [
                    over_time(
                        per_bar(series("runtype_batches_finished_total", *OF), "outcome"),
                        "{{outcome}}",
                    )
                ],
                Look(unit="locale", empty="No batch closed", decimals=0, low=0, colours=OUTCOMES),
            ),
            bars(
                "What did not add up",
                "Records of closed batches that never became final, results counted again with"
                " another outcome, and closed batches whose counts changed afterwards.",
                [
                    *(over_time(expr, name) for name, expr in odd.items()),
                    quiet("all adds up", *odd.values()),
                ],
                Look(
                    unit="locale",
                    empty="Everything added up",
                    decimals=0,
                    low=0,
                    colours={"all adds up": GREEN},
                    shades=ORANGE,
                ),
            ),
        ),
    )


def _duration() -> Section:
    return section(
        "Duration against history", line(9, (11, duration_lines()), (13, duration_table())), runs()
    )


def _cost() -> Section:
    by_batch = f"max by (batch) ({series('runtype_batch_cost_dollars', *SHOWN)})"
    return section(
        "Cost",
        evenly(
            8,
            bars(
                "Cost by flow",
                "Cost of batches, counted as they close.",
                [over_time(ad_hoc(per_bar(COST, "schedule, flow")), "{{schedule}}: {{flow}}")],
                Look(unit="currencyUSD", empty="No cost", decimals=2, low=0, palette=True),
                table=True,
            ),
            ranking(
                "Dearest batches",
                "The six dearest of the closed batches shown, by Runtype's own figures.",
                now(f"sort_desc(topk(6, {by_batch}))", "{{batch}}"),
                Look(unit="currencyUSD", empty="No closed batch", decimals=2, low=0, base=BLUE),
            ),
        ),
    )
