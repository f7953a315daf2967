"""The batches that wait to be swept, and those that are being swept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class SweepQueue:
    """A set of batches, each with the time since it waits.

    Workers take the batch with the smallest `urgency` first. No two workers get the same batch.
    """

    urgency: Callable[[str], tuple[float, ...]]
    _since: dict[str, float] = field(default_factory=dict, init=False)
    _busy: set[str] = field(default_factory=set, init=False)
    _filled: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _emptied: asyncio.Event = field(default_factory=asyncio.Event, init=False)

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
        self._filled.set()
        self._emptied.clear()
        return True

    async def take(self) -> str:
        """Wait for a batch and take the most urgent one. Call `done` afterwards."""
        while not self._since:
            self._filled.clear()
            await self._filled.wait()
        batch_id = min(self._since, key=self.urgency)
        del self._since[batch_id]
        self._busy.add(batch_id)
        return batch_id

    def done(self, batch_id: str) -> None:
        """Record that a batch is no longer being swept."""
        self._busy.discard(batch_id)
        if not self._since and not self._busy:
            self._emptied.set()

    async def drained(self) -> None:
        """Wait until nothing waits and nothing is being swept."""
        if self._since or self._busy:
            await self._emptied.wait()
