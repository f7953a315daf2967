"""Starts over time, against the simulator: each due time is judged once and correctly."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runtype_exporter.objectives import Objective, Objectives
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

MINUTE = 60.0
STARTS = "runtype_schedule_starts_total"
OFTEN = ScheduleSpec(key="often", name="often", cron="*/5 * * * *", records=3)


def rig_of(folder: Path, *schedules: ScheduleSpec, start: float = START, **options) -> Rig:
    settings = WorldSettings(start=start, schedules=schedules or (OFTEN,))
    return Rig(folder, settings, **options)


def starts(rig: Rig, schedule: str = "often") -> dict[str, float]:
    """Return the counted starts of a schedule, without zeros."""
    return {
        result: count for (name, result), count in rig.counted(STARTS).items() if name == schedule
    }


def minute(number: float) -> float:
    return START + number * MINUTE


async def until(rig: Rig, number: float) -> None:
    await rig.sleep(minute(number) - rig.clock.now())


async def test_starts_on_time_are_judged_once_their_time_is_over(tmp_path):
    async with rig_of(tmp_path) as rig:
        await until(rig, 1)
        expected = {("often", result): 0 for result in ("on_time", "late", "missed", "failed")}
        assert expected == rig.series(STARTS)
        await until(rig, 19.5)
        assert {} == starts(rig)
        await until(rig, 61.5)  # due at 5, 10, ..., 45: those after that still have time
        assert {"on_time": 9} == starts(rig)


@pytest.mark.parametrize(
    ("start_fault", "delay", "expected"),
    [
        ("missed", 0.0, {"on_time": 8, "missed": 1}),
        ("failed", 0.0, {"on_time": 8, "failed": 1}),
        ("late", 600.0, {"on_time": 9}),
        ("late", 3000.0, {"on_time": 8, "missed": 1}),
    ],
)
async def test_only_the_start_that_goes_wrong_is_reported(tmp_path, start_fault, delay, expected):
    async with rig_of(tmp_path, latency=0.1) as rig:
        rig.world.set_start_fault(rig.world.schedule_id("often"), minute(20), start_fault, delay)
        await until(rig, 61.5)
        assert expected == starts(rig)


async def test_schedules_are_judged_by_their_own_runs_and_one_that_is_never_due_is_not(
    tmp_path,
):
    twin = ScheduleSpec(key="twin", name="twin", cron="*/5 * * * *", records=3)
    never = ScheduleSpec(key="never", name="never", records=3)
    async with rig_of(tmp_path, OFTEN, twin, never) as rig:
        rig.world.set_start_fault(rig.world.schedule_id("twin"), minute(20), "missed")
        await until(rig, 30)
        rig.world.run_now(rig.world.schedule_id("never"), rig.clock.now())
        await until(rig, 61.5)
        assert ({"on_time": 9}, {"on_time": 8, "missed": 1}) == (starts(rig), starts(rig, "twin"))
        assert {"often", "twin"} == {schedule for schedule, _ in rig.series(STARTS)}


async def test_a_schedule_that_silently_stops_misses_every_start(tmp_path):
    async with rig_of(tmp_path) as rig:
        for number in range(10, 60, 5):
            rig.world.set_start_fault(rig.world.schedule_id("often"), minute(number), "missed")
        await until(rig, 61.5)
        assert {"on_time": 1, "missed": 8} == starts(rig)


async def test_a_run_that_waits_in_the_queue_for_too_long_is_late(tmp_path):
    slow = ScheduleSpec(key="often", name="often", cron="0 * * * *", records=3)
    async with rig_of(tmp_path, slow) as rig:
        for path, value in (("data.*.startedAt", None), ("data.*.status", "queued")):
            rig.faults.add(ApiFault(kind="set", operation="runs", path=path, value=value))
        await until(rig, 80)
        assert {"late": 1} == starts(rig)


async def test_a_pause_voids_what_is_due_meanwhile(tmp_path):
    async with rig_of(tmp_path) as rig:
        id_ = rig.world.schedule_id("often")
        rig.world.pause(id_, minute(22))
        rig.world.resume(id_, minute(43))
        await until(rig, 121.5)
        # 5 to 20, seen paused at 30 and resumed at 50, 55 to 105.
        assert {"on_time": 15} == starts(rig)


async def test_an_edit_voids_what_is_due_around_it_and_the_new_times_hold(tmp_path):
    async with rig_of(tmp_path) as rig:
        rig.world.update(rig.world.schedule_id("often"), minute(32), cron="*/20 * * * *")
        await until(rig, 61.5)
        assert {"on_time": 6} == starts(rig)  # 5 to 30; the list is read at 30 and at 40
        await until(rig, 180)
        assert {"on_time": 12} == starts(rig)  # 60 to 160


async def test_a_schedule_that_is_deleted_misses_nothing(tmp_path):
    async with rig_of(tmp_path) as rig:
        rig.world.delete(rig.world.schedule_id("often"), minute(32))
        await until(rig, 120)
        assert {"on_time": 6} == starts(rig)
        assert {} == rig.ledger.schedules


async def test_runs_started_by_hand_belong_to_no_due_time(tmp_path):
    hourly = ScheduleSpec(key="often", name="often", cron="0 * * * *", records=3)
    async with rig_of(tmp_path, hourly) as rig:
        id_ = rig.world.schedule_id("often")
        rig.world.set_start_fault(id_, minute(120), "missed")
        for number in (30, 61, 90, 155):
            await until(rig, number)
            rig.world.run_now(id_, rig.clock.now())
        await until(rig, 200)
        assert {"on_time": 2, "missed": 1} == starts(rig)


async def test_what_was_due_while_the_exporter_was_down_is_judged_afterwards(tmp_path):
    async with rig_of(tmp_path) as rig:
        await until(rig, 12)
        rig.world.set_start_fault(rig.world.schedule_id("often"), minute(20), "missed")
        await rig.stop()
        await until(rig, 28)
        rig.start()
        await until(rig, 61.5)
        assert {"on_time": 8, "missed": 1} == starts(rig)


async def test_a_run_made_too_late_is_late_where_it_is_there_when_it_is_judged(tmp_path):
    async with rig_of(tmp_path) as rig:
        await until(rig, 32)
        rig.world.set_start_fault(rig.world.schedule_id("often"), minute(35), "late", 930.0)
        await until(rig, 48)
        await rig.stop()
        await until(rig, 51)
        rig.start()
        await until(rig, 61.5)
        assert {"on_time": 8, "late": 1} == starts(rig)


async def test_a_long_downtime_is_judged_at_once_when_it_is_over(tmp_path):
    async with rig_of(tmp_path) as rig:
        await until(rig, 12)
        for number, start_fault in ((100, "missed"), (200, "failed"), (300, "missed")):
            rig.world.set_start_fault(rig.world.schedule_id("often"), minute(number), start_fault)
        await rig.stop()
        await until(rig, 1000)
        rig.start()
        await rig.sleep(1)
        assert {"on_time": 194, "missed": 2, "failed": 1} == starts(rig)  # 5 to 985


async def test_neither_a_power_cut_nor_a_failing_api_between_due_and_judgement_loses_or_repeats_one(
    tmp_path,
):
    async with rig_of(tmp_path, latency=0.3) as rig:
        id_ = rig.world.schedule_id("often")
        rig.world.set_start_fault(id_, minute(20), "missed")
        rig.world.set_start_fault(id_, minute(40), "failed")
        for number in range(7, 100, 4):
            await until(rig, number)
            if number % 3 == 0:
                rig.faults.add(
                    ApiFault(
                        kind="status",
                        operation="schedules" if number % 2 else "runs",
                        value=503,
                        times=2,
                    )
                )
            await rig.kill(number % 5)
            rig.start()
        await until(rig, 121.5)
        assert {"on_time": 19, "missed": 1, "failed": 1} == starts(rig)  # 5 to 105


@pytest.mark.parametrize(
    ("day", "cron"),
    [
        ("2026-03-28T20:00", "30 2 * * *"),
        ("2026-03-28T20:00", "15 * * * *"),
        ("2026-10-24T20:00", "30 2 * * *"),
        ("2026-10-24T20:00", "15 * * * *"),
        ("2026-10-24T20:00", "*/5 * * * *"),
    ],
)
async def test_the_night_that_changes_the_clocks_has_no_missed_starts(tmp_path, day, cron):
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(day).replace(tzinfo=berlin).timestamp()
    night = ScheduleSpec(key="often", name="often", cron=cron, timezone="Europe/Berlin", records=1)
    rig = rig_of(tmp_path, night, start=start, sections={"poll": {"interval": "5m"}})
    for clock in (rig.clock, rig.api_clock):
        clock.jump(start - clock.now())
    async with rig:
        await rig.sleep(43_200)
        assert {"on_time"} == set(starts(rig))


async def test_objectives_say_how_late_is_late_and_judge_each_start(tmp_path):
    async with rig_of(tmp_path) as rig:
        rig.ledger.set_objectives(
            Objectives([Objective(name="on-time", type="freshness", max_delay=60.0)])
        )
        rig.world.set_start_fault(rig.world.schedule_id("often"), minute(20), "late", 90.0)
        rig.world.set_start_fault(rig.world.schedule_id("often"), minute(30), "missed")
        await until(rig, 61.5)
        found = Counter(starts(rig))
        assert (10, 2) == (found["on_time"], found["late"] + found["missed"])
        events = rig.counted("runtype_slo_events_total")
        assert {("acme", "often", "good"): 10, ("acme", "often", "bad"): 2} == events


async def test_a_one_time_schedule_is_judged_though_it_is_gone_once_it_has_run(tmp_path):
    once = ScheduleSpec(key="often", name="often", run_at=minute(15), records=3)
    async with rig_of(tmp_path, once) as rig:
        rig.world.delete(rig.world.schedule_id("often"), minute(17))
        await until(rig, 61.5)
        assert {"on_time": 1} == starts(rig)


async def test_without_the_list_of_runs_no_start_is_judged(tmp_path):
    async with rig_of(tmp_path, account={"collectors": {"runs": False}}) as rig:
        await until(rig, 61.5)
        assert ({}, {}) == (rig.series(STARTS), rig.ledger.schedules)


async def test_a_schedule_that_is_excluded_is_not_judged(tmp_path):
    async with rig_of(tmp_path, account={"schedules": {"exclude": ["often"]}}) as rig:
        await until(rig, 61.5)
        assert {} == rig.series(STARTS)


async def test_a_schedule_that_two_accounts_see_is_judged_by_the_first(tmp_path, tmp_path_factory):
    async with rig_of(tmp_path) as rig:
        await until(rig, 1)
        other = Rig(tmp_path_factory.mktemp("other"), ledger_of=rig, account={"name": "second"})
        async with other:
            await until(rig, 61.5)
            judged = {
                labels[0] for (metric, labels) in rig.ledger._totals._samples if metric == STARTS
            }
            assert ({"acme"}, {"on_time": 9}) == (judged, starts(rig))


async def test_a_schedule_whose_account_is_gone_is_taken_over_after_retention(
    tmp_path, tmp_path_factory
):
    async with rig_of(tmp_path, sections={"state": {"retention": "30m"}}) as rig:
        await until(rig, 12)
        await rig._cancel()
        other = Rig(
            tmp_path_factory.mktemp("other"),
            ledger_of=rig,
            account={"name": "second"},
            sections={"state": {"retention": "30m"}},
        )
        async with other:
            await until(rig, 61)
            assert {"second"} == {schedule.account for schedule in rig.ledger.schedules.values()}
