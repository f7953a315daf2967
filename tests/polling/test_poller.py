"""One account: what its polling costs, what each kind of failure does, and what it shows."""

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
    Traffic,
    WorldSettings,
)
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
NOTHING_BUT_CONFIGURED = dict.fromkeys(
    ("schedules", "runs", "summary", "cost", "sparklines", "usage"), False
)
DONE = [RecordPlan(finished=1.0)] * 3


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


# --- what it costs ---
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


# --- what fails ---
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
        assert [entry["log_level"] for entry in logs].count("error") == 1
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
        await rig.sleep(100)
        assert rig.requests()["batch_results"] <= 4
        assert (await rig.requests_during(3300))["batch_results"] == 0
        assert rig.poller.status().up is True
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
        assert max(batch.failures for batch in rig.ledger.open_batches("acme")) > 1
        await rig.sleep(6 * 3600 - 10)
        assert rig.poller.status().up is False
        assert rig.poller.status().last_error == "cycle failed: server"
        rig.world.stop(rig.clock.now())
        rig.faults.clear()
        await rig.sleep(600)
        assert rig.counted() == rig.truth()
        assert rig.open_batches() == set()
        assert rig.poller.status().last_error == ""


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
async def test_an_api_out_of_reach_is_not_held_against_the_batch(tmp_path, kind):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        run = rig.world.add_batch(DONE, schedule="a", at=START + 2)
        rig.faults.add(ApiFault(kind=kind, operation="batch_results"))
        await rig.sleep(400)
        assert rig.batch(run.batch.id).failures == 0
        rig.faults.clear()
        await rig.sleep(121)
        assert rig.counted() == rig.truth()


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


# --- configured batches ---
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
    batches = [{"id": "a-missing"}, {"id": "b-out-of-reach"}]
    rig = Rig(
        tmp_path,
        world_of(),
        account={"collectors": NOTHING_BUT_CONFIGURED, "batches": batches, "timeout": "5s"},
    )
    rig.faults.add(ApiFault(kind="hang", match="b-out"))
    async with rig:
        await rig.sleep(30)
        assert rig.telemetry.cycles == ["timeout"]
        assert rig.gauges.finds["a-missing"] is False


# --- once ---
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


async def test_catching_up_does_not_wait_for_a_refused_key_however_many_batches_do(tmp_path):
    rig = Rig(tmp_path, world_of(start=START - 7200), sections={"poll": {"lookback": "1d"}})
    for second in range(10):
        rig.world.add_batch(20, schedule="a", at=START - 3600 + second)
    rig.faults.add(ApiFault(kind="status", operation="batch_results", value=401))
    assert not await asyncio.wait_for(rig.build().catch_up(), 600)
    assert rig.requests()["batch_results"] <= 4
    await rig.stop()


async def test_catching_up_does_not_wait_for_a_ledger_that_fails(tmp_path):
    rig = Rig(tmp_path, world_of(start=START - 7200), sections={"poll": {"lookback": "1d"}})
    rig.world.add_batch(250, schedule="a", at=START - 3600)
    poller = rig.build()
    with failing(rig, "results"):
        assert not await asyncio.wait_for(poller.catch_up(), 600)
    await rig.stop()


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
        assert rig.batch(batch_id).failures == 0
        assert rig.open_batches() == set()


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
