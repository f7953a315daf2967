"""Publish what changed as one immutable exposition, at most once a second.

Only the variants that somebody asks for are kept rendered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NoReturn, Protocol

from runtype_exporter.catalogue import CATALOGUE
from runtype_exporter.clock import Clock
from runtype_exporter.metrics.first_scrape import FirstScrapeGate
from runtype_exporter.metrics.gzip import ResponseBody
from runtype_exporter.metrics.series_limit import PER_BATCH, MaxSeries
from runtype_exporter.metrics.shards import Assembler, Piece, Renderer, Variant, make_piece
from runtype_exporter.metrics.text import ExpositionFormat
from runtype_exporter.model import Snapshot

TICK = 1.0
"""Seconds between two publications."""
DEMAND = 600.0
"""Seconds after the last request for a variant until it is no longer rendered."""
PROCESS_AGE = 5.0
"""Seconds after which the process metrics (CPU, memory) are read again although nothing else
happened."""

_YIELD_EVERY = 2
"""Shards rendered before other tasks may run. One takes about 0.3 ms, so that a scrape that waits
for the event loop is not delayed noticeably."""


class ProcessSource(Protocol):
    """The process metrics as the publisher needs them."""

    @property
    def changed(self) -> bool:
        """Return whether anything was counted since the last `refresh`."""
        ...

    def refresh(self, lines: int) -> int:
        """Take the numbers as they are now. Return the lines of the whole exposition.

        `lines` is how many lines the other metrics have. Comments are not counted.
        """
        ...

    @property
    def created_lines(self) -> int:
        """Return the number of `_created` lines, which only OpenMetrics has."""
        ...

    def chunk(self, format_: ExpositionFormat) -> bytes:
        """Return the text of what `refresh` took, with the end of the exposition."""
        ...


@dataclass(frozen=True, slots=True)
class Exposition:
    """All that scrapes show at one moment, in the variants that are asked for.

    `lines`: comments left out.
    """

    version: int
    lines: int = 0
    bodies: Mapping[Variant, ResponseBody] = field(default_factory=lambda: MappingProxyType({}))


class Publisher:
    """Turns snapshots into expositions.

    Publish once after the ledger was opened and before anything is counted: the values of the first
    snapshot are taken for restored ones.
    """

    def __init__(  # noqa: PLR0913  # each is a neighbour, named where it is given
        self,
        *,
        ledger: Callable[[], Snapshot],
        gauges: Callable[[], Snapshot],
        process: ProcessSource,
        clock: Clock,
        gate: bool = True,
        series_limit: MaxSeries | None = None,
    ) -> None:
        self._ledger = ledger
        self._gauges = gauges
        self._process = process
        self._clock = clock
        self._gate = FirstScrapeGate(open_=not gate)
        self._series_limit = series_limit or MaxSeries()
        self._process_lines: int | None = None
        self._renderer = Renderer(metric for metric in CATALOGUE if metric.owner != "process")
        self._assemblers: dict[Variant, Assembler] = {}
        self._demand: dict[Variant, float] = {}
        self._process_pieces: dict[Variant, Piece] = {}
        self._process_at = float("-inf")
        # The lines of all other metrics when the process metrics were taken.
        self._other_lines = 0
        self._lines = 0
        self._version = 0
        self._current = Exposition(0)

    @property
    def current(self) -> Exposition:
        """Return what is published now. Version 0 is empty: nothing was published yet."""
        return self._current

    def body(self, variant: Variant) -> tuple[int, ResponseBody]:
        """Return the version and the body that answer a scrape.

        The body is rendered now if the variant was not asked for recently. Pass the version to
        `served`.
        """
        self._demand[variant] = self._clock.now()
        if not self._version:
            self.publish_now()
        body = self._current.bodies.get(variant)
        if body is None:
            self._swap()
            body = self._current.bodies[variant]
        return self._current.version, body

    def served(self, version: int) -> None:
        """Record that a scrape got this version completely.

        Values that were held until their series were scraped may follow.
        """
        self._gate.served(version)

    def publish_now(self) -> None:
        """Publish what changed before this returns."""
        self._apply()
        if self._current.version < self._version:
            self._swap()

    async def publish(self) -> None:
        """Publish what changed; let other tasks run while much is rendered."""
        self._apply()
        for count, _ in enumerate(self._renderer.render(self._demand)):
            if count % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        # Otherwise nothing changed, or somebody could not wait.
        if self._current.version < self._version:
            self._swap()

    async def run(self) -> NoReturn:
        """Publish every `TICK` seconds without end."""
        while True:
            await self.publish()
            await asyncio.sleep(TICK)

    def _apply(self) -> None:
        """Apply all changes to the renderer in one step.

        Any change makes a new version.
        """
        now = self._clock.now()
        self._forget_demand(now)
        version = self._version + 1
        changed = not self._version
        for changes in (self._gate.release(now), self._gate.hold(self._ledger(), version, now)):
            for name, labels, sample in changes:
                changed |= self._renderer.update(name, labels, sample)
        changed |= self._update_gauges()
        # Else too old, or from before the clock was set back.
        fresh = 0 <= now - self._process_at < PROCESS_AGE
        if self._process.changed or not fresh or self._renderer.lines != self._other_lines:
            self._process_pieces.clear()
            changed |= bool(self._demand)
        if changed:
            self._version = version

    def _update_gauges(self) -> bool:
        """Apply the changes of the gauges, after everything else has the lines it needs.

        Return whether any changed.
        """
        rest = (
            self._renderer.lines + self._renderer.created_lines - self._renderer.lines_of(PER_BATCH)
        )
        self._series_limit.take(rest, process=self._process_lines)
        changed = False
        for name, family in self._gauges().families.items():
            changed |= self._renderer.update_family(name, family)
        return changed

    def _swap(self) -> None:
        """Publish the renderer's state. A new variant joins the same version."""
        known = self._current.bodies if self._current.version == self._version else {}
        if not self._process_pieces:
            if self._refresh() > self._series_limit.limit and self._renderer.lines_of(PER_BATCH):
                # The process metrics grew after the batches got the lines that were left.
                self._update_gauges()
                self._refresh()
            self._other_lines, self._process_at = self._renderer.lines, self._clock.now()
        bodies = {
            variant: known.get(variant) or self._assemble(variant) for variant in self._demand
        }
        self._current = Exposition(self._version, self._lines, MappingProxyType(bodies))

    def _refresh(self) -> int:
        """Take the process metrics as they are now.

        Return the lines of everything in OpenMetrics, which is the longer format.
        """
        lines = self._renderer.lines
        self._lines = self._process.refresh(lines)
        self._process_lines = self._lines - lines + self._process.created_lines
        return self._lines + self._process.created_lines + self._renderer.created_lines

    def _assemble(self, variant: Variant) -> ResponseBody:
        format_, encoding = variant
        process = self._process_pieces.get(variant)
        if process is None:
            process = self._process_pieces[variant] = make_piece(
                self._process.chunk(format_), encoding
            )
        assembler = self._assemblers.setdefault(variant, Assembler())
        return assembler.body([*self._renderer.pieces(variant), process])

    def _forget_demand(self, now: float) -> None:
        for variant in [variant for variant, at in self._demand.items() if now - at >= DEMAND]:
            del self._demand[variant]
            self._process_pieces.pop(variant, None)
            self._assemblers.pop(variant, None)
            self._renderer.drop(variant)
            bodies = {key: body for key, body in self._current.bodies.items() if key != variant}
            self._current = replace(self._current, bodies=MappingProxyType(bodies))
