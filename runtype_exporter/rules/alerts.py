"""The alerts that do not belong to an objective, and the recording rules that they compare with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runtype_exporter.catalogue import BATCH_DURATION, COST, RECORD_LATENCY
from runtype_exporter.config import Config
from runtype_exporter.limits import DAY, HOUR, MINUTE, shortest_cycle_interval
from runtype_exporter.rules.alerts_exporter import exporter_alerts
from runtype_exporter.rules.alerts_work import (
    COST_OF_A_DAY,
    DURATION_P95,
    LATENCY_P90_NOW,
    LATENCY_P90_USUAL,
    MIN_BATCHES,
    MIN_RESULTS,
    work_alerts,
)
from runtype_exporter.rules.counters import COARSE_INTERVAL, FINE_INTERVAL, copy_name
from runtype_exporter.rules.rule import RecordingRule, RuleGroup

_STALE_AFTER: Final = 15 * MINUTE
_CYCLES_TO_STALE: Final = 3
_CYCLE_REQUESTS: Final = 2


def alert_groups(config: Config) -> tuple[RuleGroup, ...]:
    """Return the alerts in their groups."""
    return (
        RuleGroup("runtype-exporter", FINE_INTERVAL, exporter_alerts(stale_after(config))),
        RuleGroup("runtype-work", FINE_INTERVAL, tuple(work_alerts())),
    )


def stale_after(config: Config) -> float:
    """Return how old the last successful cycle of an account may be, in seconds.

    When it is older, the metrics of the account are stale.
    """
    slowest = min(account.requests_per_hour for account in config.accounts)
    interval = max(config.poll.interval, shortest_cycle_interval(_CYCLE_REQUESTS, slowest))
    return max(_STALE_AFTER, _CYCLES_TO_STALE * interval)


def history_group() -> RuleGroup:
    """Return the recording rules for usual durations, latencies and costs.

    They read several days, so they are not evaluated every minute.
    """
    return RuleGroup("runtype-history", COARSE_INTERVAL, tuple(_history()))


def _history() -> Iterator[RecordingRule]:
    duration = f'increase({copy_name(BATCH_DURATION, DAY)}{{outcome="success"}}[14d])'
    every = f'increase({copy_name(BATCH_DURATION, DAY)}{{outcome="success",le="+Inf"}}[14d])'
    yield RecordingRule(
        DURATION_P95,
        f"histogram_quantile(0.95, sum without (outcome) ({duration}))\n"
        f"and sum without (outcome, le) ({every}) >= {MIN_BATCHES}",
    )
    for name, source, window in (
        (LATENCY_P90_NOW, copy_name(RECORD_LATENCY, HOUR), "1h"),
        (LATENCY_P90_USUAL, copy_name(RECORD_LATENCY, DAY), "7d"),
    ):
        buckets = f'increase({source}{{outcome="success"}}[{window}])'
        results = f'increase({source}{{outcome="success",le="+Inf"}}[{window}])'
        yield RecordingRule(
            name,
            f"histogram_quantile(0.9, sum without (outcome) ({buckets}))\n"
            f"and sum without (outcome, le) ({results}) >= {MIN_RESULTS}",
        )
    yield RecordingRule(COST_OF_A_DAY, f"sum without (flow) (increase({copy_name(COST, DAY)}[1d]))")
