"""The limit of lines in the exposition (`metrics.max_series`), and who gets them.

Counters come first; the gauges of single batches share what is left. Lines are those of OpenMetrics
without comments, because it is the longer of the two formats.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, Protocol, TypeVar

from runtype_exporter import catalogue
from runtype_exporter.catalogue import CATALOGUE
from runtype_exporter.protocols import ignore

NEARLY = 0.9
"""The share of the limit above which no new label set gets counters. The rest is kept for further
outcomes of existing label sets."""
RELUCTANCE = 0.02
"""The share of the limit that must be free before a batch that lost its lines gets them back. It
keeps gauges from appearing and disappearing again and again."""
UNKNOWN_PROCESS = 400
"""The lines assumed for the process metrics until they are first read: a few more than one account
has."""
PER_BATCH = frozenset(
    metric.name
    for metric in CATALOGUE
    if metric.owner == "snapshot"
    and "batch" in metric.labels
    and metric is not catalogue.BATCH_FOUND
)
"""The metrics that are dropped when there are too many lines."""

DropKind = Literal["batch", "overflow"]


def _none() -> int:
    return 0


class MaxSeries:
    """Implements `protocols.SeriesLimit`.

    `durable` returns how many lines the durable series have now. `on_dropped` is called with a kind
    and the number of label sets that got no series.
    """

    def __init__(
        self,
        limit: int = sys.maxsize,
        *,
        label_set: int = 0,
        durable: Callable[[], int] = _none,
        on_dropped: Callable[[DropKind, int], None] = ignore,
    ) -> None:
        self.limit = limit
        self.label_set = label_set
        self._durable = durable
        self._on_dropped = on_dropped
        self._others = UNKNOWN_PROCESS
        self._taken = 0

    def configure(self, limit: int, *, label_set: int) -> None:
        """Apply a reloaded configuration."""
        self.limit = limit
        self.label_set = label_set

    @property
    def batches(self) -> int:
        """Return how many lines are left for the gauges of single batches."""
        return max(0, self.limit - self._taken)

    @property
    def reluctance(self) -> int:
        """Return how many lines must stay free when a batch gets its lines back."""
        return int(self.limit * RELUCTANCE)

    def take(self, lines: int, *, process: int | None) -> None:
        """Set the lines that are taken by everything but the gauges of single batches.

        `lines` are those of counters and other gauges, `process` those of the process's own metrics
        (None: not known yet).
        """
        self._taken = lines + (process or 0)
        self._others = lines - self._durable() + (UNKNOWN_PROCESS if process is None else process)

    def allows_more(self, promised: int = 0) -> bool:
        """Return whether another label set may have counters of its own.

        `promised` label sets were already allowed but are not in the ledger yet.
        """
        return (
            self._others + self._durable() + (promised + 1) * self.label_set <= self.limit * NEARLY
        )

    def overflowed(self) -> None:
        """Count a label set that was pooled into the shared one because of the limit."""
        self._on_dropped("overflow", 1)

    def dropped(self, batches: int) -> None:
        """Count batches whose gauges were dropped because of the limit."""
        self._on_dropped("batch", batches)


class Contender(Protocol):
    """Something that needs lines. `visible` is None until that is first decided."""

    visible: bool | None

    @property
    def lines(self) -> int:
        """Return how many lines it needs."""
        ...


C = TypeVar("C", bound=Contender)


def choose(contenders: Iterable[C], series_limit: MaxSeries) -> Iterator[tuple[C, bool]]:
    """Share the lines that are left among contenders, in their order.

    Yield each contender whose visibility changes, and its new visibility. A visible contender keeps
    its lines while they last; a hidden one gets lines only if `reluctance` more are free.
    """
    left = series_limit.batches
    for contender in contenders:
        fits = contender.lines <= left - (
            series_limit.reluctance if contender.visible is False else 0
        )
        left -= contender.lines if fits else 0
        if fits != contender.visible:
            yield contender, fits


def label_set_lines(boundaries: dict[str, tuple[float, ...]], slos: int) -> int:
    """Return how many lines the counters of one schedule and flow take at the most.

    `boundaries` are those of the histograms, `slos` is the number of objectives.
    """
    lines = 0
    for metric in CATALOGUE:
        if metric.owner != "ledger" or "schedule" not in metric.labels:
            continue
        series = slos if "slo" in metric.labels else 1
        for _, values in metric.values:
            series *= len(values)
        lines += series * (len(boundaries[metric.name]) + 4 if metric.type == "histogram" else 2)
    return lines
