"""What each kind of failure of the API does to one account."""

from __future__ import annotations

import pytest

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import (
    RecordPlan,
    ScheduleSpec,
    WorldSettings,
)
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
DONE = [RecordPlan(finished=1.0)] * 3


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


async def test_a_refused_key_costs_one_request_a_minute_and_polling_goes_on_once_it_is_taken(
    tmp_path, logs
):
    settings = world_of(ScheduleSpec(key="a", name="nightly", cron="*/5 * * * *"))
    async with Rig(tmp_path, settings, sections={"poll": {"interval": "10s"}}) as rig:
        rig.world.add_batch(500, schedule="a", at=START)
        await rig.sleep(15)
        rig.key = "rt_test_revoked"
        await rig.sleep(60)
        assert (await rig.requests_during(1200)).total() == 20
        status = rig.poller.status()
        assert status.up is False
        assert "refuses the key (401)" in status.last_error
        refused = "the API key is refused; one request a minute tries it again"
        assert [entry["event"] for entry in logs].count(refused) == 1
        rig.key = "rt_test_rig"
        await rig.sleep(300)
        assert rig.poller.status().up is True
        rig.world.stop(rig.clock.now())
        await rig.sleep(300)
        assert rig.counted() == rig.truth()


async def test_a_key_refused_in_the_middle_of_a_sweep_stops_the_other_workers_too(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        rig.faults.add(ApiFault(kind="status", operation="batch_results", value=401))
        for _ in range(20):
            rig.world.add_batch(DONE, schedule="a", at=START + 2)
        await rig.sleep(100)
        assert rig.requests()["batch_results"] <= 4
        rig.faults.clear()
        await rig.sleep(300)
        assert rig.counted() == rig.truth()
        assert rig.open_batches() == set()


async def test_a_key_without_the_scope_for_results_is_asked_again_in_an_hour(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        rig.faults.add(ApiFault(kind="status", operation="batch_results", value=403))
        for _ in range(5):
            rig.world.add_batch(DONE, schedule="a", at=START + 2)
        # Each is refused once, and three of them again a minute later. Then one is under way.
        await rig.sleep(300)
        assert rig.requests()["batch_results"] <= 5 + 3 + 1
        assert (await rig.requests_during(3300))["batch_results"] == 0
        assert rig.poller.status().up is True
        assert rig.telemetry.collectors["results"] == (False, "forbidden")
        rig.faults.clear()
        await rig.sleep(600)
        assert rig.counted() == rig.truth()


async def test_one_batch_that_fails_backs_off_alone_up_to_an_hour(tmp_path):
    settings = world_of(ScheduleSpec(key="a", name="nightly", cron="*/20 * * * *"))
    async with Rig(tmp_path, settings, sections={"poll": {"interval": "4m"}}) as rig:
        bad = rig.world.add_batch(DONE, schedule="a", at=START).batch
        rig.faults.add(ApiFault(kind="status", operation="batch_results", match=bad.id, value=500))
        await rig.sleep(6 * 3600)
        asked = [
            r
            for r in rig.app.state.requests.log
            if bad.id in r.target and r.operation == "batch_results"
        ]
        # At 0, 4, 8, 12, 20, 36, 68, 128 ... minutes, in two attempts each.
        assert len(asked) == 2 * 11
        assert rig.open_batches() == {bad.id} | {
            b.id for b in rig.world.batches(rig.clock.now()) if b.unfinished(rig.clock.now() - 480)
        }
        assert set(rig.telemetry.cycles) == {""}
        rig.faults.clear()
        rig.world.stop(rig.clock.now())
        await rig.sleep(3700)
        assert rig.counted() == rig.truth()


async def test_after_an_outage_of_hours_everything_is_counted_at_once(tmp_path):
    settings = world_of(ScheduleSpec(key="a", name="nightly", cron="*/30 * * * *", records=130))
    async with Rig(tmp_path, settings, sections={"poll": {"interval": "3m"}}) as rig:
        await rig.sleep(3595)
        rig.faults.add(ApiFault(kind="status", operation="batch_results", value=500))
        await rig.sleep(600)
        rig.faults.add(ApiFault(kind="status", value=500))
        failures = rig.poller.context.collectors.failures
        failed_before = {id_ for id_ in rig.open_batches() if failures("results", id_)}
        assert max(failures("results", batch_id) for batch_id in failed_before) > 1
        await rig.sleep(6 * 3600 - 10)
        assert rig.poller.status().up is False
        assert rig.poller.status().last_error.startswith("summary: the API failed (500)")
        rig.world.stop(rig.clock.now())
        rig.faults.clear()
        await rig.sleep(600)
        # What failed before the outage for itself keeps its back-off.
        assert rig.open_batches() <= failed_before
        assert rig.poller.status().last_error == ""
        await rig.sleep(3600)
        assert rig.counted() == rig.truth()
        assert rig.open_batches() == set()


async def test_a_batch_that_is_denied_waits_out_its_back_off_whatever_else_recovers(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        rig.world.add_batch(DONE, schedule="a", at=START)
        rig.faults.add(ApiFault(kind="status", operation="batch_results", value=404))
        await rig.sleep(4000)
        rig.faults.add(ApiFault(kind="status", operation="summary", value=500, times=3))
        assert (await rig.requests_during(600))["batch_results"] == 0
        assert "server" in rig.telemetry.cycles


async def test_after_an_outage_of_the_results_alone_everything_is_counted_within_the_back_off(
    tmp_path,
):
    settings = world_of(ScheduleSpec(key="a", name="nightly", cron="*/10 * * * *", records=130))
    async with Rig(tmp_path, settings) as rig:
        rig.faults.add(ApiFault(kind="html", operation="batch_results", value=200))
        await rig.sleep(3600)
        rig.faults.clear()
        rig.world.stop(rig.clock.now())
        await rig.sleep(3600)
        assert rig.counted() == rig.truth()


@pytest.mark.parametrize("kind", ["hang", "reset"])
async def test_while_no_results_can_be_read_no_batch_comes_closer_to_its_end(tmp_path, kind):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        run = rig.world.add_batch(DONE, schedule="a", at=START + 2)
        rig.faults.add(ApiFault(kind=kind, operation="batch_results"))
        await rig.sleep(400)
        assert rig.batch(run.batch.id).unreadable_since is not None
        assert rig.batch(run.batch.id).unreadable_for == 0.0
        rig.faults.clear()
        await rig.sleep(500)
        assert rig.counted() == rig.truth()


@pytest.mark.parametrize("kind", ["hang", "reset", "status"])
async def test_an_api_out_of_reach_is_not_held_against_a_batch(tmp_path, kind):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        run = rig.world.add_batch(DONE, schedule="a", at=START + 50)
        await rig.sleep(58)
        rig.faults.add(ApiFault(kind=kind, value=404 if kind == "status" else None))
        await rig.sleep(26 * 3600)
        assert rig.poller.status().up is False
        assert rig.counted() == {}
        rig.faults.clear()
        await rig.sleep(150)
        assert rig.poller.status().up is True
        assert rig.counted() == rig.truth()
        assert rig.batch(run.batch.id).outcome == "success"


async def test_a_429_in_a_sweep_pauses_it_and_it_goes_on_where_it_stood(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        run = rig.world.add_batch([RecordPlan(finished=1.0)] * 350, schedule="a", at=START + 2)
        rig.faults.add(
            ApiFault(
                kind="status",
                operation="batch_results",
                match="offset=200",
                value=429,
                headers={"Retry-After": "900"},
                times=1,
            )
        )
        await rig.sleep(600)
        assert rig.batch(run.batch.id).sweep.offset == 200
        assert (await rig.requests_during(300)).total() == 0
        assert (await rig.requests_during(100))["batch_results"] == 2
        assert rig.counted() == rig.truth()
        assert max(rig.telemetry.throttles) >= START + 900
