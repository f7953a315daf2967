"""Copies of the ledger's counters for rules to compute with, free of which process served them.

The ledger's counters go on over restarts, so the copy of a replaced pod goes on too, and of a pair
of exporters on one ledger it is the one that is further. `increase` is always taken of the copy:
the greatest of two increases would lose what each of them missed while down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runtype_exporter.catalogue import (
    BATCH_DURATION,
    BATCHES_FINISHED,
    COST,
    RECORD_LATENCY,
    RECORDS_FINISHED,
    SCHEDULE_RUNS_FINISHED,
    SCHEDULE_STARTS,
    SLO_EVENTS,
    Metric,
)
from runtype_exporter.rules.rule import Record
from runtype_exporter.rules.windows import DAY

FINE_INTERVAL: Final = 60.0
COARSE_INTERVAL: Final = 240.0
"""Shorter than Prometheus' five minutes of looking back for a sample, or what is recorded would be
missing now and then."""
COARSE_FROM: Final = DAY
"""Windows of this length, seconds, and longer ones are taken of coarse copies: of 30 days a sample
a minute is too much to read."""
_FINE_SEED: Final = "5m"
_COARSE_SEED: Final = "10m"

_FINE: Final = (
    RECORDS_FINISHED,
    RECORD_LATENCY,
    BATCHES_FINISHED,
    SCHEDULE_RUNS_FINISHED,
    SCHEDULE_STARTS,
    SLO_EVENTS,
)
_COARSE: Final = (RECORD_LATENCY, BATCH_DURATION, SCHEDULE_RUNS_FINISHED, COST, SLO_EVENTS)


def served(expr: str) -> str:
    """A value of whichever processes serve it: the greatest one."""
    return f"max without (instance, pod) ({expr})"


def copy(metric: Metric, window: float) -> str:
    """The name of the copy that an increase over this window, seconds, is taken of."""
    coarse = window >= COARSE_FROM
    if metric not in (_COARSE if coarse else _FINE):
        raise ValueError(f"no {'coarse' if coarse else 'fine'} copy of {metric.name} is recorded")
    return _name(metric, coarse=coarse)


def fine_copies() -> Iterator[Record]:
    """The copies for windows shorter than a day."""
    for metric in _FINE:
        yield _copied(metric, coarse=False)


def coarse_copies() -> Iterator[Record]:
    """The copies for windows of days."""
    for metric in _COARSE:
        yield _copied(metric, coarse=True)


def _name(metric: Metric, *, coarse: bool) -> str:
    return f"runtype:{_sample(metric).removeprefix('runtype_')}:max{'4m' if coarse else ''}"


def _sample(metric: Metric) -> str:
    return f"{metric.name}_bucket" if metric.type == "histogram" else metric.name


def _copied(metric: Metric, *, coarse: bool) -> Record:
    """The copy of one counter.

    Its first sample decides what its increase can ever see. So a copy that begins, or begins again
    after a gap, begins with the least value of the last minutes: the 0 that a new series shows for
    one scrape, which an evaluation may miss. All ranges are of one length: what is older than the
    copy's last sample is then out of reach, and a copy never falls but where its counter did.
    """
    name, sample, seed = (
        _name(metric, coarse=coarse),
        _sample(metric),
        _COARSE_SEED if coarse else _FINE_SEED,
    )
    goes_on = f"last_over_time({name}[{seed}])"
    begins = served(f"min_over_time({sample}[{seed}])")
    return Record(name, f"  {served(sample)} and {goes_on}\nor\n  {begins} unless {goes_on}")
