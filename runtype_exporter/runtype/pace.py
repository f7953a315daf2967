"""Give the event loop turns during long work on a large answer.

A thread would not help: inflating and decoding hold the interpreter's lock.
"""

from __future__ import annotations

import asyncio
from typing import Final

SLICE: Final = 256 * 1024
"""The bytes that are worked on between two turns of the loop. That takes some milliseconds."""


class Pace:
    """Counts work and lets the event loop run after each slice of it."""

    def __init__(self) -> None:
        self._done = 0

    async def worked(self, amount: int) -> None:
        """Count work on so many bytes. Yield to the event loop after each slice."""
        self._done += amount
        if self._done >= SLICE:
            self._done = 0
            await asyncio.sleep(0)
