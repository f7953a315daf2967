"""The batches that wait to be swept."""

from __future__ import annotations

import asyncio

from runtype_exporter.polling.sweeps.queue import SweepQueue


async def test_the_most_urgent_batch_comes_first():
    queue = SweepQueue(lambda batch: ({"slow": 2.0, "closing": 0.0, "stale": 1.0}[batch],))
    for batch in ("slow", "closing", "stale"):
        assert queue.add(batch, 0.0)
    assert [await queue.take() for _ in range(3)] == ["closing", "stale", "slow"]


async def test_a_batch_waits_once_and_not_while_it_is_being_swept():
    queue = SweepQueue(lambda batch: (0.0,))
    assert queue.add("a", 1.0)
    assert not queue.add("a", 2.0)
    assert (len(queue), queue.oldest) == (1, 1.0)
    assert await queue.take() == "a"
    assert not queue.add("a", 3.0)
    queue.done("a")
    assert queue.add("a", 4.0)
    assert queue.oldest == 4.0


async def test_takers_wait_for_work_and_the_drained_for_its_end():
    queue = SweepQueue(lambda batch: (0.0,))
    await queue.drained()
    taker = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.add("a", 0.0)
    drained = asyncio.create_task(queue.drained())
    assert await taker == "a"
    await asyncio.sleep(0)
    assert not drained.done()
    queue.done("a")
    await drained
    assert queue.oldest is None
