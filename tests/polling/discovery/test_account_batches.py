"""Batches and runs that more than one account sees."""

from __future__ import annotations

from runtype_exporter.simulator.settings import AdhocSpec, RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
DONE = [RecordPlan(finished=1.0)] * 3
RUNS = "runtype_schedule_runs_finished_total"


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


async def test_a_batch_that_two_accounts_see_is_counted_once_and_the_other_warns_once(
    tmp_path, logs
):
    settings = world_of(
        ScheduleSpec(key="a", name="nightly", cron="*/10 * * * *"),
        adhoc=(AdhocSpec(key="x", cron="*/15 * * * *"),),
    )
    first = Rig(tmp_path, settings, latency=0.1)
    second = Rig(tmp_path, ledger_of=first, account={"name": "second"}, latency=0.2)
    async with first, second:
        extra = first.world.add_adhoc(DONE, at=START + 1)
        await first.sleep(1800)
        await second.stop()
        second.configure({"name": "second", "batches": [{"id": extra.id}]})
        second.start()
        await first.sleep(1800)
        first.world.stop(first.clock.now())
        await first.sleep(600)
        assert first.counted() == first.truth()
        warned = [
            entry.get("batch") or entry.get("run")
            for entry in logs
            if "another account" in entry["event"]
        ]
        assert len(warned) > 4
        after = [
            entry
            for entry in logs
            if "another account" in entry["event"] and entry.get("batch") == extra.id
        ]
        assert len(after) <= 2


async def test_the_batch_of_another_accounts_run_stays_the_others(tmp_path, logs):
    first = Rig(tmp_path, world_of())
    batch = first.world.add_batch(DONE, schedule="a", at=START + 100).batch
    off = {"runs": False, "summary": False, "schedules": False}
    first.configure({"batches": [{"id": batch.id}], "collectors": off})
    second = Rig(tmp_path, ledger_of=first, account={"name": "second"}, latency=1.0)
    async with first:
        await first.sleep(30)
        async with second:
            await first.sleep(400)
        assert first.counted() == {("", "enrich", "success"): 3.0}
        assert first.counted(RUNS) == {("nightly", "success"): 1.0}
        assert {entry.get("batch") for entry in logs if "another account" in entry["event"]} == {
            batch.id
        }
