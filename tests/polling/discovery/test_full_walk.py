"""Full walks over the run list, and what is forgotten after them."""

from __future__ import annotations

import pytest

from runtype_exporter.runtype import ApiTime
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import (
    AdhocSpec,
    Api,
    RecordPlan,
    ScheduleSpec,
    Traffic,
    WorldSettings,
)
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
DONE = [RecordPlan(finished=1.0)] * 3
ENDLESS = [*DONE, RecordPlan(finished=1e9)]
RUNS = "runtype_schedule_runs_finished_total"


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
async def test_a_month_of_batches_that_stay_listed_counts_once_and_the_ledger_stays_small(
    tmp_path, order
):
    traffic = Traffic(latency=1.0, slow_share=0.0)
    settings = world_of(
        ScheduleSpec(key="a", name="nightly", cron="0 */6 * * *", records=(2, 5), traffic=traffic),
        adhoc=(AdhocSpec(key="x", cron="30 4 * * *", records=2, traffic=traffic),),
        api=Api(runs_order=order, recent_window=1e9),
    )
    sections = {
        "poll": {"interval": "4h", "discovery_interval": "12h"},
        "state": {"retention": "3d"},
    }
    async with Rig(tmp_path, settings, sections=sections) as rig:
        await rig.sleep(30 * 86400)
        rig.world.stop(rig.clock.now())
        await rig.sleep(86400)
        assert rig.counted() == rig.truth()
        assert rig.counted(RUNS) == rig.run_truth()
        connection = rig.ledger._database._connection
        held = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("runs", "batches", "results")
        }
        assert held["runs"] <= 4 * 5
        # A batch stays as long as it is listed: what is listed may be dated again.
        assert held["batches"] <= len(rig.world.schedules) + 35 * 5
        assert held["results"] <= 4 * 5 * 5
        assert rig.ledger.rows() == held["results"]


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_a_run_that_never_ends_costs_ordinary_cycles_nothing(tmp_path, order):
    hourly = ScheduleSpec(key="b", name="often", cron="*/10 * * * *", records=1)
    settings = world_of(NIGHTLY, hourly, start=START - 3 * 86400, api=Api(runs_order=order))
    async with Rig(tmp_path, settings, sections={"poll": {"discovery_interval": "1h"}}) as rig:
        rig.world.add_batch(ENDLESS, schedule="a", at=START - 2 * 86400)
        rig.world.stop(START)
        await rig.sleep(30)
        assert rig.requests()["runs"] == 1 + 5
        assert await rig.requests_during(3500) == {"summary": 58, "runs": 58}
        assert (await rig.requests_during(120))["runs"] >= 2 + 2


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_a_run_that_ends_after_days_is_counted_at_the_next_full_walk(tmp_path, order):
    hourly = ScheduleSpec(key="b", name="often", cron="*/10 * * * *", records=1)
    settings = world_of(NIGHTLY, hourly, start=START - 3 * 86400, api=Api(runs_order=order))
    async with Rig(tmp_path, settings) as rig:
        rig.world.add_batch(
            [*DONE, RecordPlan(finished=2 * 86400 + 1800.0)], schedule="a", at=START - 2 * 86400
        )
        rig.world.stop(START)
        await rig.sleep(1800)
        assert ("nightly", "success") not in rig.counted(RUNS)
        await rig.sleep(660)
        assert rig.counted(RUNS)["nightly", "success"] == 1.0
        assert rig.counted()["nightly", "enrich", "success"] == 1.0


async def test_a_run_missed_by_two_full_walks_is_given_up_and_counts_once_if_listed_again(
    tmp_path, logs
):
    sections = {
        "poll": {"interval": "20m", "discovery_interval": "1h"},
        "state": {"retention": "1d"},
    }
    async with Rig(tmp_path, world_of(), sections=sections) as rig:
        await rig.sleep(1)
        rig.world.add_batch(ENDLESS, schedule="a", at=START + 2, completed=START + 2 * 86400)
        for _ in range(4):
            rig.world.add_batch(DONE, schedule="a", at=START + 86400)
        await rig.sleep(86400 + 3 * 3600)
        assert len(rig.ledger.unfinished_runs("acme")) == 1
        rig.faults.add(ApiFault(kind="set", operation="runs", path="data", value=[]))
        rig.faults.add(
            ApiFault(kind="set", operation="runs", path="pagination", value={"hasMore": False})
        )
        await rig.sleep(3600)
        assert len(rig.ledger.unfinished_runs("acme")) == 1
        await rig.sleep(3600)
        assert rig.ledger.unfinished_runs("acme") == []
        assert [entry["runs"] for entry in logs if "given up" in entry["event"]] == [1]
        rig.faults.clear()
        await rig.sleep(2 * 86400)
        assert rig.counted(RUNS) == rig.run_truth() == {("nightly", "success"): 5.0}
        assert rig.counted() == {("nightly", "enrich", "success"): 15.0}


