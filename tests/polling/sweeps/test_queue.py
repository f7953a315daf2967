"""The batches that wait to be swept: the order, and that none waits forever."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtype_exporter.polling.sweeps.queue import EVERY, SweepClass, SweepQueue
from tests.support.virtual import run

CLASSES = {
    "C": SweepClass.CLOSING,
    "R": SweepClass.RUNNING,
    "F": SweepClass.FAILING,
}
"""The class of a batch by the first letter of its id."""


def queue_of(workers: int, *batches: str) -> SweepQueue:
    queue = SweepQueue(workers, lambda batch: CLASSES[batch[0]])
    for batch in batches:
        assert queue.add(batch, 0.0)
    return queue


async def taken(queue: SweepQueue) -> str | None:
    """The batch for one more worker, None if it would have to wait."""
    try:
        async with asyncio.timeout(1):
            return await queue.take()
    except TimeoutError:
        return None


async def test_ended_batches_come_first_and_those_that_failed_last():
    queue = queue_of(1, "F1", "R1", "C1", "R2", "C2")
    assert [await queue.take() for _ in range(5)] == ["C1", "C2", "R1", "R2", "F1"]


async def test_a_batch_waits_once_and_not_while_it_is_being_swept():
    queue = queue_of(1)
    assert queue.add("C1", 1.0)
    assert not queue.add("C1", 2.0)
    assert (len(queue), queue.oldest) == (1, 1.0)
    assert await queue.take() == "C1"
    assert not queue.add("C1", 3.0)
    queue.done("C1")
    assert queue.add("C1", 4.0)
    assert queue.oldest == 4.0


async def test_takers_wait_for_work_and_the_drained_for_its_end():
    queue = queue_of(1)
    await queue.drained()
    taker = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.add("C1", 0.0)
    drained = asyncio.create_task(queue.drained())
    assert await taker == "C1"
    await asyncio.sleep(0)
    assert not drained.done()
    queue.done("C1")
    await drained
    assert queue.oldest is None


async def test_a_batch_that_waits_again_is_not_drained_in_between():
    queue = queue_of(1, "C1")
    drained = asyncio.create_task(queue.drained())
    queue.done(await queue.take(), again=5.0)
    await asyncio.sleep(1)
    assert not drained.done()
    assert (len(queue), queue.oldest) == (1, 5.0)
    queue.done(await queue.take())
    await drained


async def test_one_worker_serves_each_class_that_waits_with_every_20th_batch():
    queue = queue_of(
        1, *(f"C{n}" for n in range(200)), *(f"{c}{n}" for c in "RF" for n in range(9))
    )
    order = []
    for _ in range(5 * EVERY):
        order.append((await queue.take())[0])
        queue.done(next(iter(queue._busy)))
    assert order[: EVERY - 1] == ["C"] * (EVERY - 1)
    assert Counter(order) == {"C": 91, "R": 5, "F": 4}


@pytest.mark.parametrize(("workers", "busy"), [(2, ["C0"]), (4, ["C0", "C1", "C2"]), (1, ["C0"])])
async def test_one_of_several_workers_is_free_for_running_batches(workers, busy):
    queue = queue_of(workers, *(f"C{n}" for n in range(9)))
    assert [await taken(queue) for _ in range(workers)] == [*busy, None][:workers]
    queue.add("R1", 0.0)
    if workers > 1:
        assert await taken(queue) == "R1"


async def test_batches_that_failed_occupy_half_of_the_workers_at_most():
    queue = queue_of(4, "F1", "F2", "F3")
    assert [await taken(queue) for _ in range(3)] == ["F1", "F2", None]
    queue.add("C1", 0.0)
    assert await taken(queue) == "C1"
    queue.done("F1")
    assert await taken(queue) == "F3"
    queue.done("C1")
    assert await taken(queue) is None


@settings(deadline=None, max_examples=50)
@given(
    workers=st.integers(1, 5),
    arrivals=st.lists(st.lists(st.sampled_from("CRF"), max_size=3), max_size=40),
    pace=st.lists(st.integers(0, 4), min_size=1, max_size=10),
)
def test_no_batch_starves(workers, arrivals, pace):
    """Whatever arrives: each batch is taken, after those of its class that were added before."""

    async def main() -> None:
        queue, busy, added, order = queue_of(workers), [], [], []
        for step in range(len(arrivals) + 25 * sum(map(len, arrivals)) + 1):
            for letter in arrivals[step] if step < len(arrivals) else ():
                added.append(f"{letter}{step}.{len(added)}")
                queue.add(added[-1], 0.0)
            while len(busy) < workers and (batch := await taken(queue)) is not None:
                busy.append(batch)
                order.append(batch)
            running = [batch for batch in busy if batch[0] == "R"]
            waiting = Counter(batch[0] for batch in added if batch not in order)
            if workers > 1:
                assert len(busy) - len(running) < workers
                assert running or not waiting["R"]
            if waiting["R"]:
                assert len(busy) == workers
            # At least one batch ends in each step, so that the queue moves on.
            for _ in range(max(1, pace[step % len(pace)])):
                if busy:
                    queue.done(busy.pop(0))
        assert sorted(added) == sorted(order)
        for letter in "CRF":
            assert [b for b in added if b[0] == letter] == [b for b in order if b[0] == letter]

    run(main())


@settings(deadline=None, max_examples=50)
@given(
    workers=st.integers(1, 5),
    victim=st.sampled_from("CRF"),
    others=st.text("CRF", min_size=1, max_size=30),
)
def test_a_batch_is_taken_soon_however_many_others_wait(workers, victim, others):
    async def main() -> None:
        queue = queue_of(workers, *(f"{letter}{n}" for n in range(3) for letter in "CRF"))
        queue.add(f"{victim}!", 0.0)
        busy, takes = [], 0
        while f"{victim}!" not in busy:
            while len(busy) < workers and (batch := await taken(queue)) is not None:
                busy.append(batch)
                takes += 1
                for letter in others:
                    queue.add(f"{letter}+{takes}", 0.0)
            if f"{victim}!" not in busy:
                queue.done(busy.pop(0))
        # Three of its class are before it, and each may wait for 20 others and another class.
        assert takes <= 4 * (EVERY + 2) + 2 * workers

    run(main())
