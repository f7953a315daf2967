"""What is followed and what is not. Nothing that is listed is counted twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

import pytest

from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.model import Batch
from runtype_exporter.polling.schedules.start_checks import StartChecks
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
RUNS = "runtype_schedule_runs_finished_total"
BATCHES = "runtype_batches_finished_total"


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


# --- what the configuration leaves out ---
@pytest.mark.parametrize("excluded", ["nightly", "night*", None])
async def test_an_excluded_schedule_counts_no_run_no_batch_and_nothing_by_way_of_the_summary(
    tmp_path, excluded
):
    rig = Rig(tmp_path, world_of(NIGHTLY, ScheduleSpec(key="b", name="weekly")))
    rig.configure({"schedules": {"exclude": [excluded or rig.world.schedule_id("a")]}})
    async with rig:
        await rig.sleep(1)
        rig.world.add_batch(DONE, schedule="a", at=START + 2)
        rig.world.add_batch(DONE, schedule="b", at=START + 2)
        await rig.sleep(600)
        assert rig.counted() == {("weekly", "enrich", "success"): 3.0}
        assert rig.counted(RUNS) == {("weekly", "success"): 1.0}
        assert rig.counted(BATCHES) == {("weekly", "enrich", "success"): 1.0}
        assert [view.labels.schedule for view in rig.gauges.batches.values()] == ["weekly"]
        assert rig.open_batches() == set()


async def test_a_schedule_that_a_page_of_runs_names_first_is_looked_up_before_it_is_judged(
    tmp_path,
):
    async with Rig(tmp_path, world_of(), account={"schedules": {"exclude": ["secret"]}}) as rig:
        await rig.sleep(1)
        rig.world.add_schedule(ScheduleSpec(key="b", name="secret"))
        rig.world.add_schedule(ScheduleSpec(key="c", name="public"))
        for key in ("b", "c"):
            rig.world.add_batch(DONE, schedule=key, at=START + 2)
        await rig.sleep(300)
        assert rig.counted() == {("public", "enrich", "success"): 3.0}


async def test_where_names_decide_which_schedules_are_followed_runs_wait_for_names_that_fail(
    tmp_path,
):
    rig = Rig(tmp_path, world_of(), account={"schedules": {"include": ["night*"]}})
    rig.faults.add(ApiFault(kind="truncate", operation="schedules", times=20))
    async with rig:
        rig.world.add_batch(DONE, schedule="a", at=START + 2)
        rig.world.add_adhoc(3, at=START + 2)
        await rig.sleep(3600)
        assert rig.counted() == rig.truth()
        assert {schedule for schedule, *_ in rig.counted()} == {"nightly", ""}


async def test_a_new_schedules_run_waits_where_its_name_decides_and_cannot_be_read(tmp_path):
    async with Rig(tmp_path, world_of(), account={"schedules": {"include": ["public"]}}) as rig:
        await rig.sleep(1)
        rig.world.add_schedule(ScheduleSpec(key="c", name="public"))
        rig.faults.add(ApiFault(kind="truncate", operation="schedules", times=4))
        rig.world.add_batch(DONE, schedule="c", at=START + 2)
        await rig.sleep(200)
        assert rig.counted() == {}
        await rig.sleep(600)
        assert rig.counted() == {("public", "enrich", "success"): 3.0}
        assert rig.telemetry.collectors["runs"] == (True, "")


async def test_where_names_may_not_be_read_schedules_are_followed_by_their_ids(tmp_path):
    rig = Rig(tmp_path, world_of())
    rig.configure({"schedules": {"include": [rig.world.schedule_id("a")]}})
    rig.faults.add(ApiFault(kind="status", operation="schedules", value=403))
    async with rig:
        rig.world.add_batch(DONE, schedule="a", at=START + 2)
        await rig.sleep(600)
        assert rig.counted() == {(rig.world.schedule_id("a"), "enrich", "success"): 3.0}


@pytest.mark.parametrize("globs", [{"include": ["night*"]}, {"exclude": ["weekly"]}])
async def test_where_names_decide_and_may_not_be_read_runs_wait_until_they_may(
    tmp_path, globs, logs
):
    rig = Rig(
        tmp_path,
        world_of(NIGHTLY, ScheduleSpec(key="b", name="weekly")),
        account={"schedules": globs},
    )
    rig.faults.add(ApiFault(kind="status", operation="schedules", value=403))
    async with rig:
        for key in ("a", "b"):
            rig.world.add_batch(DONE, schedule=key, at=START + 2)
        await rig.sleep(3000)
        assert rig.counted() == rig.counted(RUNS) == {}
        assert rig.telemetry.collectors["runs"] == (False, "server")
        assert "let the key read schedules" in rig.poller.status().last_error + str(logs)
        rig.faults.clear()
        await rig.sleep(1200)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}
        assert rig.counted(RUNS) == {("nightly", "success"): 1.0}


async def test_names_that_the_ledger_remembers_decide_where_they_may_not_be_read_any_more(tmp_path):
    rig = Rig(tmp_path, world_of(), account={"schedules": {"include": ["night*"]}})
    async with rig:
        await rig.sleep(30)
    rig.faults.add(ApiFault(kind="status", operation="schedules", value=403))
    async with rig:
        rig.world.add_batch(DONE, schedule="a", at=rig.clock.now())
        await rig.sleep(600)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}


async def test_where_ids_decide_no_name_is_waited_for(tmp_path):
    rig = Rig(tmp_path, world_of(NIGHTLY, ScheduleSpec(key="b", name="weekly")))
    rig.configure(
        {"schedules": {"exclude": [rig.world.schedule_id("b")]}, "collectors": {"schedules": False}}
    )
    async with rig:
        for key in ("a", "b"):
            rig.world.add_batch(DONE, schedule=key, at=START + 2)
        await rig.sleep(600)
        assert rig.counted() == {(rig.world.schedule_id("a"), "enrich", "success"): 3.0}


async def test_a_run_of_a_schedule_deleted_since_is_judged_by_the_name_that_it_had(tmp_path):
    settings = world_of(NIGHTLY, ScheduleSpec(key="b", name="other"))
    async with Rig(tmp_path, settings, account={"schedules": {"include": ["night*"]}}) as rig:
        await rig.sleep(30)
        rig.world.add_batch(DONE, schedule="a", at=rig.clock.now() + 601)
        rig.world.delete(rig.world.schedule_id("a"), rig.clock.now() + 602)
        rig.faults.add(ApiFault(kind="truncate", operation="runs"))
        await rig.sleep(1300)
        rig.faults.clear()
        await rig.sleep(600)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}


async def test_a_schedule_deleted_before_anybody_knew_its_name_is_judged_by_its_id(tmp_path):
    settings = world_of(NIGHTLY, ScheduleSpec(key="b", name="deleted"))
    async with Rig(tmp_path, settings, account={"schedules": {"exclude": ["night*"]}}) as rig:
        rig.faults.add(ApiFault(kind="short", operation="schedules", value=1))
        rig.world.add_batch(DONE, schedule="b", at=START + 2)
        await rig.sleep(600)
        assert rig.counted() == {(rig.world.schedule_id("b"), "enrich", "success"): 3.0}


async def test_a_deleted_schedule_is_looked_up_once_not_in_every_cycle(tmp_path):
    settings = world_of(NIGHTLY, ScheduleSpec(key="b", name="deleted"), start=START - 7200)
    rig = Rig(tmp_path, settings, sections={"poll": {"discovery_interval": "2h"}})
    rig.faults.add(ApiFault(kind="short", operation="schedules", value=1))
    rig.world.add_batch(DONE, schedule="b", at=START - 3600)
    async with rig:
        await rig.sleep(30)
        assert await rig.requests_during(600) == {"summary": 10, "runs": 10}


async def test_a_configured_batch_of_an_excluded_schedule_is_followed(tmp_path):
    rig = Rig(tmp_path, world_of())
    batch = rig.world.add_batch(DONE, schedule="a", at=START + 2).batch
    rig.configure({"schedules": {"exclude": ["nightly"]}, "batches": [{"id": batch.id}]})
    async with rig:
        await rig.sleep(300)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}


async def test_without_adhoc_batches_the_summary_opens_none(tmp_path):
    settings = world_of(adhoc=(AdhocSpec(key="x", cron="* * * * *"),))
    async with Rig(tmp_path, settings, account={"adhoc_batches": False}) as rig:
        rig.world.add_batch(DONE, schedule="a", at=START + 2)
        await rig.sleep(600)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}


async def test_an_adhoc_batch_waits_for_two_reads_of_the_runs_over_a_restart_too(tmp_path):
    async with Rig(tmp_path, world_of(), latency=0.1) as rig:
        await rig.sleep(30)
        batch = rig.world.add_adhoc(DONE, at=rig.clock.now())
        await rig.sleep(32)
        assert rig.requests()["batch_results"] == 0
        assert rig.batch(batch.id).claims_left == 1
        assert rig.gauges.batches == {}
        await rig.kill()
        await rig.sleep(100)
        rig.start()
        await rig.sleep(10)
        assert rig.counted() == {("", "adhoc import", "success"): 3.0}
        assert rig.view(batch.id).labels == ("", "adhoc import")


async def test_where_runs_cannot_be_read_a_batch_of_the_summary_passes_for_ad_hoc_at_once(tmp_path):
    async with Rig(tmp_path, world_of(), scopes=("BATCHES:READ",)) as rig:
        rig.faults.add(ApiFault(kind="set", operation="batch_results", path="x", value=1))
        await rig.sleep(1)
        batch = rig.world.add_adhoc(DONE, at=START + 2)
        await rig.sleep(60)
        assert rig.batch(batch.id).claims_left == 0
        assert rig.telemetry.collectors["runs"] == (False, "forbidden")
        assert rig.poller.status().up is True


# --- the horizon ---
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
        assert held["batches"] <= 5 * 5 + 1
        assert held["results"] <= 4 * 5 * 5
        assert rig.ledger.rows() == held["results"]


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


# --- runs that never end ---
ENDLESS = [*DONE, RecordPlan(finished=1e9)]


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_a_run_that_never_ends_costs_ordinary_cycles_nothing(tmp_path, order):
    hourly = ScheduleSpec(key="b", name="often", cron="*/10 * * * *", records=1)
    settings = world_of(NIGHTLY, hourly, start=START - 3 * 86400, api=Api(runs_order=order))
    async with Rig(tmp_path, settings, sections={"poll": {"discovery_interval": "1h"}}) as rig:
        rig.world.add_batch(ENDLESS, schedule="a", at=START - 2 * 86400)
        rig.world.stop(START)
        await rig.sleep(30)
        assert rig.requests()["runs"] == 5
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


# --- batches that no list shows ---
async def test_a_batch_that_the_lists_let_go_is_asked_about_alone_until_it_ends(tmp_path):
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


async def test_batches_that_ended_and_wait_for_budget_to_be_swept_are_not_asked_about(tmp_path):
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


async def test_while_the_lists_fail_no_batch_is_asked_about(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        for _ in range(50):
            rig.world.add_batch([RecordPlan(finished=1e5)], schedule="a", at=START + 2)
        await rig.sleep(200)
        rig.faults.add(ApiFault(kind="status", value=500))
        asked = await rig.requests_during(600)
        assert asked["summary"] == 10 * 2
        assert asked["batch_status"] == 0


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
        assert rig.telemetry.collectors["status"] == (True, "")
        assert rig.batch(batch.id).missing_since is None


async def test_where_nothing_else_is_asked_a_failing_status_is_the_cycles_failure(tmp_path):
    rig = Rig(tmp_path, world_of())
    batch = rig.world.add_adhoc([RecordPlan(finished=1e5)], at=START + 2)
    off = {"schedules": False, "runs": False, "summary": False}
    rig.configure({"collectors": off, "batches": [{"id": batch.id}]})
    rig.faults.add(ApiFault(kind="status", operation="batch_status", value=500))
    async with rig:
        await rig.sleep(30)
        assert rig.telemetry.cycles == ["server"]
        assert rig.poller.status().up is False
        rig.faults.clear()
        await rig.sleep(180)
        assert rig.poller.status().up is True


@pytest.mark.parametrize(("code", "up"), [(401, False), (403, True), (429, True)])
async def test_a_status_read_that_is_refused_as_such_does_not_count_against_the_batch(
    tmp_path, code, up
):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        batch = rig.world.add_adhoc([RecordPlan(finished=1e5)], at=START + 2)
        await rig.sleep(200)
        for part in ("batches", "recent"):
            rig.faults.add(ApiFault(kind="set", operation="summary", path=part, value=[]))
        rig.faults.add(ApiFault(kind="status", operation="batch_status", value=code))
        await rig.sleep(50)
        assert rig.batch(batch.id).failures == 0
        assert rig.poller.status().up is up


@pytest.mark.parametrize(("answer", "known"), [("flow_9", "flow_9"), (None, "")])
async def test_a_status_read_tells_the_flow_of_a_batch_once(tmp_path, answer, known):
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
        assert rig.batch(batch.id).failures == 0
        assert rig.requests()["batch_status"] == 1


@pytest.mark.parametrize("fails", [False, True])
async def test_gauges_show_a_batch_as_it_is_when_the_cycle_ends(tmp_path, monkeypatch, logs, fails):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        batch_id = rig.world.add_batch([RecordPlan(finished=1e5)], schedule="a", at=START).batch.id
        await rig.sleep(90)
        assert rig.view(batch_id).open
        judge, batches = StartChecks.judge, rig.ledger.batches
        broken = False

        async def close_meanwhile(checks: StartChecks, **times: float) -> None:
            """Close the batch, as a worker may at each await of a cycle."""
            nonlocal broken
            monkeypatch.setattr(StartChecks, "judge", judge)
            rig.ledger.save(replace(rig.batch(batch_id), closed=rig.clock.now(), drift=7))
            broken = fails

        def fail_once(ids: Iterable[str]) -> dict[str, Batch]:
            nonlocal broken
            if broken:
                broken = False
                raise LedgerFailed(rig.path, sqlite3.OperationalError("disk I/O error"))
            return batches(ids)

        monkeypatch.setattr(StartChecks, "judge", close_meanwhile)
        monkeypatch.setattr(rig.ledger, "batches", fail_once)
        rig.faults.add(
            ApiFault(kind="set", operation="runs", path="data.0.processedRecords", value=1)
        )
        await rig.sleep(90)
        assert (rig.view(batch_id).open, rig.view(batch_id).drift) == (False, 7)
        events = [line["event"] for line in logs]
        assert events.count("gauges wait: the ledger failed") == fails


# --- accounts ---
async def test_a_batch_that_two_accounts_see_is_counted_once_and_the_other_warns_once(
    tmp_path, logs
):
    settings = world_of(
        ScheduleSpec(key="a", name="nightly", cron="*/10 * * * *"),
        adhoc=(AdhocSpec(key="x", cron="*/15 * * * *"),),
    )
    first = Rig(tmp_path, settings, latency=0.1)
    second = Rig(tmp_path, ledger_of=first, account={"name": "second"}, latency=0.2)
    async with first, second:
        extra = first.world.add_adhoc(DONE, at=START + 1)
        await first.sleep(1800)
        await second.stop()
        second.configure({"name": "second", "batches": [{"id": extra.id}]})
        second.start()
        await first.sleep(1800)
        first.world.stop(first.clock.now())
        await first.sleep(600)
        assert first.counted() == first.truth()
        warned = [
            entry.get("batch") or entry.get("run")
            for entry in logs
            if "another account" in entry["event"]
        ]
        assert len(warned) > 4
        after = [
            entry
            for entry in logs
            if "another account" in entry["event"] and entry.get("batch") == extra.id
        ]
        assert len(after) <= 2


async def test_the_batch_of_another_accounts_run_stays_the_others(tmp_path, logs):
    first = Rig(tmp_path, world_of())
    batch = first.world.add_batch(DONE, schedule="a", at=START + 100).batch
    off = {"runs": False, "summary": False, "schedules": False}
    first.configure({"batches": [{"id": batch.id}], "collectors": off})
    second = Rig(tmp_path, ledger_of=first, account={"name": "second"}, latency=1.0)
    async with first:
        await first.sleep(30)
        async with second:
            await first.sleep(400)
        assert first.counted() == {("", "enrich", "success"): 3.0}
        assert first.counted(RUNS) == {("nightly", "success"): 1.0}
        assert {entry.get("batch") for entry in logs if "another account" in entry["event"]} == {
            batch.id
        }


# --- names ---
async def test_a_rename_starts_a_new_label_for_later_batches_only(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        rig.world.add_batch(
            [RecordPlan(finished=1.0), RecordPlan(finished=1000.0)], schedule="a", at=START + 2
        )
        await rig.sleep(700)
        rig.faults.add(
            ApiFault(kind="set", operation="schedules", path="data.0.name", value="daily")
        )
        await rig.sleep(600)
        rig.world.add_batch(DONE, schedule="a", at=rig.clock.now())
        await rig.sleep(300)
        assert rig.counted() == {
            ("nightly", "enrich", "success"): 2.0,
            ("daily", "enrich", "success"): 3.0,
        }


async def test_a_schedule_without_a_name_is_called_by_its_id(tmp_path):
    async with Rig(tmp_path, world_of(ScheduleSpec(key="a"))) as rig:
        rig.world.add_batch(DONE, schedule="a", at=START + 2)
        await rig.sleep(300)
        assert rig.counted() == {(rig.world.schedule_id("a"), "enrich", "success"): 3.0}


async def test_names_are_awaited_while_the_first_read_of_the_schedules_fails(tmp_path):
    rig = Rig(tmp_path, world_of())
    rig.faults.add(ApiFault(kind="truncate", operation="schedules", times=2))
    async with rig:
        rig.world.add_batch(DONE, schedule="a", at=START + 2)
        await rig.sleep(90)
        assert rig.counted() == {}
        assert rig.requests()["runs"] == 0
        await rig.sleep(200)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}


async def test_names_that_cannot_be_read_are_done_without(tmp_path):
    rig = Rig(tmp_path, world_of())
    rig.faults.add(ApiFault(kind="truncate", operation="schedules"))
    async with rig:
        rig.world.add_batch(DONE, schedule="a", at=START + 2)
        await rig.sleep(400)
        assert rig.counted() == {(rig.world.schedule_id("a"), "enrich", "success"): 3.0}
        assert rig.telemetry.collectors["schedules"] == (False, "decode")
