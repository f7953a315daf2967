"""What the rows of the run list become: runs, batches and counts, each once."""

from __future__ import annotations

import sqlite3

import pytest

from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.polling.chunks import CHUNK
from runtype_exporter.runtype import RunRow, ScheduleRow
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import Api, RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig
from tests.support.ticks import turns_during

NIGHTLY = ScheduleSpec(key="a", name="nightly")
DONE = [RecordPlan(finished=1.0)] * 3
RUNS = "runtype_schedule_runs_finished_total"
CREATED = "2026-06-01T00:00:01Z"
BATCHES = "runtype_batches_finished_total"


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


async def test_a_configured_batch_of_an_excluded_schedule_is_followed(tmp_path):
    rig = Rig(tmp_path, world_of())
    batch = rig.world.add_batch(DONE, schedule="a", at=START + 2).batch
    rig.configure({"schedules": {"exclude": ["nightly"]}, "batches": [{"id": batch.id}]})
    async with rig:
        await rig.sleep(300)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}


async def test_what_ended_before_the_first_start_is_not_counted_and_what_ends_after_it_is(tmp_path):
    settings = world_of(start=START - 7200)
    async with Rig(tmp_path, settings, sections={"poll": {"interval": "5m"}}) as rig:
        rig.world.add_batch(DONE, schedule="a", at=START - 3600)
        straddling = [RecordPlan(finished=seconds) for seconds in (100.0, 900.0, 2000.0, 2100.0)]
        rig.world.add_batch(straddling, schedule="a", at=START - 1000)
        rig.world.add_adhoc(DONE, at=START - 500)
        rig.world.add_adhoc(
            [RecordPlan(finished=100.0), RecordPlan(finished=400.0)], at=START - 200
        )
        await rig.sleep(1800)
        assert rig.counted() == {
            ("nightly", "enrich", "success"): 2.0,
            ("", "adhoc import", "success"): 1.0,
        }
        assert rig.counted(RUNS) == {("nightly", "success"): 1.0}
        assert rig.counted(BATCHES) == {
            ("nightly", "enrich", "success"): 1.0,
            ("", "adhoc import", "success"): 1.0,
        }


@pytest.mark.parametrize("listed", [True, False])
async def test_a_configured_batch_that_began_after_the_first_start_counts_results_without_times(
    tmp_path, listed
):
    rig = Rig(tmp_path, world_of())
    async with rig:
        await rig.sleep(4000)
    records = [RecordPlan(finished=10.0)] * 4 + [RecordPlan(finished=5.0, outcome="cancelled")] * 3
    batch = rig.world.add_batch(records, schedule="a", at=rig.clock.now() + 5).batch
    rig.configure(
        {"batches": [{"id": batch.id}], "collectors": {"runs": listed, "summary": listed}}
    )
    async with rig:
        await rig.sleep(2000)
        assert sorted(rig.counted().values()) == [3.0, 4.0]


async def test_a_lookback_counts_what_ended_within_it(tmp_path):
    settings = world_of(start=START - 3 * 86400, api=Api(recent_window=1e6))
    async with Rig(
        tmp_path, settings, sections={"poll": {"interval": "5m", "lookback": "24h"}}
    ) as rig:
        rig.world.add_batch(DONE, schedule="a", at=START - 2 * 86400)
        rig.world.add_batch(
            [RecordPlan(finished=1.0), RecordPlan(finished=8000.0)],
            schedule="a",
            at=START - 86400 - 4000,
        )
        rig.world.add_batch(DONE, schedule="a", at=START - 3600)
        rig.world.add_adhoc(DONE, at=START - 3600)
        rig.world.add_adhoc(DONE, at=START - 2 * 86400)
        await rig.sleep(1500)
        assert rig.counted() == {
            ("nightly", "enrich", "success"): 4.0,
            ("", "adhoc import", "success"): 3.0,
        }
        assert rig.counted(RUNS) == {("nightly", "success"): 2.0}


async def test_what_ended_during_a_downtime_is_counted_when_polling_goes_on(tmp_path):
    settings = world_of(ScheduleSpec(key="a", name="nightly", cron="*/20 * * * *"))
    async with Rig(tmp_path, settings) as rig:
        await rig.sleep(3600)
        await rig.stop()
        await rig.sleep(5 * 3600)
        rig.world.stop(rig.clock.now())
        await rig.sleep(3600)
        rig.start()
        await rig.sleep(300)
        assert rig.counted() == rig.truth()
        assert rig.counted(RUNS) == rig.run_truth()


