"""One account: configured batches, catching up, restarts, and what reaches the logs."""

from __future__ import annotations

import asyncio

import pytest

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import (
    Api,
    RecordPlan,
    ScheduleSpec,
    Traffic,
    WorldSettings,
)
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
DONE = [RecordPlan(finished=1.0)] * 3


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


NOTHING_BUT_CONFIGURED = dict.fromkeys(
    ("schedules", "runs", "summary", "cost", "sparklines", "usage"), False
)


async def test_configured_batches_are_followed_with_every_discovery_switched_off(tmp_path):
    rig = Rig(tmp_path, world_of(ScheduleSpec(key="a", name="nightly", cron="* * * * *")))
    batch = rig.world.add_adhoc(130, at=START + 100)
    rig.configure(
        {"collectors": NOTHING_BUT_CONFIGURED, "batches": [{"id": batch.id, "name": "backfill"}]}
    )
    async with rig:
        await rig.sleep(90)
        assert rig.gauges.finds == {"backfill": False}
        assert set(rig.telemetry.cycles) == {""}
        assert rig.poller.status().up is False
        await rig.sleep(600)
        assert rig.gauges.finds == {"backfill": True}
        assert rig.counted() == {key: value for key, value in rig.truth().items() if key[0] == ""}
        assert rig.view(batch.id).name == "backfill"
        assert rig.view(batch.id).configured
        assert set(rig.requests()) == {"batch_status", "batch_results"}
        assert rig.open_batches() == set()
        await rig.sleep(600)
        assert rig.poller.status().up is True


