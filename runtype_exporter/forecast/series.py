"""How many series and lines the metrics will have. Pure.

Everything follows from the catalogue: a metric's labels say what it is counted by. The tables name
the metrics that depart from that: those of a collector that can be off, and those whose series come
only when something unusual happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtype_exporter import catalogue
from runtype_exporter.catalogue import BATCH_LABELS, CATALOGUE, FLOW_LABELS, RECORD_LATENCY, Metric
from runtype_exporter.config import Account, Config
from runtype_exporter.forecast.holding import Holding

PROCESS_LINES: Final = 16
"""Lines of `process_*` and `python_*` on Linux."""
OUTCOMES_USUAL: Final = 2
"""Success and failure are there from the start, the other outcomes from their first count on."""
STATUSES_USUAL: Final = 2
"""Status words that a batch's records usually end with."""

ALWAYS_READ: Final = ("results", "run_results", "status")
"""What is read besides that which can be switched off."""

_UNUSUAL: Final = frozenset(
    metric.name
    for metric in (
        catalogue.RECORD_OUTCOME_CHANGES,
        catalogue.RECORD_INVALID_TIMESTAMPS,
        catalogue.COLLECTOR_FAILURES,
        catalogue.POLL_FAILURES,
        catalogue.BATCH_SWEEP_FAILURES,
        catalogue.OLDEST_PENDING_SWEEP,
    )
)
"""Their series come when something unusual happens."""

_COLLECTOR: Final[Mapping[str, str]] = {
    metric.name: collector
    for collector, metrics in {
        "schedules": (
            catalogue.SCHEDULE_INFO,
            catalogue.SCHEDULE_ENABLED,
            catalogue.SCHEDULE_LAST_RUN,
            catalogue.SCHEDULE_NEXT_RUN,
            catalogue.SCHEDULE_STARTS,
        ),
        "runs": (
            catalogue.SCHEDULE_RUNS_FINISHED,
            catalogue.SCHEDULE_RUN_DURATION,
            catalogue.SCHEDULE_RUN_QUEUE,
        ),
        "cost": (catalogue.COST, catalogue.BATCH_COST),
        "sparklines": (catalogue.SCHEDULE_RECENT_RUNS, catalogue.SCHEDULE_RECENT_FAILED_RUNS),
        "usage": (
            catalogue.USAGE_EXECUTIONS,
            catalogue.USAGE_LIMIT,
            catalogue.USAGE_SLOW_MODE,
            catalogue.USAGE_RESETS,
        ),
    }.items()
    for metric in metrics
}
"""Metrics that one collector alone feeds."""

_OPEN_ONLY: Final = frozenset({catalogue.BATCH_STATE.name, catalogue.BATCH_OLDEST_UNFINISHED.name})
_CLOSED_ONLY: Final = frozenset({catalogue.BATCH_COST.name, catalogue.BATCH_COMPLETED.name})


@dataclass(frozen=True, slots=True)
class Row:
    """One metric's series, and the lines that they take in OpenMetrics, the longer of the two formats, which the limit is about."""

    metric: str
    series: int
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many there are of each in one account.

    `objectives` are pairs of an objective and a schedule that it matches.
    """

    schedules: int
    flows: int
    followed: int
    closed: int
    configured: int
    objectives: int
    collectors: frozenset[str]


def series(config: Config, holdings: Mapping[str, Holding]) -> list[Row]:
    """The rows of every metric that will have series, the process's own last.

    `holdings` by account.
    """
    counts = [_counts(account, config, holdings[account.name]) for account in config.accounts]
    rows = []
    for metric in CATALOGUE:
        shared = "account" not in metric.labels
        found = (
            label_sets(metric, counts[0])
            if shared
            else sum(label_sets(metric, each) for each in counts)
        )
        if found:
            rows.append(Row(metric.name, found, found * _lines_each(metric, config)))
    return [*rows, Row("process_*, python_*", PROCESS_LINES, PROCESS_LINES)]


def label_sets(metric: Metric, counts: Counts) -> int:
    """How many series of a metric one account usually has."""
    if metric.name in _UNUSUAL or _COLLECTOR.get(metric.name, "") not in {"", *counts.collectors}:
        return 0
    found = _things(metric, counts)
    for label in metric.labels:
        found *= _values(metric, label, counts)
    return found


def _things(metric: Metric, counts: Counts) -> int:
    """How many things of the kind that the metric tells of.

    Batches, flows, schedules, or the account itself.
    """
    if metric.labels[: len(BATCH_LABELS)] == BATCH_LABELS:
        followed = 0 if metric.name in _CLOSED_ONLY else counts.followed
        return followed + (0 if metric.name in _OPEN_ONLY else counts.closed)
    if metric.labels[: len(FLOW_LABELS)] == FLOW_LABELS:
        return counts.flows
    if "batch" in metric.labels:
        return counts.configured
    if "slo" in metric.labels:
        return counts.objectives
    return counts.schedules if "schedule" in metric.labels else 1


def _values(metric: Metric, label: str, counts: Counts) -> int:
    """How many values of a label usually stand beside each other."""
    match label:
        case "outcome":
            return OUTCOMES_USUAL
        case "status":
            return STATUSES_USUAL
        case "collector" | "operation":
            return len(counts.collectors) + len(ALWAYS_READ)
    return len(dict(metric.values).get(label, ("",)))


def _counts(account: Account, config: Config, holding: Holding) -> Counts:
    adhoc = account.adhoc_batches
    per_schedule = config.metrics.batches_per_schedule
    matched = [holding.schedules if set(slo.schedule) & set("*?[") else 1 for slo in config.slos]
    return Counts(
        schedules=holding.schedules,
        flows=holding.flows + (holding.adhoc_flows if adhoc else 0),
        followed=len(holding.open) + len(account.batches),
        closed=(min(holding.schedules, holding.flows) + int(adhoc)) * per_schedule,
        configured=len(account.batches),
        objectives=sum(matched),
        collectors=frozenset(name for name, on in account.collectors if on),
    )


def _lines_each(metric: Metric, config: Config) -> int:
    if metric.type == "gauge":
        return 1
    if metric.type == "counter":
        return 2  # its value, and since when
    buckets = config.latency_boundaries if metric is RECORD_LATENCY else metric.buckets
    return len(buckets) + 4  # +Inf, sum, count, and since when
