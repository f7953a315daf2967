"""What the API lists in an odd way: all is counted once, under the right label."""

from __future__ import annotations

from math import inf

import pytest

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import (
    Api,
    RecordAttempt,
    RecordPlan,
    ScheduleSpec,
)
from tests.support.company import COMPANY, DONE, CompanyRig
from tests.support.rig import TOO_LARGE

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
NIGHTLY = ("nightly", "enrich", "success")
ADHOC = ("", "adhoc import", "success")
SELDOM = {
    "sections": {"poll": {"interval": "10m", "discovery_interval": "1h"}},
    "account": {"page_size": 10, "collectors": {"usage": False, "sparklines": False}},
}


async def test_a_batch_that_is_listed_again_with_a_new_start_counts_only_its_retry(tmp_path):
    retry = RecordAttempt(9 * DAY, 9 * DAY, 9 * DAY + 10)
    failed = RecordPlan(outcome="failure", finished=5.0, retries=(retry,))
    async with CompanyRig(tmp_path, **SELDOM) as rig:
        await rig.sleep(MINUTE + 1)
        batch = rig.start_adhoc([*DONE, failed], completed=rig.now + HOUR)
        await rig.sleep(8.9 * DAY)
        assert rig.missing() == {}
        rig.world.relist_batch(batch.id, rig.now + 0.1 * DAY)
        await rig.sleep(1.2 * DAY)
        surplus = {labels: count for labels, count in rig.missing().items() if count < 0}
        assert surplus == {}


@pytest.mark.parametrize("switched", ["adhoc_batches", "summary", "runs"])
async def test_a_source_that_is_switched_on_later_begins_then(tmp_path, switched):
    off = (
        {"adhoc_batches": False}
        if switched == "adhoc_batches"
        else {"collectors": {switched: False}, "adhoc_batches": switched == "runs"}
    )
    api = Api(recent_window=inf, recent_limit=1000)
    slowly = {"poll": {"interval": "5m"}}
    rig = CompanyRig(tmp_path, api=api, account=off, sections=slowly)
    rig.start()
    for _ in range(20):
        await rig.sleep(HOUR)
        if switched == "runs":
            rig.start_inline()
        else:
            rig.start_adhoc()
    await rig.sleep(5 * MINUTE)
    await rig.stop()
    before = sum(rig.counted().values())
    rig.configure({"timeout": "5s"})
    async with rig:
        await rig.sleep(2 * HOUR)
        assert sum(rig.counted().values()) == before == 0.0
        rig.start_adhoc()
        rig.start_nightly()
        await rig.sleep(5 * MINUTE)
        assert rig.counted() == {NIGHTLY: 3.0, ADHOC: 3.0}


@pytest.mark.parametrize("order", ["oldest", "newest", "updated"])
async def test_ids_that_come_later_take_over_what_they_counted_in_any_order(tmp_path, order):
    retry = RecordAttempt(10 * MINUTE, 10 * MINUTE, 11 * MINUTE)
    failed = [RecordPlan(outcome="failure", finished=30.0, retries=(retry,))] * 5
    good = [RecordPlan(finished=40.0)] * 5
    async with CompanyRig(tmp_path, api=Api(results_order=order)) as rig:
        await rig.sleep(MINUTE + 1)
        nameless = ApiFault(
            kind="set", operation="batch_results", path="data.*.recordResultId", value=None
        )
        rig.faults.add(nameless)
        rig.start_nightly([*failed, *good], completed=rig.now + 20 * MINUTE)
        await rig.sleep(5 * MINUTE)
        assert rig.missing() == {}
        rig.faults.clear()
        await rig.sleep(40 * MINUTE)
        assert rig.missing() == {}
        assert rig.counted("runtype_record_outcome_changes_total") == {}


@pytest.mark.parametrize("seen_by", ["both", "runs alone"])
async def test_the_flow_of_an_agent_s_batch_is_the_agent(tmp_path, seen_by):
    agent = ScheduleSpec(key="agent", name="agent", flow="research", kind="agent_batch")
    async with CompanyRig(tmp_path, schedules=(*COMPANY, agent)) as rig:
        if seen_by != "both":
            rig.faults.add(ApiFault(kind="status", operation="summary", value=500))
        await rig.sleep(MINUTE + 1)
        rig.world.add_batch([RecordPlan(finished=2 * MINUTE)], schedule="agent", at=rig.now)
        rig.world.add_batch([RecordPlan()], schedule="agent", at=rig.now)
        await rig.sleep(6 * MINUTE)
        assert rig.missing() == {}
        agent_id = rig.world.factory.agent_id("research")
        assert rig.counted() == {("agent", agent_id, "success"): 2.0}