async def test_what_a_cycle_changed_before_it_failed_is_shown(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        records = [RecordPlan(finished=10.0 * number) for number in range(100)]
        batch = rig.world.add_batch(records, schedule="a", at=START + 2).batch
        await rig.sleep(100)
        before = rig.view(batch.id).processed
        rig.faults.add(ApiFault(kind="status", operation="runs", value=500))
        await rig.sleep(300)
        assert set(rig.telemetry.cycles[-3:]) == {"server"}
        assert rig.view(batch.id).processed >= before + 20


async def test_catching_up_ends_when_nothing_is_left_to_do(tmp_path):
    rig = Rig(tmp_path, world_of(start=START - 7200), sections={"poll": {"lookback": "1d"}})
    rig.world.add_batch(250, schedule="a", at=START - 3600)
    rig.world.add_adhoc(30, at=START - 300)
    assert await rig.build().catch_up()
    assert rig.counted() == rig.truth()
    assert rig.clock.now() == START
    assert rig.poller.status().last_poll == START
    await rig.stop()


@pytest.mark.parametrize(
    "fault",
    [
        ApiFault(kind="status", operation="runs", value=500),
        ApiFault(kind="status", operation="batch_results", value=404),
        ApiFault(kind="status", operation="batch_results", value=401),
        ApiFault(kind="hang", operation="batch_results"),
        ApiFault(kind="status", operation="*", value=401),
    ],
)
async def test_catching_up_tells_when_something_failed(tmp_path, fault):
    rig = Rig(tmp_path, world_of(start=START - 7200), sections={"poll": {"lookback": "1d"}})
    rig.world.add_batch(250, schedule="a", at=START - 3600)
    rig.faults.add(fault)
    assert not await asyncio.wait_for(rig.build().catch_up(), 600)
    await rig.stop()


async def test_catching_up_counts_the_runs_of_a_schedule_that_is_gone(tmp_path):
    rig = Rig(tmp_path, world_of(start=START - 7200), sections={"poll": {"lookback": "1d"}})
    rig.world.add_batch(250, schedule="a", at=START - 3600)
    id_ = rig.world.schedule_id("a")
    rig.world.delete(id_, START - 100)
    assert await rig.build().catch_up()
    assert {labels[0] for labels in rig.counted()} == {id_}
    assert sum(rig.counted().values()) == 250.0
    await rig.stop()


async def test_catching_up_counts_although_the_list_of_schedules_is_forbidden(tmp_path):
    rig = Rig(tmp_path, world_of(start=START - 7200), sections={"poll": {"lookback": "1d"}})
    rig.world.add_batch(250, schedule="a", at=START - 3600)
    rig.faults.add(ApiFault(kind="status", operation="schedules", value=403))
    # The list is a failure. The results are counted under the id of the schedule.
    assert not await rig.build().catch_up()
    assert {labels[0] for labels in rig.counted()} == {rig.world.schedule_id("a")}
    assert sum(rig.counted().values()) == 250.0
    await rig.stop()


async def test_catching_up_goes_on_until_a_cycle_adds_nothing(tmp_path):
    rig = Rig(
        tmp_path,
        world_of(start=START - 7200),
        sections={"poll": {"lookback": "1d"}},
        latency=1.0,
    )
    rig.world.add_batch(250, schedule="a", at=START - 3600)
    # It ends while the others are swept.
    rig.world.add_batch([RecordPlan(finished=5.0)] * 10, schedule="a", at=START)
    assert await rig.build().catch_up()
    assert rig.counted() == rig.truth()
    await rig.stop()


@pytest.mark.parametrize("order", ["newest", "shuffled"])
async def test_catching_up_ends_with_a_batch_older_than_the_head_of_the_run_list(tmp_path, order):
    day = 86400.0
    settings = world_of(start=START - 6 * day, api=Api(runs_order=order))
    rig = Rig(tmp_path, settings, sections={"poll": {"lookback": "1d"}})
    rig.world.add_adhoc([*DONE, RecordPlan(finished=1e9)], at=START - 5 * day)
    for hour in range(30):
        rig.world.add_batch(DONE, schedule="a", at=START - 4 * day + 3600.0 * hour)
    rig.configure({"page_size": 10}, {"poll": {"lookback": "1d"}})
    assert await asyncio.wait_for(rig.build().catch_up(), 600)
    assert rig.requests()["runs"] < 50
    await rig.stop()


@pytest.mark.parametrize("refused", ["schedules", "summary", "runs"])
async def test_catching_up_fails_where_the_key_may_not_read_what_it_needs(tmp_path, refused):
    account = {"schedules": {"include": ["night*"]}}
    rig = Rig(tmp_path, world_of(), account=account, sections={"poll": {"lookback": "1d"}})
    rig.world.add_batch(DONE, schedule="a", at=START + 30)
    rig.faults.add(ApiFault(kind="status", operation=refused, value=403))
    async with rig:
        await rig.sleep(900)
        await rig.stop()
        rig.world.add_adhoc(DONE, at=START + 902)
        rig.world.add_batch(DONE, schedule="a", at=START + 902)
        rig.build()
        await rig.sleep(10)
        assert not await asyncio.wait_for(rig.poller.catch_up(), 600)


async def test_catching_up_does_not_wait_for_a_refused_key_however_many_batches_do(tmp_path):
    rig = Rig(tmp_path, world_of(start=START - 7200), sections={"poll": {"lookback": "1d"}})
    for second in range(10):
        rig.world.add_batch(20, schedule="a", at=START - 3600 + second)
    rig.faults.add(ApiFault(kind="status", operation="batch_results", value=401))
    assert not await asyncio.wait_for(rig.build().catch_up(), 600)
    assert rig.requests()["batch_results"] <= 4
    await rig.stop()


async def test_what_was_shown_before_a_restart_is_shown_after_it(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        for second in (2, 3):
            closed = rig.world.add_batch(DONE, schedule="a", at=START + second).batch
        running = rig.world.add_batch([RecordPlan(finished=9e5)], schedule="a", at=START + 4).batch
        await rig.sleep(150)  # its cost is read after the cycle in which it closed
        shown = dict(rig.gauges.batches)
        await rig.stop()
        rig.gauges.batches.clear()
        rig.start()
        await rig.sleep(0.1)
        assert set(rig.gauges.batches) <= {
            batch.ref for batch in rig.ledger.batches([closed.id, running.id]).values()
        } | set(shown)
        assert rig.view(running.id) == shown[rig.batch(running.id).ref]
        assert len([view for view in rig.gauges.batches.values() if not view.open]) == 1


async def test_no_customer_data_and_no_key_reach_the_logs_or_the_ledger(tmp_path, logs):
    settings = world_of(
        ScheduleSpec(
            key="a", name="nightly", cron="*/5 * * * *", traffic=Traffic(failure_share=0.5)
        )
    )
    async with Rig(tmp_path, settings) as rig:
        for kind in ("hostile", "truncate", "times", "words"):
            rig.faults.add(ApiFault(kind=kind, value="odd" if kind == "words" else None))
            await rig.sleep(900)
            rig.faults.clear()
        await rig.sleep(600)
        content = b"".join(file.read_bytes() for file in tmp_path.glob("ledger.db*"))
    assert logs
    for secret in ("CUSTOMER-SECRET", "rt_test_rig"):
        assert secret not in str(logs)
        assert secret.encode() not in content


@pytest.mark.parametrize("schedules", [True, False])
async def test_catching_up_waits_until_the_time_of_an_api_without_dates_is_known(
    tmp_path, schedules
):
    account = {"collectors": {"schedules": schedules, "usage": False}}
    rig = Rig(tmp_path, world_of(), account=account, sections={"poll": {"lookback": "1h"}})
    rig.faults.add(ApiFault(kind="date", value=None))
    rig.build()
    rig.world.add_batch(DONE, schedule="a", at=START + 1)
    rig.world.add_adhoc(DONE, at=START + 1)
    await rig.sleep(30)
    assert await rig.poller.catch_up()
    assert sum(rig.counted().values()) == 6.0
    await rig.stop()


async def test_catching_up_fails_where_the_time_of_the_api_stays_unknown(tmp_path):
    rig = Rig(tmp_path, world_of(), account={"collectors": NOTHING_BUT_CONFIGURED})
    assert not await asyncio.wait_for(rig.build().catch_up(), 600)
    await rig.stop()
