"""How many lines the exposition may have, and who gets them.

Counters first, the gauges of single batches out of what is left.

It counts lines and must not know what they say. Lines are those of OpenMetrics, comments left out:
the longer of the two formats.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, Protocol, TypeVar

from runtype_exporter import catalogue
from runtype_exporter.catalogue import CATALOGUE
from runtype_exporter.protocols import ignore

NEARLY = 0.9
"""The share of the limit beyond which no new label set gets counters: those that there are may
still grow by further outcomes."""
RELUCTANCE = 0.02
"""The share of the limit that must be free besides, before what lost its lines gets them back: so
that nothing flaps."""
UNKNOWN_PROCESS = 400
"""For how many lines the process's own numbers are taken until they are first read: some more than
one account has."""
PER_BATCH = frozenset(
    metric.name
    for metric in CATALOGUE
    if metric.owner == "snapshot"
    and "batch" in metric.labels
    and metric is not catalogue.BATCH_FOUND
)
"""The metrics that give way where there are too many lines."""

DropKind = Literal["batch", "overflow"]


def _none() -> int:
    return 0


class MaxSeries:
    """Implements `protocols.SeriesLimit`.

    Publishing tells it what is taken, the gauges of batches ask what is left.

    `durable` tells how many lines the durable series take at present, `on_dropped` hears how many
    label sets of a kind went without.
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
        """Take over a reloaded configuration."""
        self.limit = limit
        self.label_set = label_set

    @property
    def batches(self) -> int:
        """How many lines are left for the gauges of single batches."""
        return max(0, self.limit - self._taken)

    @property
    def reluctance(self) -> int:
        """How many of them must stay free where a batch that lost its lines is to get them back."""
        return int(self.limit * RELUCTANCE)

    def take(self, lines: int, *, process: int | None) -> None:
        """Set the lines that are taken by everything but the gauges of single batches.

        `lines` are those of counters and other gauges, `process` those of the process's own metrics
        (None: not known yet).
        """
        self._taken = lines + (process or 0)
        self._others = lines - self._durable() + (UNKNOWN_PROCESS if process is None else process)

    def has_room(self, promised: int = 0) -> bool:
        """Whether another label set may have counters of its own, besides `promised` ones that the ledger does not hold yet."""
        return (
            self._others + self._durable() + (promised + 1) * self.label_set <= self.limit * NEARLY
        )

    def overflowed(self) -> None:
        """A label set went into the one that is kept for all beyond the limit."""
        self._on_dropped("overflow", 1)

    def dropped(self, batches: int) -> None:
        """So many batches lost their gauges, or got none."""
        self._on_dropped("batch", batches)


class Contender(Protocol):
    """Whatever wants lines. `visible` is None as long as that was never decided."""

    visible: bool | None

    @property
    def lines(self) -> int:
        """How many it wants."""
        ...


C = TypeVar("C", bound=Contender)


def choose(contenders: Iterable[C], series_limit: MaxSeries) -> Iterator[tuple[C, bool]]:
    """Share out the lines that are left, those who come first first.

    Whose visibility changes, and how.

    Whoever has lines keeps them as long as they last; whoever lost them gets them back only once
    there is room to spare.
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
    """How many lines the counters of one schedule and flow take at the most, with these histogram boundaries and so many objectives."""
    lines = 0
    for metric in CATALOGUE:
        if metric.owner != "ledger" or "schedule" not in metric.labels:
            continue
        series = slos if "slo" in metric.labels else 1
        for _, values in metric.values:
            series *= len(values)
        lines += series * (len(boundaries[metric.name]) + 4 if metric.type == "histogram" else 2)
    return lines
