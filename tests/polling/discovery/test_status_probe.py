"""The status reads of batches that no list shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import Api, RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


def failures(rig: Rig, batch_id: str) -> int:
    return rig.poller.context.collectors.failures("status", batch_id)


async def test_the_status_of_a_batch_that_the_lists_do_not_show_any_more_is_read_until_it_ends(
    tmp_path,
):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        batch = rig.world.add_adhoc(
            [RecordPlan(finished=1.0), RecordPlan(finished=900.0)], at=START + 2
        )
        await rig.sleep(300)
        for part in ("batches", "recent"):
            rig.faults.add(ApiFault(kind="set", operation="summary", path=part, value=[]))
        assert (await rig.requests_during(300))["batch_status"] == 5
        await rig.sleep(600)
        assert rig.counted() == rig.truth()
        assert rig.batch(batch.id).outcome == "success"


async def test_the_status_of_batches_that_ended_and_wait_for_the_budget_is_not_read(tmp_path):
    tight = {"requests_per_hour": 200, "page_size": 10, "collectors": {"cost": False}}
    async with Rig(tmp_path, world_of(), account=tight) as rig:
        await rig.sleep(1800)
        # The list's first page, which is all that most cycles read, shows few of them.
        for number in range(100):
            rig.world.add_batch(
                [RecordPlan(finished=1.0)],
                schedule=NIGHTLY.key,
                at=rig.clock.now() - 60 + number / 10,
            )
        asked = await rig.requests_during(3600)
        assert rig.counted() == rig.truth()
        assert asked["batch_status"] == 0
        assert asked["summary"] >= 8  # and cycles go on


async def test_while_the_lists_fail_no_status_is_read(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        for _ in range(50):
            rig.world.add_batch([RecordPlan(finished=1e5)], schedule="a", at=START + 2)
        await rig.sleep(200)
        rig.faults.add(ApiFault(kind="status", value=500))
        asked = await rig.requests_during(600)
        assert asked["summary"] == 10 * 2
        assert asked["batch_status"] == 0


@pytest.mark.parametrize("runs", [True, False])
async def test_where_only_the_lists_go_on_to_fail_the_status_shows_the_end_of_a_batch(
    tmp_path, runs
):
    rig = Rig(tmp_path, world_of(), account={"collectors": {"runs": runs}})
    async with rig:
        await rig.sleep(1)
        batch = rig.world.add_adhoc([RecordPlan(finished=1800.0)] * 3, at=START + 2)
        await rig.sleep(200)
        for operation in ("summary", "runs"):
            rig.faults.add(ApiFault(kind="status", operation=operation, value=500))
        await rig.sleep(7200)
        assert rig.batch(batch.id).outcome == "success"
        assert rig.counted() == rig.truth()


async def test_one_batchs_status_that_fails_is_no_failure_of_the_cycle_and_backs_off_alone(
    tmp_path,
):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        batch = rig.world.add_adhoc([RecordPlan(finished=1e5)], at=START + 2)
        await rig.sleep(200)
        for part in ("batches", "recent"):
            rig.faults.add(ApiFault(kind="set", operation="summary", path=part, value=[]))
        rig.faults.add(ApiFault(kind="status", operation="batch_status", value=500))
        assert (await rig.requests_during(3600))["batch_status"] == 2 * 6
        assert set(rig.telemetry.cycles) == {""}
        assert rig.telemetry.collectors["status"] == (True, "server")
        assert rig.batch(batch.id).missing_since is None


async def test_where_nothing_else_is_read_a_failing_status_is_an_account_out_of_reach(tmp_path):
    rig = Rig(tmp_path, world_of())
    batch = rig.world.add_adhoc([RecordPlan(finished=1e5)], at=START + 2)
    off = dict.fromkeys(("schedules", "runs", "summary", "usage"), False)
    rig.configure({"collectors": off, "batches": [{"id": batch.id}]})
    rig.faults.add(ApiFault(kind="status", operation="batch_status", value=500))
    async with rig:
        await rig.sleep(600)
        assert rig.telemetry.cycles[-1] == "unreachable"
        assert rig.poller.status().up is False
        assert "status" in rig.poller.status().last_error
        rig.faults.clear()
        await rig.sleep(300)
        assert rig.poller.status().up is True
        assert rig.telemetry.cycles[-1] == ""


@pytest.mark.parametrize(("code", "up"), [(401, False), (429, True)])
async def test_a_refused_key_and_a_pause_do_not_count_against_the_batch(tmp_path, code, up):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        batch = rig.world.add_adhoc([RecordPlan(finished=1e5)], at=START + 2)
        await rig.sleep(200)
        for part in ("batches", "recent"):
            rig.faults.add(ApiFault(kind="set", operation="summary", path=part, value=[]))
        rig.faults.add(ApiFault(kind="status", operation="batch_status", value=code))
        await rig.sleep(50)
        assert rig.requests()["batch_status"]
        assert failures(rig, batch.id) == 0
        assert rig.batch(batch.id).unreadable_since is None
        assert rig.poller.context.collectors.up is up


@pytest.mark.parametrize(("answer", "known"), [("flow_9", "flow_9"), (None, "")])
async def test_a_status_read_shows_the_flow_of_a_batch(tmp_path, answer, known):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        batch = rig.world.add_adhoc([RecordPlan(finished=1e5)], at=START + 2)
        rig.faults.add(ApiFault(kind="status", operation="batch_results", value=500))
        await rig.sleep(90)
        for part in ("batches", "recent"):
            rig.faults.add(ApiFault(kind="set", operation="summary", path=part, value=[]))
        rig.faults.add(ApiFault(kind="set", operation="batch_status", path="flowId", value=answer))
        await rig.sleep(600)
        assert rig.requests()["batch_status"]
        assert rig.batch(batch.id).flow_id == known


async def test_a_batch_that_closes_while_its_status_is_read_stays_closed(tmp_path):
    async with Rig(tmp_path, world_of(), latency=1.0) as rig:
        await rig.sleep(1)
        batch = rig.world.add_adhoc([RecordPlan(finished=1e5)], at=START + 10)
        await rig.sleep(200)
        for part in ("batches", "recent"):
            rig.faults.add(ApiFault(kind="set", operation="summary", path=part, value=[]))
        rig.faults.add(ApiFault(kind="status", operation="batch_status", value=404))
        while rig.requests()["batch_status"] == 0:
            await rig.sleep(0.5)
        rig.ledger.save(replace(rig.batch(batch.id), closed=rig.clock.now()))
        await rig.sleep(90)
        assert failures(rig, batch.id) <= 1
        assert rig.batch(batch.id).missing_since is None
        assert rig.requests()["batch_status"] == 1


async def test_a_batch_that_does_not_change_is_read_less_and_less(tmp_path):
    rig = Rig(tmp_path, world_of())
    batch = rig.world.add_adhoc([RecordPlan(finished=1e9)], at=START + 2)
    rig.configure({"collectors": {"summary": False}, "batches": [{"id": batch.id}]})
    async with rig:
        first = (await rig.requests_during(3600))["batch_status"]
        await rig.sleep(86400)
        assert (await rig.requests_during(6 * 3600))["batch_status"] == 6
        assert 30 <= first <= 60


@pytest.mark.parametrize("order", ["newest", "shuffled"])
async def test_a_configured_batch_is_read_also_where_only_full_walks_read_the_runs(tmp_path, order):
    runs = ScheduleSpec(key="b", name="often", cron="*/10 * * * *", records=1)
    settings = world_of(NIGHTLY, runs, start=START - 86400, api=Api(runs_order=order))
    rig = Rig(tmp_path, settings)
    batch = rig.world.add_adhoc([RecordPlan(finished=900.0)] * 3, at=START + 30)
    rig.configure({"collectors": {"summary": False}, "batches": [{"id": batch.id}]})
    async with rig:
        await rig.sleep(3600)
        assert rig.poller._parts.discovery.runs.order != "unknown"
        assert rig.requests()["batch_status"]
        assert rig.batch(batch.id).outcome == "success"
        assert rig.counted()["", "adhoc import", "success"] == 3.0


async def test_status_reads_take_a_tenth_of_the_budget_at_most(tmp_path):
    rig = Rig(tmp_path, world_of())
    ids = [rig.world.add_adhoc([RecordPlan(finished=1e9)], at=START + 2).id for _ in range(60)]
    rig.configure(
        {
            "collectors": {"summary": False},
            "batches": [{"id": batch_id} for batch_id in ids],
            "requests_per_hour": 600,
        }
    )
    async with rig:
        await rig.sleep(600)
        assert 50 <= (await rig.requests_during(3600))["batch_status"] <= 60


async def test_a_status_without_its_scope_is_forbidden_after_three_batches(tmp_path):
    rig = Rig(tmp_path, world_of())
    ids = [rig.world.add_adhoc([RecordPlan(finished=1e9)], at=START + 2).id for _ in range(5)]
    rig.configure(
        {"collectors": {"summary": False}, "batches": [{"id": batch_id} for batch_id in ids]}
    )
    rig.faults.add(ApiFault(kind="status", operation="batch_status", value=403))
    async with rig:
        await rig.sleep(300)
        assert rig.telemetry.collectors["status"] == (False, "forbidden")
        assert rig.requests()["batch_status"] == 5 + 3
        assert (await rig.requests_during(1800))["batch_status"] == 0
        assert set(rig.telemetry.cycles) == {""}


async def test_the_status_of_a_run_without_a_batch_is_not_read(tmp_path):
    inline = ScheduleSpec(key="i", name="inline", kind="inline")
    async with Rig(tmp_path, world_of(NIGHTLY, inline)) as rig:
        await rig.sleep(1)
        rig.faults.add(ApiFault(kind="status", operation="run_results", value=500))
        rig.world.add_batch([RecordPlan(finished=1.0)], schedule="i", at=START + 2)
        await rig.sleep(1200)
        assert len(rig.open_batches()) == 1
        assert rig.requests()["batch_status"] == 0


async def test_a_status_that_comes_after_its_batch_closed_changes_nothing(tmp_path):
    async with Rig(tmp_path, world_of(), latency=1.0) as rig:
        await rig.sleep(1)
        batch = rig.world.add_adhoc([RecordPlan(finished=1e5)], at=START + 10)
        await rig.sleep(200)
        for part in ("batches", "recent"):
            rig.faults.add(ApiFault(kind="set", operation="summary", path=part, value=[]))
        while rig.requests()["batch_status"] == 0:
            await rig.sleep(0.5)
        closed = replace(rig.batch(batch.id), closed=rig.clock.now())
        rig.ledger.save(closed)
        await rig.sleep(90)
        assert rig.batch(batch.id) == closed
