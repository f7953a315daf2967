"""Failures of the ledger, bugs, and batches that close in the middle of a read."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace

import pytest

from runtype_exporter.simulator.faults import ApiFault
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


@contextmanager
def failing(rig: Rig, table: str):
    """Let the writes to one table of the ledger fail, as on a full disk."""
    connection = rig.ledger._database._connection
    for change in ("INSERT", "UPDATE", "DELETE"):
        connection.execute(
            f"CREATE TEMP TRIGGER no_{change} BEFORE {change} ON main.{table} BEGIN SELECT"
            " RAISE(FAIL, 'disk full'); END"
        )
    yield
    for change in ("INSERT", "UPDATE", "DELETE"):
        connection.execute(f"DROP TRIGGER no_{change}")


@pytest.mark.parametrize("table", ["batches", "runs", "results", "series", "budget"])
async def test_while_the_ledger_fails_polling_pauses_and_afterwards_the_totals_are_right(
    tmp_path, table, logs
):
    settings = world_of(ScheduleSpec(key="a", name="nightly", cron="*/5 * * * *", records=130))
    async with Rig(tmp_path, settings, account={"requests_per_hour": 1000}) as rig:
        await rig.sleep(400)
        before = rig.counted()
        with failing(rig, table):
            asked = await rig.requests_during(600)
            assert rig.counted() == before
            assert asked.total() <= 150
        await rig.sleep(600)
        rig.world.stop(rig.clock.now())
        await rig.sleep(600)
        assert rig.counted() == rig.truth()
        assert "polling pauses: the ledger failed" in [entry["event"] for entry in logs]
        assert "ledger" in {*rig.telemetry.cycles, *rig.telemetry.sweeps}
        assert rig.poller.status().last_error == ""


async def test_a_ledger_that_fails_at_the_start_is_handled_like_any_other_time(tmp_path, logs):
    async with Rig(tmp_path, world_of()) as rig:
        closed = rig.world.add_batch(DONE, schedule="a", at=START + 2).batch
        await rig.sleep(200)
    rig.gauges.batches.clear()
    rig.build()
    connection = rig.ledger._database._connection
    connection.execute("ALTER TABLE batches RENAME TO unreadable")
    rig._task = asyncio.create_task(rig.poller.run())
    await rig.sleep(130)
    assert "polling pauses: the ledger failed" in [entry["event"] for entry in logs]
    assert set(rig.telemetry.cycles[-3:]) == {"ledger"}
    assert rig.poller.status().last_error
    connection.execute("ALTER TABLE unreadable RENAME TO batches")
    await rig.sleep(60)
    assert rig.view(closed.id).open is False
    assert rig.poller.status().last_error == ""
    await rig.stop()


async def test_a_fault_of_ours_in_one_batch_is_internal_and_does_not_stop_the_others(
    tmp_path, monkeypatch, logs
):
    async with Rig(tmp_path, world_of()) as rig:
        rig.expect_internal()
        await rig.sleep(1)
        bad = rig.world.add_batch(DONE, schedule="a", at=START + 2).batch.id
        good = rig.world.add_batch(DONE, schedule="a", at=START + 2).batch.id
        results = rig.client.results

        async def broken(batch_id, *args, **options):
            if batch_id == bad:
                raise KeyError("CUSTOMER-SECRET")
            return await results(batch_id, *args, **options)

        monkeypatch.setattr(rig.client, "results", broken)
        await rig.sleep(250)
        assert rig.open_batches() == {bad}
        assert rig.batch(good).outcome == "success"
        assert rig.telemetry.sweeps.count("internal") == 3
        assert "CUSTOMER-SECRET" not in str([{**entry, "exc_info": ""} for entry in logs])
        monkeypatch.undo()
        await rig.sleep(600)
        assert rig.counted() == rig.truth()


async def test_a_fault_of_ours_in_a_cycle_is_internal_and_the_next_cycle_is_tried(
    tmp_path, monkeypatch
):
    async with Rig(tmp_path, world_of()) as rig:
        rig.expect_internal()
        await rig.sleep(1)
        monkeypatch.setattr(rig.client, "summary", lambda: 1 / 0)
        await rig.sleep(120)
        assert rig.telemetry.cycles == ["", "internal", "internal"]
        assert rig.poller.status().last_error == "ZeroDivisionError"
        monkeypatch.undo()
        await rig.sleep(60)
        assert rig.telemetry.cycles[-1] == ""
        assert rig.poller.status().up is True


@pytest.mark.parametrize("moment", range(1, 7))
async def test_a_batch_that_is_closed_while_it_is_swept_stays_closed(tmp_path, moment):
    api = Api(page_cap=1000)
    async with Rig(tmp_path, world_of(api=api), account={"page_size": 300}, latency=0.5) as rig:
        await rig.sleep(10)
        batch_id = rig.world.add_batch(
            [RecordPlan(finished=1.0)] * 450, schedule="a", at=START + 20
        ).batch.id
        commits = 0

        def close() -> None:
            rig.ledger.save(replace(rig.batch(batch_id), closed=rig.clock.now(), sweep=None))

        def committed(_: float) -> None:
            nonlocal commits
            batch = rig.ledger.batches((batch_id,)).get(batch_id)
            commits += batch is not None and batch.sweep is not None
            if batch is not None and batch.sweep is not None and commits == moment:
                asyncio.get_running_loop().call_soon(close)

        rig._committed = committed
        await rig.sleep(300)
        assert commits >= moment
        assert rig.batch(batch_id).closed is not None
        assert rig.batch(batch_id).sweep is None
        assert rig.open_batches() == set()
        assert rig.telemetry.sweeps == []


async def test_a_batch_closed_while_a_page_is_read_that_contradicts_itself_stays_closed(tmp_path):
    async with Rig(tmp_path, world_of(), latency=0.5) as rig:
        await rig.sleep(10)
        rig.faults.add(
            ApiFault(kind="set", operation="batch_results", path="pagination.offset", value=7)
        )
        batch_id = rig.world.add_batch(DONE, schedule="a", at=START + 20).batch.id
        while rig.requests()["batch_results"] == 0:
            await rig.sleep(0.1)
        rig.ledger.save(replace(rig.batch(batch_id), closed=rig.clock.now()))
        await rig.sleep(200)
        assert rig.telemetry.sweeps == ["paging"]
        assert rig.batch(batch_id).unreadable_since is None
        assert rig.open_batches() == set()


async def test_catching_up_does_not_wait_for_a_ledger_that_fails(tmp_path):
    rig = Rig(tmp_path, world_of(start=START - 7200), sections={"poll": {"lookback": "1d"}})
    rig.world.add_batch(250, schedule="a", at=START - 3600)
    poller = rig.build()
    with failing(rig, "results"):
        assert not await asyncio.wait_for(poller.catch_up(), 600)
    await rig.stop()
