"""Runs that work on records without a batch id.

Their results are counted once, whether the API supports an offset or not.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.model import Batch, BatchRef, Run, SweepTally
from runtype_exporter.polling.batches import runs_without_batch
from runtype_exporter.runtype import RunRow
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import Api, ScheduleSpec, Traffic, WorldSettings
from tests.support.counted import SWEEP
from tests.support.rig import START, Rig

QUICK = {"poll": {"settle_time": "5m"}}
RUN = Run(account="acme", id="run_1", schedule="s1", outcome="success")
ROW = RunRow(id="run_1", schedule_id="s1", status="completed", total_records=3)
OWN = Batch(ref=BatchRef("acme", "run/run_1"), first_seen=0.0)
RESULTS = "runtype_records_finished_total"
ABANDONED = "runtype_records_abandoned_total"


def world_of(api: Api | None = None, *, records: int = 30, **more) -> WorldSettings:
    inlined = ScheduleSpec(
        key="i",
        name="inlined",
        kind="inline",
        cron="*/10 * * * *",
        records=records,
        traffic=Traffic(**more),
    )
    agent = ScheduleSpec(key="g", name="agent", kind="agent", cron="*/10 * * * *")
    return WorldSettings(start=START, api=api or Api(), schedules=(inlined, agent))


def test_only_a_run_that_ended_with_records_and_without_a_batch_owes_results():
    (own,) = runs_without_batch.results_batch(OWN, RUN, ROW, 9.0).values()
    assert (own.run, own.schedule, own.ended, own.probes["run"].total) == ("run_1", "s1", 9.0, 3)
    assert runs_without_batch.results_batch(OWN, replace(RUN, outcome=None), ROW, 9.0) == {}
    assert runs_without_batch.results_batch(OWN, replace(RUN, batch="batch_1"), ROW, 9.0) == {}
    for count in (None, 0):
        row = RunRow(id="run_1", schedule_id="s1", status="completed", total_records=count)
        assert runs_without_batch.results_batch(OWN, RUN, row, 9.0) == {}


def test_the_flow_of_an_agents_results_is_the_agent_and_its_times_are_plausible():
    row = RunRow(
        id="run_1",
        schedule_id="s1",
        status="completed",
        agent_id="agent_1",
        flow_id="flow_1",
        total_records=1,
        started_at="2026-01-01T00:00:00Z",
        completed_at="9999-01-01T00:00:00Z",
    )
    (own,) = runs_without_batch.results_batch(OWN, RUN, row, 1_767_225_600.0).values()
    assert (own.flow_id, own.started, own.completed) == ("agent_1", 1_767_225_600.0, None)


def test_only_a_later_page_of_a_run_that_tells_nothing_new_comes_again():
    walk = replace(SWEEP, offset=50, tally=SweepTally(distinct=50), total=80, pages=1)
    after = replace(OWN, run="run_1", sweep=replace(walk, offset=100))
    assert runs_without_batch.repeats_first_page(after, walk)
    assert not runs_without_batch.repeats_first_page(replace(after, run=""), walk)
    assert not runs_without_batch.repeats_first_page(replace(after, sweep=None), walk)
    assert not runs_without_batch.repeats_first_page(after, replace(walk, offset=0))
    assert not runs_without_batch.repeats_first_page(
        replace(after, sweep=replace(walk, tally=SweepTally(distinct=51))), walk
    )


async def test_results_of_runs_without_a_batch_are_counted_but_no_batches_are(
    tmp_path,
):
    async with Rig(
        tmp_path, world_of(records=250, retry_share=0.2, failure_share=0.1), sections=QUICK
    ) as rig:
        await rig.sleep(3 * 3600)
        rig.world.stop(rig.clock.now())
        await rig.sleep(1800)
        assert len(rig.truth()) == 2
        assert rig.counted() == rig.truth()
        assert rig.counted("runtype_schedule_runs_finished_total") == rig.run_truth()
        assert rig.open_batches() == set()
        assert rig.series("runtype_batches_finished_total") == {}
        assert rig.gauges.batches == {}
        now = rig.clock.now()
        rows = [
            run.batch.page(now, Api(), 0, 1, None)[1] for run in rig.world.runs(now) if run.batch
        ]
        assert len(rows) == 17
        assert rig.requests()["run_results"] == sum(-(-count // 100) for count in rows)
        assert rig.requests()["batch_status"] == 0
        assert rig.telemetry.collectors["run_results"] == (True, "")


async def test_their_results_are_asked_for_once_and_never_again(tmp_path):
    async with Rig(tmp_path, world_of(), sections={"poll": {"discovery_interval": "1d"}}) as rig:
        await rig.sleep(3600)
        rig.world.stop(rig.clock.now())
        await rig.sleep(1800)
        assert rig.requests()["run_results"] == 5
        assert await rig.requests_during(1200) == {"summary": 20, "runs": 20}


async def test_a_power_cut_at_any_time_neither_loses_nor_repeats_them(tmp_path):
    async with Rig(tmp_path, world_of(records=320), sections=QUICK, latency=0.4) as rig:
        for _ in range(60):
            await rig.sleep(97)
            await rig.kill()
            rig.start()
        rig.world.stop(rig.clock.now())
        await rig.sleep(1800)
        assert rig.counted() == rig.truth()
        assert rig.open_batches() == set()


async def test_an_answer_that_ignores_both_parameters_but_holds_all_rows_is_all_there_is(tmp_path):
    api = Api(run_results_paged=False, default_limit=100)
    async with Rig(
        tmp_path, world_of(api, records=80), account={"page_size": 30}, sections=QUICK
    ) as rig:
        await rig.sleep(3600)
        rig.world.stop(rig.clock.now())
        await rig.sleep(600)
        assert rig.counted() == rig.truth()
        assert rig.open_batches() == set()
        assert rig.requests()["run_results"] == 5


SAME_PAGE = [
    (Api(run_results_paged=False), None),
    (Api(page_cap=50), ApiFault(kind="stuck", operation="run_results")),
    (
        Api(run_results_paged=False),
        ApiFault(kind="drop", operation="run_results", path="pagination.offset"),
    ),
]


@pytest.mark.parametrize(
    ("api", "fault"), SAME_PAGE, ids=["shown by its offset", "lying", "silent about its offset"]
)
async def test_an_ignored_offset_neither_loops_nor_doubles_and_the_rest_is_abandoned(
    tmp_path, api, fault
):
    async with Rig(tmp_path, world_of(api, records=200, failure_share=0.0), sections=QUICK) as rig:
        if fault is not None:
            rig.faults.add(fault)
        await rig.sleep(1800)
        rig.world.stop(rig.clock.now())
        await rig.sleep(1800)
        assert rig.counted() == {("inlined", "enrich", "success"): 100.0}
        assert rig.counted(ABANDONED) == {("inlined", "enrich"): 300.0}
        assert rig.open_batches() == set()
        assert rig.requests()["run_results"] <= 2 * 8


async def test_results_that_the_key_may_not_read_are_left_alone_for_an_hour_and_then_counted(
    tmp_path,
):
    async with Rig(tmp_path, world_of(), sections={"poll": {"settle_time": "6h"}}) as rig:
        rig.faults.add(ApiFault(kind="status", operation="run_results", value=403))
        await rig.sleep(3600)
        assert rig.telemetry.collectors["run_results"] == (False, "forbidden")
        # Only what was never asked for is tried: the results of the two runs that end meanwhile.
        assert (await rig.requests_during(1200))["run_results"] == 2
        assert rig.counted() == {}
        rig.faults.clear()
        rig.world.stop(rig.clock.now())
        await rig.sleep(2 * 3600)
        assert rig.telemetry.collectors["run_results"] == (True, "")
        assert rig.counted() == rig.truth()


async def test_a_batch_id_that_comes_after_the_results_were_counted_adds_nothing(
    tmp_path,
):
    settings = WorldSettings(
        start=START,
        schedules=(ScheduleSpec(key="a", name="nightly", cron="*/30 * * * *", records=20),),
    )
    async with Rig(tmp_path, settings) as rig:
        rig.faults.add(ApiFault(kind="status", operation="summary", value=403))
        rig.faults.add(ApiFault(kind="nulls", operation="runs", value=["batchExecutionId"]))
        await rig.sleep(2400)
        rig.world.stop(rig.clock.now())
        assert rig.counted() == rig.truth()
        rig.faults.clear()
        await rig.sleep(5400)
        assert rig.counted() == rig.truth()
        assert rig.counted("runtype_batches_finished_total") == {}
        assert rig.open_batches() == set()


async def test_the_results_of_an_excluded_schedules_runs_are_not_read(tmp_path):
    async with Rig(tmp_path, world_of(), account={"schedules": {"exclude": ["inlined"]}}) as rig:
        await rig.sleep(3600)
        assert rig.counted() == {}
        assert rig.requests()["run_results"] == 0


async def test_results_that_became_final_before_the_first_start_are_remembered_not_counted(
    tmp_path,
):
    rig = Rig(tmp_path, world_of(records=400, concurrency=2))
    await rig.sleep(1200)
    under_way = [
        run for run in rig.world.runs(rig.clock.now()) if run.batch and run.ends > rig.clock.now()
    ]
    before = rig.truth()
    assert under_way
    assert before
    async with rig:
        rig.world.stop(rig.clock.now())
        await rig.sleep(3600)
        after = rig.truth()
        assert rig.counted() == {
            key: value - before.get(key, 0.0)
            for key, value in after.items()
            if value > before.get(key, 0.0)
        }
