"""Every alert that does not belong to one objective, and what they compare with.

On the exporter, and on the work that it watches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runtype_exporter.catalogue import BATCH_DURATION, COST, RECORD_LATENCY
from runtype_exporter.config import Config
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
from runtype_exporter.rules.counters import COARSE_INTERVAL, FINE_INTERVAL, copy
from runtype_exporter.rules.rule import Group, Record
from runtype_exporter.rules.windows import DAY, HOUR, MINUTE

_STALE_AFTER: Final = 15 * MINUTE
_CYCLES_TO_STALE: Final = 3
_CYCLE_REQUESTS: Final = 2
_DISCOVERY_SHARE: Final = 0.25
"""Of the budget: an account with a small one is polled less often than `poll.interval` says. A test
holds it equal to the budget's own."""


def alert_groups(config: Config) -> tuple[Group, ...]:
    """The alerts, in the groups that they are evaluated in."""
    return (
        Group("runtype-exporter", FINE_INTERVAL, exporter_alerts(stale_after(config))),
        Group("runtype-work", FINE_INTERVAL, tuple(work_alerts())),
    )


def stale_after(config: Config) -> float:
    """How old the last good cycle of an account may be before nothing of it can be judged, seconds."""
    slowest = min(account.requests_per_hour for account in config.accounts)
    interval = max(config.poll.interval, _CYCLE_REQUESTS * HOUR / (slowest * _DISCOVERY_SHARE))
    return max(_STALE_AFTER, _CYCLES_TO_STALE * interval)


def history_group() -> Group:
    """What batches and records usually take and cost: read of days, so not every minute."""
    return Group("runtype-history", COARSE_INTERVAL, tuple(_history()))


def _history() -> Iterator[Record]:
    duration = f'increase({copy(BATCH_DURATION, DAY)}{{outcome="success"}}[14d])'
    every = f'increase({copy(BATCH_DURATION, DAY)}{{outcome="success",le="+Inf"}}[14d])'
    yield Record(
        DURATION_P95,
        f"histogram_quantile(0.95, sum without (outcome) ({duration}))\n"
        f"and sum without (outcome, le) ({every}) >= {MIN_BATCHES}",
    )
    for name, source, window in (
        (LATENCY_P90_NOW, copy(RECORD_LATENCY, HOUR), "1h"),
        (LATENCY_P90_USUAL, copy(RECORD_LATENCY, DAY), "7d"),
    ):
        buckets = f'increase({source}{{outcome="success"}}[{window}])'
        results = f'increase({source}{{outcome="success",le="+Inf"}}[{window}])'
        yield Record(
            name,
            f"histogram_quantile(0.9, sum without (outcome) ({buckets}))\n"
            f"and sum without (outcome, le) ({results}) >= {MIN_RESULTS}",
        )
    yield Record(COST_OF_A_DAY, f"sum without (flow) (increase({copy(COST, DAY)}[1d]))")
