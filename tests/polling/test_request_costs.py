"""What polling one account costs, in requests."""

from __future__ import annotations

import pytest

from runtype_exporter.simulator.settings import (
    Api,
    RecordPlan,
    ScheduleSpec,
    WorldSettings,
)
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
DONE = [RecordPlan(finished=1.0)] * 3


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_a_fleet_at_rest_costs_two_requests_a_cycle_however_many_batches_were_followed(
    tmp_path, order
):
    api = Api(runs_order=order)
    async with Rig(
        tmp_path, world_of(api=api), sections={"poll": {"discovery_interval": "1h"}}
    ) as rig:
        await rig.sleep(1)
        for second in range(110):
            rig.world.add_batch(DONE, schedule="a", at=START + 2 + second)
        await rig.sleep(1000)
        assert rig.open_batches() == set()
        assert rig.counted() == {("nightly", "enrich", "success"): 330.0}
        assert await rig.requests_during(600) == {"summary": 10, "runs": 10}


async def test_unfinished_batches_whose_counts_stand_still_are_not_paged(tmp_path):
    async with Rig(tmp_path, world_of(), sections={"poll": {"discovery_interval": "1d"}}) as rig:
        await rig.sleep(1)
        for _ in range(20):
            rig.world.add_batch([RecordPlan(finished=9e5)] * 150, schedule="a", at=START + 2)
        await rig.sleep(200)
        assert await rig.requests_during(1200) == {"summary": 20, "runs": 20}
        assert len(rig.open_batches()) == 20


async def test_no_hour_sees_more_requests_than_the_budget_and_a_backlog_is_done_in_the_end(
    tmp_path,
):
    settings = world_of(ScheduleSpec(key="a", name="nightly", cron="*/30 * * * *", records=250))
    async with Rig(tmp_path, settings, account={"requests_per_hour": 60}) as rig:
        for _ in range(10):
            rig.world.add_batch(120, schedule="a", at=START + 1)
        await rig.sleep(6 * 3600)
        assert max(rig.telemetry.waiting) > 5
        rig.world.stop(rig.clock.now())
        await rig.sleep(12 * 3600)
        assert rig.app.state.requests.busiest_hour <= 60
        assert rig.counted() == rig.truth()
        assert rig.open_batches() == set()


async def test_a_running_batch_of_a_thousand_records_costs_few_pages_a_cycle(tmp_path):
    records = [RecordPlan(finished=10.0 + number) for number in range(1000)]
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        run = rig.world.add_batch(records, schedule="a", at=START + 2)
        await rig.sleep(600)
        early = await rig.requests_during(300)
        assert early["batch_results"] <= 5 * 7
        late = await rig.requests_during(60)
        assert late["batch_results"] <= 4
        await rig.sleep(300)
        assert rig.counted() == rig.truth() == {("nightly", "enrich", "success"): 1000.0}
        assert rig.view(run.batch.id).snapshot.tally.distinct == 1000


async def test_a_scarce_budget_goes_to_closing_batches_first(tmp_path):
    async with Rig(
        tmp_path,
        world_of(),
        account={"requests_per_hour": 60},
        sections={"poll": {"max_concurrency": 2}},
    ) as rig:
        await rig.sleep(1)
        rig.world.add_batch([RecordPlan(finished=9e5)] * 3000, schedule="a", at=START + 2)
        await rig.sleep(1200)
        closing = rig.world.add_batch(
            [RecordPlan(finished=1.0)] * 500, schedule="a", at=rig.clock.now()
        ).batch.id
        await rig.sleep(3000)
        pages = [
            closing in r.target
            for r in rig.app.state.requests.log
            if r.operation == "batch_results"
        ]
        first = pages.index(True)
        assert pages[first : first + 5] == [True] * 5
        assert len(pages) > first + 7