async def test_an_unfinished_run_that_one_full_walk_misses_is_kept(tmp_path):
    sections = {
        "poll": {"interval": "20m", "discovery_interval": "1h"},
        "state": {"retention": "1d"},
    }
    async with Rig(tmp_path, world_of(), sections=sections) as rig:
        await rig.sleep(1)
        rig.world.add_batch([*DONE, RecordPlan(finished=2 * 86400.0)], schedule="a", at=START + 2)
        await rig.sleep(86400 + 3 * 3600)
        for _ in range(3):
            rig.faults.add(ApiFault(kind="set", operation="runs", path="data", value=[], times=3))
            await rig.sleep(3600)
            rig.faults.clear()
            await rig.sleep(3600)
        await rig.sleep(86400)
        assert rig.counted(RUNS) == {("nightly", "success"): 1.0}


# --- walks that fail, and what others do meanwhile ---
HOUR = 3600.0
OFTEN = ScheduleSpec(key="b", name="often", cron="*/10 * * * *", records=1)


def history(**more) -> WorldSettings:
    """Return a world with three days of runs before the start: five pages."""
    return world_of(NIGHTLY, OFTEN, start=START - 3 * 86400, **more)


async def test_a_walk_takes_a_tenth_of_the_budget_and_new_runs_do_not_wait_for_it(tmp_path):
    account = {"requests_per_hour": 1000, "page_size": 5}
    sections = {"poll": {"lookback": "3d"}}
    async with Rig(tmp_path, history(), account=account, sections=sections) as rig:
        rig.world.stop(START)
        await rig.sleep(600)
        assert not rig.ledger.horizon("acme").first_discovery_done
        rig.world.add_batch(DONE, schedule="a", at=rig.clock.now())
        asked = await rig.requests_during(200)
        assert rig.counted(RUNS)["nightly", "success"] == 1.0
        assert asked["runs"] <= 200 / 36 + 2 * 4
        await rig.sleep(HOUR)
        assert rig.ledger.horizon("acme").first_discovery_done
        assert rig.counted(RUNS) == rig.run_truth()
        # The next walk waits until the share allows it.
        assert rig.poller._parts.full_walks.interval() == rig.poller._parts.full_walk.pages * 36


async def test_a_page_that_fails_is_tried_three_times_before_the_walk_ends(tmp_path):
    async with Rig(tmp_path, history(), sections={"poll": {"lookback": "3d"}}) as rig:
        rig.world.stop(START)
        # A head and two tries of the walk, with two requests each.
        fault = ApiFault(kind="status", operation="runs", match="cursor", value=500, times=6)
        rig.faults.add(fault)
        await rig.sleep(30)
        assert not rig.ledger.horizon("acme").first_discovery_done
        await rig.sleep(180)
        assert rig.ledger.horizon("acme").first_discovery_done
        assert rig.counted(RUNS) == rig.run_truth()


async def test_a_walk_that_fails_forgets_nothing_and_comes_again_at_its_interval(tmp_path):
    async with Rig(tmp_path, history()) as rig:
        rig.world.stop(START)
        rig.faults.add(ApiFault(kind="status", operation="runs", match="cursor", value=500))
        await rig.sleep(HOUR)
        walks = [r.at for r in rig.app.state.requests.log if "cursor" in r.target]
        assert 5 * 6 <= len(walks) <= 8 * 6
        assert not rig.ledger.horizon("acme").first_discovery_done
        rig.faults.clear()
        await rig.sleep(900)
        assert rig.ledger.horizon("acme").first_discovery_done


@pytest.mark.parametrize("sick", ["summary", "time", "forbidden"])
async def test_nothing_is_forgotten_while_a_list_fails_or_the_time_is_in_doubt(
    tmp_path, monkeypatch, sick
):
    sections = {"poll": {"interval": "5m"}, "state": {"retention": "1d"}}
    async with Rig(tmp_path, world_of(), sections=sections) as rig:
        await rig.sleep(1)
        for seconds in (2, 60):
            rig.world.add_batch(DONE, schedule="a", at=START + seconds)
        await rig.sleep(600)
        before = rig.ledger.rows()
        assert before == 6
        if sick == "summary":
            rig.faults.add(ApiFault(kind="status", operation="summary", value=500))
        elif sick == "forbidden":
            rig.faults.add(ApiFault(kind="status", operation="runs", value=403))
        else:
            monkeypatch.setattr(ApiTime, "certain", False)
        await rig.sleep(2 * 86400)
        assert rig.ledger.rows() == before
        rig.faults.clear()
        monkeypatch.undo()
        # A forbidden list is tried again after an hour.
        await rig.sleep(4900)
        assert rig.ledger.rows() == 0


async def test_without_the_run_list_and_the_summary_the_ledger_forgets_as_well(tmp_path):
    rig = Rig(tmp_path, world_of())
    batch = rig.world.add_batch(DONE, schedule="a", at=START + 2).batch
    off = {"runs": False, "summary": False}
    sections = {"poll": {"interval": "5m"}, "state": {"retention": "1d"}}
    rig.configure({"collectors": off, "batches": [{"id": batch.id}]}, sections)
    async with rig:
        await rig.sleep(900)
        assert rig.ledger.rows() == 3
        await rig.sleep(2 * 86400)
        assert rig.ledger.rows() == 0
        assert rig.batch(batch.id).outcome == "success"
