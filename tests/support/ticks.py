"""Count the turns that the event loop gets while something works."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def turns_during(work: Awaitable[object]) -> int:
    """Return how often another task could run while `work` did."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    # The task begins, and waits for its first turn.
    await asyncio.sleep(0)
    before = turns
    try:
        await work
    finally:
        counting.cancel()
    return turns - before
