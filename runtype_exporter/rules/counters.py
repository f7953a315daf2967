"""Recorded copies of the ledger's counters, without the labels of the process that served them.

The ledger's counters continue after a restart. So the copy continues when a pod is replaced, and
for two exporters on one ledger it follows the one that is ahead. `increase` is always taken of the
copy, because the maximum of two increases would lose what each exporter missed while it was down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runtype_exporter.catalogue import (
    BATCH_DURATION,
    BATCHES_FINISHED,
    BATCHES_GIVEN_UP,
    COST,
    RECORD_LATENCY,
    RECORDS_FINISHED,
    SCHEDULE_RUNS_FINISHED,
    SCHEDULE_STARTS,
    SLO_EVENTS,
    Metric,
)
from runtype_exporter.limits import DAY
from runtype_exporter.rules.rule import RecordingRule

FINE_INTERVAL: Final = 60.0
COARSE_INTERVAL: Final = 240.0
"""Shorter than the five minutes that Prometheus looks back for a sample. With a longer interval,
recorded values would be missing at times."""
COARSE_FROM: Final = DAY
"""Windows of this length (seconds) or longer read the coarse copies. One sample per minute over 30
days would be too many to read."""
_FINE_LOOKBACK: Final = "5m"
_COARSE_LOOKBACK: Final = "10m"

_FINE: Final = (
    RECORDS_FINISHED,
    RECORD_LATENCY,
    BATCHES_FINISHED,
    BATCHES_GIVEN_UP,
    SCHEDULE_RUNS_FINISHED,
    SCHEDULE_STARTS,
    SLO_EVENTS,
)
_COARSE: Final = (RECORD_LATENCY, BATCH_DURATION, SCHEDULE_RUNS_FINISHED, COST, SLO_EVENTS)


def across_instances(expr: str) -> str:
    """Return the greatest value of all exporter instances."""
    return f"max without (instance, pod) ({expr})"


def copy_name(metric: Metric, window: float) -> str:
    """Return the name of the copy for an increase over this window (seconds).

    Raises:
        ValueError: no such copy is recorded.
    """
    coarse = window >= COARSE_FROM
    if metric not in (_COARSE if coarse else _FINE):
        raise ValueError(f"no {'coarse' if coarse else 'fine'} copy of {metric.name} is recorded")
    return _name(metric, coarse=coarse)


def fine_copies() -> Iterator[RecordingRule]:
    """Return the copies for windows shorter than a day."""
    for metric in _FINE:
        yield _copy_rule(metric, coarse=False)


def coarse_copies() -> Iterator[RecordingRule]:
    """Return the copies for windows of a day and more."""
    for metric in _COARSE:
        yield _copy_rule(metric, coarse=True)


def _name(metric: Metric, *, coarse: bool) -> str:
    return f"runtype:{_sample(metric).removeprefix('runtype_')}:max{'4m' if coarse else ''}"


def _sample(metric: Metric) -> str:
    return f"{metric.name}_bucket" if metric.type == "histogram" else metric.name


def _copy_rule(metric: Metric, *, coarse: bool) -> RecordingRule:
    """Return the rule that copies one counter.

    `increase` only sees what is above the first sample of the copy. So a copy that begins, or
    begins again after a gap, begins with the lowest value of the last minutes: a new series shows 0
    for one scrape, which an evaluation may miss. All ranges have the same length. Then no range
    reaches behind the last sample of the copy, and the copy only falls where its counter fell.
    """
    name, sample, lookback = (
        _name(metric, coarse=coarse),
        _sample(metric),
        _COARSE_LOOKBACK if coarse else _FINE_LOOKBACK,
    )
    previous = f"last_over_time({name}[{lookback}])"
    first = across_instances(f"min_over_time({sample}[{lookback}])")
    return RecordingRule(
        name, f"  {across_instances(sample)} and {previous}\nor\n  {first} unless {previous}"
    )
