import asyncio

from runtype_exporter.runtype.pace import SLICE, Pace
from tests.support.ticks import turns_during


async def test_the_loop_runs_after_each_slice_of_work():
    pace = Pace()

    async def work():
        for _ in range(10):
            await pace.worked(SLICE // 2)

    assert await turns_during(work()) == 5


async def test_little_work_does_not_wait_for_the_loop():
    pace = Pace()

    async def work():
        for _ in range(100):
            await pace.worked(1)

    assert await turns_during(work()) == 0


async def test_much_work_at_once_gives_one_turn():
    await asyncio.wait_for(Pace().worked(100 * SLICE), 5)
    assert await turns_during(Pace().worked(100 * SLICE)) == 1
