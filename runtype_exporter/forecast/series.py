"""Forecast how many series and lines the metrics will have.

The number follows from the labels of a metric in the catalogue. The tables below name the
exceptions: metrics of a collector that can be off, and metrics whose series only appear when
something unusual happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtype_exporter import catalogue
from runtype_exporter.catalogue import BATCH_LABELS, CATALOGUE, FLOW_LABELS, RECORD_LATENCY, Metric
from runtype_exporter.config import Account, Config
from runtype_exporter.forecast.inventory import AccountInventory

PROCESS_LINES: Final = 16
"""Lines of `process_*` and `python_*` on Linux."""
OUTCOMES_USUAL: Final = 2
"""Success and failure exist from the start, the other outcomes from their first count on."""
STATUSES_USUAL: Final = 2
"""How many different status words the records of a batch usually have at its end."""

ALWAYS_READ: Final = ("results", "run_results", "status")
"""Reads that cannot be switched off."""

_RARE: Final = frozenset(
    metric.name
    for metric in (
        catalogue.RECORD_OUTCOME_CHANGES,
        catalogue.RECORD_INVALID_TIMESTAMPS,
        catalogue.COLLECTOR_FAILURES,
        catalogue.POLL_FAILURES,
        catalogue.BATCH_SWEEP_FAILURES,
        catalogue.OLDEST_PENDING_SWEEP,
        catalogue.ROWS_REJECTED,
    )
)
"""Metrics whose series only appear when something unusual happens."""

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
"""Metrics that depend on one collector."""

_OPEN_ONLY: Final = frozenset({catalogue.BATCH_STATE.name, catalogue.BATCH_OLDEST_UNFINISHED.name})
_CLOSED_ONLY: Final = frozenset({catalogue.BATCH_COST.name, catalogue.BATCH_COMPLETED.name})


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """How many series a metric has, and how many lines they take in the exposition.

    The lines are those of OpenMetrics, the longer of the two formats. `metrics.max_series` limits
    them.
    """

    metric: str
    series: int
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCounts:
    """How many things of each kind one account has."""

    schedules: int
    flows: int
    followed: int
    closed: int
    configured: int
    objectives: int
    """Pairs of an objective and a schedule that it matches."""
    collectors: frozenset[str]


def forecast_series(
    config: Config, inventories: Mapping[str, AccountInventory]
) -> list[SeriesForecast]:
    """Return a forecast for every metric that will have series.

    `inventories` are by account. The metrics of the process itself come last.
    """
    counts = [_counts(account, config, inventories[account.name]) for account in config.accounts]
    rows = []
    for metric in CATALOGUE:
        shared = "account" not in metric.labels
        found = (
            label_sets(metric, counts[0])
            if shared
            else sum(label_sets(metric, each) for each in counts)
        )
        if found:
            rows.append(SeriesForecast(metric.name, found, found * _lines_each(metric, config)))
    return [*rows, SeriesForecast("process_*, python_*", PROCESS_LINES, PROCESS_LINES)]


def label_sets(metric: Metric, counts: AccountCounts) -> int:
    """Return how many series of a metric one account usually has."""
    if metric.name in _RARE or _COLLECTOR.get(metric.name, "") not in {"", *counts.collectors}:
        return 0
    found = _described_things(metric, counts)
    for label in metric.labels:
        found *= _values(metric, label, counts)
    return found


def _described_things(metric: Metric, counts: AccountCounts) -> int:
    """Return how many things a metric describes: batches, flows, schedules, or the account."""
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


def _values(metric: Metric, label: str, counts: AccountCounts) -> int:
    """Return how many values of a label usually exist at the same time."""
    match label:
        case "outcome":
            return OUTCOMES_USUAL
        case "status":
            return STATUSES_USUAL
        case "source":
            # An account's time comes from one of them.
            return 1
        case "collector" | "operation":
            return len(counts.collectors) + len(ALWAYS_READ)
    return len(dict(metric.values).get(label, ("",)))


def _counts(account: Account, config: Config, inventory: AccountInventory) -> AccountCounts:
    adhoc = account.adhoc_batches
    per_schedule = config.metrics.batches_per_schedule
    matched = [inventory.schedules if set(slo.schedule) & set("*?[") else 1 for slo in config.slos]
    return AccountCounts(
        schedules=inventory.schedules,
        flows=inventory.flows + (inventory.adhoc_flows if adhoc else 0),
        followed=len(inventory.open) + len(account.batches),
        closed=(min(inventory.schedules, inventory.flows) + int(adhoc)) * per_schedule,
        configured=len(account.batches),
        objectives=sum(matched),
        collectors=frozenset(name for name, on in account.collectors if on),
    )


def _lines_each(metric: Metric, config: Config) -> int:
    if metric.type == "gauge":
        return 1
    if metric.type == "counter":
        # The value, and the time of creation.
        return 2
    buckets = config.latency_boundaries if metric is RECORD_LATENCY else metric.buckets
    # In addition: the bucket +Inf, the sum, the count, and the time of creation.
    return len(buckets) + 4
