"""Timers by a wall clock that may be set back."""

from __future__ import annotations

import pytest

from runtype_exporter.polling.timers import WallClockTimer, still_pending
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

DONE = [RecordPlan(finished=1.0)] * 3
SETTINGS = WorldSettings(start=START - 86400, schedules=(ScheduleSpec(key="a", name="nightly"),))


@pytest.mark.parametrize(
    ("now", "over"), [(99.0, True), (100.0, False), (159.0, False), (160.0, True), (1e9, True)]
)
def test_a_wait_is_over_at_its_end_and_where_the_clock_stands_before_its_beginning(now, over):
    assert over is WallClockTimer(100.0, 160.0).over(now)


def test_a_timer_that_was_not_set_is_over():
    assert WallClockTimer().over(0.0)


@pytest.mark.parametrize(
    ("now", "lasts"), [(160.0, False), (159.0, True), (100.0, True), (99.0, False)]
)
def test_a_stored_wait_is_over_at_its_end_and_where_more_of_it_is_left_than_the_longest_one_has(
    now, lasts
):
    assert lasts is still_pending(160.0, now, 60.0)


async def test_a_clock_set_back_stops_no_read(tmp_path):
    async with Rig(tmp_path, SETTINGS) as rig:
        rig.faults.add(ApiFault(kind="status", operation="sparklines", value=403))
        await rig.sleep(30)
        rig.faults.clear()
        rig.clock.jump(-3 * 3600.0)
        asked = await rig.requests_during(120)
        assert {"schedules", "usage", "sparklines"} <= asked.keys()
        assert asked["runs"] == asked["summary"] == 2


async def test_a_clock_set_back_keeps_no_batch_backing_off(tmp_path):
    async with Rig(tmp_path, SETTINGS) as rig:
        await rig.sleep(1)
        batch = rig.world.add_batch(DONE, schedule="a", at=START + 2).batch
        rig.faults.add(ApiFault(kind="status", operation="batch_results", value=500))
        await rig.sleep(2 * 3600)
        rig.faults.clear()
        assert rig.clock.now() < rig.batch(batch.id).retry_at <= rig.clock.now() + 3600
        rig.clock.jump(-3700.0)
        await rig.sleep(120)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}


async def test_a_clock_set_back_lets_an_ended_batch_settle_no_later_than_from_now(tmp_path):
    async with Rig(tmp_path, SETTINGS) as rig:
        await rig.sleep(7200)
        stuck = [*DONE, RecordPlan(finished=1e9)]
        batch = rig.world.add_batch(stuck, schedule="a", at=START + 60, completed=START + 70).batch
        await rig.sleep(120)
        assert rig.batch(batch.id).ended >= START + 7200
        rig.clock.jump(-7000.0)
        await rig.sleep(2000)
        assert rig.batch(batch.id).closed is not None
        assert rig.counted("runtype_records_abandoned_total") == {("nightly", "enrich"): 1.0}