async def test_two_runs_of_one_batch_do_not_end_it_before_its_rows(tmp_path):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(MINUTE + 1)
        first = rig.world.add_batch([], schedule="nightly", at=rig.now)
        second = rig.world.add_batch(
            [RecordPlan(finished=MINUTE * (1 + index)) for index in range(90)],
            schedule="nightly",
            at=rig.now + 9 * MINUTE,
        )
        path, batch = f"data.@{first.id}", second.batch.id
        for field, value in (("batchExecutionId", batch), ("status", "failed")):
            rig.faults.add(
                ApiFault(kind="set", operation="runs", path=f"{path}.{field}", value=value)
            )
        await rig.sleep(2 * HOUR)
        assert rig.missing() == {}
        assert rig.counted("runtype_records_abandoned_total") == {}


async def test_one_empty_list_of_schedules_keeps_the_series_of_a_quiet_schedule(tmp_path):
    poll = {"interval": "5m", "discovery_interval": "10m"}
    sections = {"state": {"retention": "6h"}, "poll": poll}
    async with CompanyRig(tmp_path, sections=sections) as rig:
        await rig.sleep(MINUTE + 1)
        rig.start_nightly()
        await rig.sleep(DAY)
        before = rig.series("runtype_records_finished_total")
        empty = ApiFault(kind="set", operation="schedules", path="data", value=[])
        rig.faults.add(empty)
        await rig.sleep(25 * MINUTE)
        rig.faults.clear()
        await rig.sleep(HOUR)
        assert rig.series("runtype_records_finished_total") == before
        # Absent from every list for as long as results are kept, it ends.
        rig.faults.add(empty)
        await rig.sleep(8 * HOUR)
        rig.series("runtype_records_finished_total")
        assert not rig.counted()


async def test_schedules_too_large_for_one_answer_are_read_in_smaller_pages(tmp_path):
    many = tuple(ScheduleSpec(key=f"s{index}", name=f"schedule {index}") for index in range(30))
    rig = CompanyRig(tmp_path, schedules=many)
    rig.faults.add(ApiFault(kind="oversize", operation="schedules", value=TOO_LARGE, above=7))
    async with rig:
        await rig.sleep(2 * MINUTE)
        for index in range(30):
            rig.world.add_batch(DONE, schedule=f"s{index}", at=rig.now)
        await rig.sleep(4 * MINUTE)
        assert rig.missing() == {}
        assert {labels[0] for labels in rig.counted()} == {spec.name for spec in many}
        asked = await rig.requests_during(HOUR)
        assert asked["schedules"] <= 6 * 10 + 20


@pytest.mark.parametrize(
    "fault",
    [
        ApiFault(kind="oversize", value=TOO_LARGE, above=30),
        ApiFault(kind="status", value=413, above=30),
        ApiFault(kind="status", value=400, above=30),
        ApiFault(kind="status", value=504, above=30),
        ApiFault(kind="slow_rows", value=0.1),
        ApiFault(kind="hang", above=30),
    ],
    ids=["too large", "413", "400", "504", "slow", "hanging"],
)
async def test_results_that_work_only_in_smaller_pages_are_counted(tmp_path, fault):
    async with CompanyRig(tmp_path, latency=0.05) as rig:
        await rig.sleep(MINUTE + 1)
        rig.faults.add(
            ApiFault(
                kind=fault.kind, operation="batch_results", value=fault.value, above=fault.above
            )
        )
        batch = rig.start_nightly([RecordPlan()] * 300)
        rig.start_inline()
        await rig.sleep(10 * MINUTE)
        assert rig.missing() == {}
        assert rig.batch(batch.id).closed is not None


async def test_sparklines_whose_address_is_too_long_are_read_in_parts(tmp_path):
    many = tuple(ScheduleSpec(key=f"s{index}", name=f"schedule {index}") for index in range(90))
    rig = CompanyRig(tmp_path, schedules=many)
    rig.faults.add(ApiFault(kind="status", operation="sparklines", value=414, longer_than=1000))
    async with rig:
        await rig.sleep(15 * MINUTE)
        assert rig.telemetry.collectors["sparklines"] == (True, "")