@pytest.mark.parametrize("missing", [["completedAt"], ["completedAt", "startedAt"]])
async def test_a_run_without_an_end_time_is_not_counted_again_when_it_is_forgotten_before_its_batch(
    tmp_path, missing
):
    sections = {
        "poll": {"interval": "20m", "discovery_interval": "20m", "settle_time": "6h"},
        "state": {"retention": "1d"},
    }
    async with Rig(tmp_path, world_of(), sections=sections) as rig:
        rig.faults.add(ApiFault(kind="nulls", operation="runs", value=missing))
        await rig.sleep(1)
        rig.world.add_batch(
            [*DONE, RecordPlan(finished=1e9)], schedule="a", at=START + 2, completed=START + 9
        )
        await rig.sleep(3 * 86400)
        assert rig.counted(RUNS) == {("nightly", "success"): 1.0}
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}
        assert rig.counted("runtype_records_abandoned_total") == {("nightly", "enrich"): 1.0}


@pytest.mark.parametrize("missing", [["createdAt"], ["createdAt", "completedAt"]])
async def test_a_run_without_a_creation_time_is_kept_as_long_as_it_is_listed(tmp_path, missing):
    sections = {
        "poll": {"interval": "1h", "discovery_interval": "2h"},
        "state": {"retention": "1d"},
    }
    async with Rig(tmp_path, world_of(), sections=sections) as rig:
        rig.faults.add(ApiFault(kind="nulls", operation="runs", value=missing))
        await rig.sleep(1)
        rig.world.add_batch(DONE, schedule="a", at=START + 2)
        await rig.sleep(5 * 86400)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}
        assert rig.counted(RUNS) == {("nightly", "success"): 1.0}


async def test_a_run_that_a_page_shows_twice_is_counted_once(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        rig.faults.add(ApiFault(kind="duplicate", operation="runs"))
        for second in range(3):
            rig.world.add_batch(DONE, schedule="a", at=START + 2 + second)
        await rig.sleep(300)
        assert rig.counted(RUNS) == {("nightly", "success"): 3.0}
        assert rig.counted() == {("nightly", "enrich", "success"): 9.0}


async def test_a_batch_that_only_full_walks_show_needs_no_status_read(tmp_path):
    settings = world_of(start=START - 86400, api=Api(runs_order="shuffled"))
    account = {"collectors": {"summary": False}}
    sections = {"poll": {"lookback": "1d"}}
    async with Rig(tmp_path, settings, account=account, sections=sections) as rig:
        for number in range(120):
            rig.world.add_batch(DONE, schedule="a", at=START - 80_000 + 60 * number)
        await rig.sleep(1800)
        assert rig.counted() == rig.truth() == {("nightly", "enrich", "success"): 360.0}
        assert rig.requests()["batch_status"] == 0


async def test_a_chunk_whose_commit_fails_is_stored_by_the_next_cycle(tmp_path, monkeypatch):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        rig.world.add_batch(DONE, schedule="a", at=START + 2)

        def fail(*_: object, **__: object) -> None:
            raise LedgerFailed(rig.path, sqlite3.OperationalError("full"))

        with monkeypatch.context() as patch:
            patch.setattr(rig.ledger, "commit", fail)
            await rig.sleep(100)
        assert "ledger" in rig.telemetry.cycles
        await rig.sleep(300)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}
        assert rig.counted(RUNS) == {("nightly", "success"): 1.0}


async def test_long_pages_are_stored_in_chunks_with_a_turn_for_others_after_each(tmp_path):
    rig = Rig(tmp_path, world_of())
    pages = rig.build()._parts.discovery.runs.pages
    rig.api_time.observe(START, None, sent=0.0, received=0.0)
    await pages.schedule_filter.update([ScheduleRow(id="s1", name="nightly")], 0.0)
    rows = [
        RunRow(id=f"run {number}", schedule_id="s1", status="completed", created_at=CREATED)
        for number in range(2 * CHUNK + 1)
    ]
    turns = await turns_during(pages.process(rows))
    assert turns >= 3
    assert rig.counted(RUNS) == {("nightly", "success"): 2.0 * CHUNK + 1}
    assert (await pages.process(rows)).known
    await rig.stop()


async def test_without_a_horizon_nothing_is_stored(tmp_path):
    rig = Rig(tmp_path, world_of())
    pages = rig.build()._parts.discovery.runs.pages
    row = RunRow(id="run", schedule_id="s1", status="completed", created_at=CREATED)
    shown = await pages.process([row])
    assert (shown.known, shown.runs) == (False, frozenset())
    assert rig.ledger.runs(["run"]) == {}
    await rig.stop()
