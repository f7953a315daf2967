"""The batches that the summary shows, and which of them are ad hoc."""

from __future__ import annotations

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import AdhocSpec, RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
DONE = [RecordPlan(finished=1.0)] * 3
BATCHES = "runtype_batches_finished_total"


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


async def test_without_adhoc_batches_the_summary_opens_none(tmp_path):
    settings = world_of(adhoc=(AdhocSpec(key="x", cron="* * * * *"),))
    async with Rig(tmp_path, settings, account={"adhoc_batches": False}) as rig:
        rig.world.add_batch(DONE, schedule="a", at=START + 2)
        await rig.sleep(600)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}


async def test_an_adhoc_batch_waits_for_two_reads_of_the_runs_over_a_restart_too(tmp_path):
    async with Rig(tmp_path, world_of(), latency=0.1) as rig:
        await rig.sleep(30)
        batch = rig.world.add_adhoc(DONE, at=rig.clock.now())
        await rig.sleep(32)
        assert rig.requests()["batch_results"] == 0
        # The read of the runs in the same cycle may have begun before the batch did.
        assert rig.batch(batch.id).claims_left == 2
        await rig.sleep(60)
        assert rig.batch(batch.id).claims_left == 1
        assert rig.gauges.batches == {}
        await rig.kill()
        await rig.sleep(100)
        rig.start()
        await rig.sleep(10)
        assert rig.counted() == {("", "adhoc import", "success"): 3.0}
        assert rig.view(batch.id).labels == ("", "adhoc import")


async def test_where_runs_cannot_be_read_a_batch_of_the_summary_is_ad_hoc_at_once(tmp_path):
    async with Rig(tmp_path, world_of(), scopes=("BATCHES:READ",)) as rig:
        rig.faults.add(ApiFault(kind="set", operation="batch_results", path="x", value=1))
        await rig.sleep(1)
        batch = rig.world.add_adhoc(DONE, at=START + 2)
        await rig.sleep(60)
        assert rig.batch(batch.id).claims_left == 0
        assert rig.telemetry.collectors["runs"] == (False, "forbidden")
        assert rig.poller.status().up is True
