"""Which schedules are followed, and when their names are waited for."""

from __future__ import annotations

import pytest

from runtype_exporter.polling.discovery import schedule_filter
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
DONE = [RecordPlan(finished=1.0)] * 3
RUNS = "runtype_schedule_runs_finished_total"
BATCHES = "runtype_batches_finished_total"


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


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
    rig.faults.add(ApiFault(kind="truncate", operation="schedules", times=6))
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
        rig.faults.add(ApiFault(kind="truncate", operation="schedules", times=2))
        rig.world.add_batch(DONE, schedule="c", at=START + 2)
        await rig.sleep(150)
        assert rig.counted() == {}
        await rig.sleep(150)
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
        assert rig.telemetry.collectors["schedules"] == (False, "forbidden")
        assert str(logs).count("let the key read schedules") == 1
        rig.faults.clear()
        await rig.sleep(4000)
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
        assert rig.counted(RUNS) == {}
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


async def test_no_run_is_counted_under_an_id_whose_name_may_still_come(tmp_path):
    rig = Rig(tmp_path, world_of())
    rig.faults.add(ApiFault(kind="truncate", operation="schedules", times=2))
    async with rig:
        rig.world.add_batch(DONE, schedule="a", at=START + 2)
        await rig.sleep(600)
        assert rig.counted(RUNS) == {("nightly", "success"): 1.0}
        assert rig.series(RUNS).keys() == {("nightly", "success"), ("nightly", "failure")}


async def test_that_a_schedule_is_unknown_outlives_a_restart(tmp_path):
    settings = world_of(NIGHTLY, ScheduleSpec(key="b", name="deleted"), start=START - 7200)
    rig = Rig(tmp_path, settings, sections={"poll": {"discovery_interval": "2h"}})
    rig.faults.add(ApiFault(kind="short", operation="schedules", value=1))
    first = rig.world.add_batch([RecordPlan(finished=1e5)], schedule="b", at=START - 3600)
    async with rig:
        await rig.sleep(200)
        assert rig.ledger.learned("acme").unknown_schedules == {rig.world.schedule_id("b")}
        assert rig.batch(first.batch.id).schedule == rig.world.schedule_id("b")
        await rig.kill()
        rig.start()
        assert (await rig.requests_during(300))["schedules"] == 1


async def test_at_most_so_many_unknown_schedules_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule_filter, "MOST_UNKNOWN", 3)
    rig = Rig(tmp_path)
    names = rig.build()._parts.discovery.runs.pages.schedule_filter
    kept = []
    for number in range(5):
        assert not names.is_named(f"schedule_{number}")
        await names.update([], rig.clock.monotonic())
        assert names.is_named(f"schedule_{number}")
        kept.append(len(rig.ledger.learned("acme").unknown_schedules))
    assert kept == [1, 2, 3, 1, 2]
    await rig.stop()
