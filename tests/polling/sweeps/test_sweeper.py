"""Sweeping over the API: what is skipped, repeated, resumed and counted."""

from __future__ import annotations

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import Api, RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
WORLD = WorldSettings(start=START, schedules=(NIGHTLY,))
GROWING = [
    *[RecordPlan(finished=1.0)] * 350,
    RecordPlan(finished=90.0),
    RecordPlan(finished=5000.0),
]


def offsets(rig: Rig) -> list[int]:
    return [
        int(r.target.rpartition("=")[2])
        for r in rig.app.state.requests.log
        if r.operation == "batch_results"
    ]


async def test_the_final_prefix_is_skipped_while_its_last_page_stands(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        await rig.sleep(1)
        run = rig.world.add_batch(GROWING, schedule="a", at=START + 2)
        await rig.sleep(60)
        assert offsets(rig) == [0, 100, 200, 300]
        await rig.sleep(60)
        assert offsets(rig)[4:] == [200, 300]
        assert rig.view(run.batch.id).snapshot.tally.statuses == {"completed": 351, "running": 1}


async def test_a_changed_prefix_is_swept_from_the_first_row_and_the_change_is_counted(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        await rig.sleep(1)
        rig.world.add_batch(GROWING, schedule="a", at=START + 2)
        await rig.sleep(60)
        rig.faults.add(
            ApiFault(
                kind="set",
                operation="batch_results",
                match="offset=200",
                path="data.5.status",
                value="failed",
            )
        )
        await rig.sleep(60)
        assert offsets(rig)[4:] == [200, 0, 100, 200, 300]
        assert rig.counted() == {
            ("nightly", "enrich", "success"): 351.0,
            ("nightly", "enrich", "failure"): 1.0,
        }
        assert rig.counted("runtype_record_outcome_changes_total") == {
            ("nightly", "enrich", "success", "failure"): 1.0
        }


async def test_a_change_within_the_skipped_part_is_counted_by_the_last_sweep(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        rig.world.add_batch(
            [RecordPlan(finished=1.0)] * 350 + [RecordPlan(finished=500.0)], schedule="a", at=START
        )
        await rig.sleep(70)
        rig.faults.add(
            ApiFault(
                kind="set",
                operation="batch_results",
                match="offset=100",
                path="data.5.status",
                value="failed",
            )
        )
        await rig.sleep(600)
        assert rig.counted() == {
            ("nightly", "enrich", "success"): 351.0,
            ("nightly", "enrich", "failure"): 1.0,
        }
        assert offsets(rig)[-4:] == [0, 100, 200, 300]


async def test_a_sweep_goes_on_after_a_restart_where_it_stopped(tmp_path):
    async with Rig(tmp_path, WORLD, latency=1.0) as rig:
        rig.world.add_batch([RecordPlan(finished=1.0)] * 450, schedule="a", at=START)
        while offsets(rig)[-1:] != [200]:
            await rig.sleep(1)
        await rig.sleep(1.5)
        await rig.stop()
        before = len(offsets(rig))
        rig.start()
        await rig.sleep(30)
        assert offsets(rig)[before - 1 :][:3] in ([300, 300, 400], [200, 300, 400])
        assert rig.counted() == rig.truth()
        assert len(offsets(rig)) <= 7


async def test_results_that_always_promise_more_end_in_an_error_and_the_batch_backs_off(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        await rig.sleep(1)
        rig.faults.add(
            ApiFault(kind="stuck", operation="batch_results"),
            ApiFault(kind="set", operation="batch_results", path="pagination.hasMore", value=True),
        )
        run = rig.world.add_batch([RecordPlan(finished=1.0)] * 150, schedule="a", at=START + 2)
        assert (await rig.requests_during(3600))["batch_results"] == 6 * 15
        assert set(rig.telemetry.sweeps) == {"paging"}
        assert rig.counted() == {("nightly", "enrich", "success"): 100.0}
        assert rig.batch(run.batch.id).sweep is None
        rig.faults.clear()
        await rig.sleep(3600)
        assert rig.counted() == rig.truth()


async def test_pages_that_overlap_by_a_row_or_more_are_each_counted_once(tmp_path):
    async with Rig(
        tmp_path, WorldSettings(start=START, schedules=(NIGHTLY,), api=Api(page_cap=10))
    ) as rig:
        rig.faults.add(ApiFault(kind="shift", operation="batch_results", value=3))
        run = rig.world.add_batch([RecordPlan(finished=1.0)] * 95, schedule="a", at=START)
        await rig.sleep(90)
        assert rig.counted() == {("nightly", "enrich", "success"): 95.0}
        assert rig.view(run.batch.id).snapshot.tally.distinct == 95


async def test_a_scrape_gets_its_turn_within_a_large_page(tmp_path):
    async with Rig(
        tmp_path,
        WorldSettings(start=START, schedules=(NIGHTLY,), api=Api(page_cap=1000)),
        account={"page_size": 1000},
    ) as rig:
        run = rig.world.add_batch([RecordPlan(finished=1.0)] * 900, schedule="a", at=START)
        seen = set()

        def committed(_: float) -> None:
            held = rig.ledger.batches((run.batch.id,)).get(run.batch.id)
            seen.add(held.sweep.offset if held and held.sweep else None)

        rig._committed = committed
        await rig.sleep(90)
        assert seen == {None, 0, 200, 400, 600, 800, 900}
        assert len(offsets(rig)) == 2
