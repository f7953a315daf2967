"""Nothing waits forever for something else, and what never ends costs fewer and fewer requests."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest

from runtype_exporter.simulator.account.batch import SimulatedBatch
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import Api, RecordPlan, ScheduleSpec, Traffic
from tests.support.company import COMPANY, DONE, CompanyRig

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
NIGHTLY = ("nightly", "enrich", "success")
ORDINARY = {"requests_per_hour": 1000}
KNOWN = ScheduleSpec(key="known", name="known", flow="enrich")


async def minutes_until_counted(rig: CompanyRig, schedule: str, most: float = 180.0) -> float:
    """Start a batch. Return how many minutes pass until it is counted."""
    rig.world.add_batch(DONE, schedule=schedule, at=rig.now)
    began = rig.now
    while any(labels[0] == schedule for labels in rig.missing()) or rig.now < began + 2:
        await rig.sleep(10)
        assert rig.now - began < most * MINUTE
    return (rig.now - began) / MINUTE


async def test_batches_that_no_list_shows_and_that_never_end_leave_cycles_their_pace(tmp_path):
    count = 50
    rig = CompanyRig(tmp_path, account=ORDINARY, api=Api(active_limit=0))
    stuck: list[SimulatedBatch] = [
        rig.start_adhoc([*DONE, RecordPlan(finished=inf)], completed=inf) for _ in range(count)
    ]
    rig.configure({**rig.account, "batches": [{"id": batch.id} for batch in stuck]})
    async with rig:
        await rig.sleep(1.1 * DAY)
        cycles = len(rig.telemetry.cycles)
        asked = await rig.requests_during(2 * HOUR)
        assert len(rig.telemetry.cycles) - cycles >= 2 * 55
        assert asked["batch_status"] <= 2 * count * 1.5
        assert await minutes_until_counted(rig, "nightly") <= 3


async def test_a_long_history_delays_nothing_at_a_start_or_a_restart(tmp_path):
    old = Traffic(latency=1.0)
    busy = ScheduleSpec(key="busy", name="busy", cron="*/2 * * * *", records=1, traffic=old)
    rig = CompanyRig(tmp_path, account=ORDINARY, schedules=(*COMPANY, busy))
    # 30 pages of runs.
    await rig.sleep(100 * HOUR)
    rig.start()
    for _ in range(2):
        await rig.sleep(MINUTE)
        assert await minutes_until_counted(rig, "nightly") <= 4
        await rig.sleep(3 * HOUR)
        await rig.stop()
        before = rig.requests()
        rig.start()
        await rig.sleep(2 * MINUTE)
        assert (rig.requests() - before)["runs"] <= 10
    await rig.stop()


async def test_runs_of_schedules_that_are_gone_cost_no_lists_of_schedules(tmp_path):
    many = tuple(
        ScheduleSpec(key=f"once {index}", name=f"once {index}", flow="enrich")
        for index in range(150)
    )
    rig = CompanyRig(tmp_path, account=ORDINARY, schedules=(*COMPANY, *many))
    for spec in many:
        for _ in range(4):
            rig.world.add_batch(DONE, schedule=spec.key, at=rig.now)
    await rig.sleep(MINUTE)
    for spec in many:
        rig.world.delete(rig.world.schedule_id(spec.key), rig.now)
    await rig.sleep(MINUTE)
    for _ in range(2):
        rig.start()
        asked = await rig.requests_during(HOUR)
        assert asked["schedules"] <= 12
        await rig.stop()


async def test_a_backlog_of_ended_batches_leaves_running_ones_their_part(tmp_path):
    rig = CompanyRig(tmp_path, account=ORDINARY, schedules=(*COMPANY, KNOWN))
    async with rig:
        await rig.sleep(MINUTE + 1)
        for _ in range(100):
            rig.start_nightly([RecordPlan(finished=2.0)] * 1000)
        running = rig.world.add_batch(
            [RecordPlan(finished=30.0 * number) for number in range(1, 1000)],
            schedule="known",
            at=rig.now,
        ).batch
        began = rig.now
        while not any(running.id in request.target for request in rig.app.state.requests.log):
            await rig.sleep(MINUTE)
            assert rig.now - began < 10 * MINUTE
        await rig.sleep(HOUR)
        of_results = [
            request
            for request in rig.app.state.requests.log
            if request.operation.endswith("results")
        ]
        share = sum(running.id in request.target for request in of_results) / len(of_results)
        assert share > 0.04


async def test_many_small_batches_leave_usage_its_interval(tmp_path):
    often = ScheduleSpec(
        key="often",
        name="often",
        cron="* * * * *",
        records=2,
        traffic=Traffic(latency=1.0, slow_share=0.0),
    )
    rig = CompanyRig(tmp_path, account={"requests_per_hour": 300}, schedules=(*COMPANY, often))
    async with rig:
        await rig.sleep(5 * HOUR)
        times = [
            request.at for request in rig.app.state.requests.log if request.operation == "usage"
        ]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert max(gaps) <= 45 * MINUTE


@pytest.mark.parametrize("operation", ["batch_results", "cost"])
async def test_one_item_that_hangs_costs_an_hourly_try_and_no_other_its_turn(tmp_path, operation):
    slowly = {"poll": {"interval": "5m"}}
    schedules = (*COMPANY, KNOWN)
    rig = CompanyRig(tmp_path, account=ORDINARY, sections=slowly, schedules=schedules)
    async with rig:
        await rig.sleep(MINUTE + 1)
        batch = rig.start_nightly()
        rig.faults.add(ApiFault(kind="hang", operation=operation, match=batch.id))
        for _ in range(5):
            rig.world.add_batch(DONE, schedule="known", at=rig.now)
        await rig.sleep(6 * HOUR)
        rig.world.add_batch(DONE, schedule="known", at=rig.now)
        asked = await rig.requests_during(6 * HOUR)
        assert asked[operation] <= 6 * 4 + 3
        assert rig.counted()["known", "enrich", "success"] == 18.0
        spent = rig.counted("runtype_cost_dollars_total")
        expected = rig.world.truth_cost(rig.now)
        for labels in expected:
            if labels[0] == "known":
                assert spent[labels] == pytest.approx(expected[labels])


async def test_batches_that_always_fail_cost_few_requests_and_end(tmp_path):
    slowly = {"poll": {"interval": "10m", "discovery_interval": "1h"}}
    often = ScheduleSpec(key="often", name="often", cron="*/30 * * * *", records=1)
    small = {**ORDINARY, "page_size": 10}
    rig = CompanyRig(tmp_path, account=small, sections=slowly, schedules=(*COMPANY, often))
    async with rig:
        await rig.sleep(MINUTE)
        for _ in range(48):
            id_ = rig.start_nightly().id
            rig.faults.add(ApiFault(kind="status", operation="batch_results", match=id_, value=500))
        await rig.sleep(2 * DAY)
        asked = await rig.requests_during(6 * HOUR)
        assert asked["batch_results"] <= 6 * 48 * 2 * 1.2 + 12 * 2
        await rig.sleep(1.2 * DAY)
        given_up = rig.counted("runtype_batches_given_up_total")
        assert given_up == {("unreadable",): 48.0}
        # Afterwards each is read once a day.
        asked = await rig.requests_during(DAY)
        assert asked["batch_results"] <= 48 * 2 * 1.5 + 48 * 2


async def test_a_thousand_new_batches_cost_few_commits(tmp_path):
    rig = CompanyRig(tmp_path, api=Api(recent_limit=2000, page_cap=100))
    commits: list[float] = []
    async with rig:
        await rig.sleep(MINUTE + 1)
        for _ in range(1000):
            rig.start_adhoc([RecordPlan(finished=HOUR)])
        await rig.sleep(2)
        rig._committed = commits.append
        while len(rig.open_batches()) < 1000:
            await rig.sleep(1)
        # A transaction for each 200 of them, and some more.
        assert len(commits) <= 30
