"""The batches that wait to be swept, and those being swept.

It must not know why a batch waits or what comes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class SweepQueue:
    """A set with a waiting time a batch; workers take the one that `urgency` puts first.

    No batch is swept by two workers.
    """

    urgency: Callable[[str], tuple[float, ...]]
    _since: dict[str, float] = field(default_factory=dict, init=False)
    _busy: set[str] = field(default_factory=set, init=False)
    _filled: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _emptied: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __len__(self) -> int:
        """How many batches wait, those being swept left out."""
        return len(self._since)

    @property
    def oldest(self) -> float | None:
        """Since when the batch that waits longest waits."""
        return min(self._since.values(), default=None)

    def add(self, batch_id: str, now: float) -> bool:
        """Let a batch wait. False if it waits or is being swept already."""
        if batch_id in self._since or batch_id in self._busy:
            return False
        self._since[batch_id] = now
        self._filled.set()
        self._emptied.clear()
        return True

    async def take(self) -> str:
        """The most urgent batch, once there is one. `done` must follow."""
        while not self._since:
            self._filled.clear()
            await self._filled.wait()
        batch_id = min(self._since, key=self.urgency)
        del self._since[batch_id]
        self._busy.add(batch_id)
        return batch_id

    def done(self, batch_id: str) -> None:
        """The batch is not being swept any more."""
        self._busy.discard(batch_id)
        if not self._since and not self._busy:
            self._emptied.set()

    async def drained(self) -> None:
        """Wait until nothing waits and nothing is being swept."""
        if self._since or self._busy:
            await self._emptied.wait()
