"""The batches that wait to be swept, and those that are being swept: which is next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

EVERY: Final = 20
"""A class that waits gets at least one batch in about so many."""


class SweepClass(IntEnum):
    """What a batch is swept for. A lower class is served first."""

    CLOSING = 0
    """It has ended, so its counts are late."""
    RUNNING = 1
    FAILING = 2
    """Its last read failed. The next one may keep a worker busy until it times out."""


@dataclass(slots=True)
class SweepQueue:
    """A set of batches, each with the time since it waits. No two workers get the same batch.

    The workers take the lower classes first, and within a class the batch that was added first.
    No class waits forever: every 20th batch is one of each class that waits. With two workers or
    more, one is free for running batches, and half of them at most serve batches that failed.
    """

    workers: int
    classify: Callable[[str], SweepClass]
    _since: dict[str, float] = field(default_factory=dict, init=False)
    """The batches that wait, in the order of their addition."""
    _busy: dict[str, SweepClass] = field(default_factory=dict, init=False)
    _passed_over: dict[SweepClass, int] = field(
        default_factory=lambda: dict.fromkeys(SweepClass, 0), init=False
    )
    """How many batches of other classes were taken while a class waited."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _drained: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __len__(self) -> int:
        """Return how many batches wait. Those that are being swept are not counted."""
        return len(self._since)

    @property
    def oldest(self) -> float | None:
        """Return since when the batch waits that waits longest, None if none waits."""
        return min(self._since.values(), default=None)

    def add(self, batch_id: str, now: float) -> bool:
        """Add a batch. Return False if it waits or is being swept already."""
        if batch_id in self._since or batch_id in self._busy:
            return False
        self._since[batch_id] = now
        self._changed.set()
        return True

    async def take(self) -> str:
        """Wait until there is a batch for one more worker, and take it. Call `done` afterwards."""
        while (taken := self._next()) is None:
            self._changed.clear()
            await self._changed.wait()
        batch_id, served = taken
        del self._since[batch_id]
        self._busy[batch_id] = served
        return batch_id

    def done(self, batch_id: str, again: float | None = None) -> None:
        """Record that a batch is no longer being swept, or that it waits again since `again`."""
        del self._busy[batch_id]
        if again is not None:
            self._since[batch_id] = again
        self._changed.set()
        self._drained.set()

    async def drained(self) -> None:
        """Wait until nothing waits and nothing is being swept."""
        while self._since or self._busy:
            self._drained.clear()
            await self._drained.wait()

    def _next(self) -> tuple[str, SweepClass] | None:
        """Return the batch for one more worker and its class, None if it must wait."""
        first: dict[SweepClass, str] = {}
        for batch_id in self._since:
            first.setdefault(self.classify(batch_id), batch_id)
        free = sorted(class_ for class_ in first if self._may_serve(class_))
        if not free:
            return None
        longest = max(free, key=self._passed_over.__getitem__)
        served = longest if self._passed_over[longest] >= EVERY - 1 else free[0]
        for waiting in first:
            self._passed_over[waiting] += 1
        self._passed_over[served] = 0
        return first[served], served

    def _may_serve(self, class_: SweepClass) -> bool:
        """Return whether one more worker may serve a class."""
        busy = self._busy.values()
        if self.workers == 1 or class_ is SweepClass.RUNNING:
            return True
        if sum(other is not SweepClass.RUNNING for other in busy) >= self.workers - 1:
            return False
        failing = sum(other is SweepClass.FAILING for other in busy)
        return class_ is not SweepClass.FAILING or failing < self.workers // 2
