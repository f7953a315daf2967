"""The list of schedules: its gauges, what fell due, and which schedules no longer exist."""

from __future__ import annotations

import pytest

from runtype_exporter.runtype import ApiTime
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

HOUR, DAY = 3600.0, 86400.0
NIGHTLY = ScheduleSpec(
    key="a", name="nightly", cron="0 * * * *", timezone="Europe/Berlin", records=3
)
AGENT = ScheduleSpec(key="g", name="helper", kind="agent", cron="*/30 * * * *", enabled=False)
DONE = [RecordPlan(finished=1.0)] * 3
SHORT = {
    "sections": {"poll": {"interval": "4m"}, "state": {"retention": "1d"}},
    "account": {"collectors": {"usage": False, "sparklines": False}},
}
"""A short retention, and few reads besides the lists of schedules, so that days pass quickly."""


def world_of(*schedules: ScheduleSpec) -> WorldSettings:
    return WorldSettings(start=START, schedules=schedules or (NIGHTLY, AGENT))


def gauge(rig: Rig, name: str) -> dict[tuple[str, ...], float]:
    return {
        labels[1:]: value
        for (metric, labels), value in rig.gauges.families["schedules"].items()
        if metric == f"runtype_schedule_{name}"
    }


# --- gauges ---
async def test_schedules_are_shown_as_they_are_listed_and_follow_what_changes(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        nightly, helper = (rig.world.schedule_id(key) for key in "ag")
        assert gauge(rig, "info") == {
            ("nightly", nightly, "0 * * * *", "Europe/Berlin", "flow"): 1.0,
            ("helper", helper, "*/30 * * * *", "UTC", "agent"): 1.0,
        }
        assert gauge(rig, "enabled") == {("nightly",): 1.0, ("helper",): 0.0}
        assert gauge(rig, "last_run_timestamp_seconds") == {}
        assert gauge(rig, "next_run_timestamp_seconds") == {("nightly",): START + HOUR}
        rig.world.pause(nightly, START + 4000)
        rig.world.update(helper, START + 4000, name="aide", enabled=True)
        await rig.sleep(4800)
        assert gauge(rig, "enabled") == {("nightly",): 0.0, ("aide",): 1.0}
        last = gauge(rig, "last_run_timestamp_seconds")
        assert START + 3600 <= last["nightly",] < START + 3700
        rig.world.delete(helper, rig.clock.now())
        await rig.sleep(660)
        assert gauge(rig, "enabled") == {("nightly",): 0.0}


async def test_only_followed_schedules_are_shown(tmp_path):
    async with Rig(tmp_path, world_of(), account={"schedules": {"exclude": ["help*"]}}) as rig:
        await rig.sleep(120)
        assert gauge(rig, "enabled") == {("nightly",): 1.0}


async def test_a_page_that_fails_stores_nothing_and_leaves_the_gauges_as_they_were(tmp_path):
    schedules = [ScheduleSpec(key=f"s{number}", name=f"schedule {number}") for number in range(150)]
    async with Rig(tmp_path, world_of(*schedules)) as rig:
        await rig.sleep(30)
        before = rig.gauges.families["schedules"]
        assert len(gauge(rig, "enabled")) == 150
        rig.faults.add(ApiFault(kind="html", operation="schedules", match="cursor"))
        await rig.sleep(600)
        assert rig.gauges.families["schedules"] is before
        assert rig.telemetry.collectors["schedules"] == (True, "decode")


async def test_the_list_takes_a_tenth_of_the_budget_at_most(tmp_path):
    schedules = [ScheduleSpec(key=f"s{number}", name=f"schedule {number}") for number in range(90)]
    account = {"requests_per_hour": 600, "page_size": 5}
    sections = {"poll": {"discovery_interval": "1m"}}
    async with Rig(tmp_path, world_of(*schedules), account=account, sections=sections) as rig:
        await rig.sleep(600)
        assert 50 <= (await rig.requests_during(3600))["schedules"] <= 60
        assert len(gauge(rig, "enabled")) == 90


async def test_a_schedule_that_two_pages_show_is_one(tmp_path):
    schedules = [ScheduleSpec(key=f"s{number}", name=f"schedule {number}") for number in range(120)]
    async with Rig(tmp_path, world_of(*schedules)) as rig:
        rig.faults.add(ApiFault(kind="shift", operation="schedules", value=1))
        await rig.sleep(30)
        assert rig.telemetry.collectors["schedules"] == (True, "")
        assert 119 <= len(gauge(rig, "enabled")) <= 120


# --- starts ---
async def test_no_start_is_observed_where_the_runs_are_not_read(tmp_path):
    account = {"collectors": {"runs": False}}
    async with Rig(tmp_path, world_of(), account=account) as rig:
        await rig.sleep(2 * HOUR)
        assert rig.ledger.schedules == {}
        assert rig.series("runtype_schedule_starts_total") == {}


async def test_no_start_is_observed_while_the_time_of_the_api_is_in_doubt(tmp_path, monkeypatch):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(30)
        before = dict(rig.ledger.schedules)
        assert before
        monkeypatch.setattr(ApiTime, "certain", False)
        await rig.sleep(2 * HOUR)
        assert rig.ledger.schedules == before
        assert set(rig.series("runtype_schedule_starts_total").values()) == {0.0}
        assert gauge(rig, "next_run_timestamp_seconds") == {("nightly",): START + 3 * HOUR}
        monkeypatch.undo()
        await rig.sleep(2 * HOUR)
        starts = rig.counted("runtype_schedule_starts_total")
        assert starts == {("nightly", "on_time"): 3.0}


# --- schedules that no longer exist ---
async def counted_once(rig: Rig) -> None:
    """Let the schedule count something."""
    await rig.sleep(1)
    rig.world.add_batch(DONE, schedule="a", at=START + 2)
    await rig.sleep(300)
    assert rig.counted() == {("nightly", "enrich", "success"): 3.0}


async def test_the_series_of_a_deleted_schedule_end_after_the_retention(tmp_path):
    quiet = ScheduleSpec(key="a", name="nightly")
    async with Rig(tmp_path, world_of(quiet, AGENT), **SHORT) as rig:
        await counted_once(rig)
        rig.world.delete(rig.world.schedule_id("a"), rig.clock.now())
        await rig.sleep(DAY - 700)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}
        await rig.sleep(3 * HOUR)
        assert rig.counted() == {}


@pytest.mark.parametrize("fault", ["empty", "other"])
async def test_a_list_that_is_wrong_for_an_hour_ends_nothing(tmp_path, fault):
    quiet = ScheduleSpec(key="a", name="nightly")
    async with Rig(tmp_path, world_of(quiet), **SHORT) as rig:
        await counted_once(rig)
        await rig.sleep(2 * DAY)
        path = "data" if fault == "empty" else "data.0.id"
        value = [] if fault == "empty" else "schedule_other"
        rig.faults.add(ApiFault(kind="set", operation="schedules", path=path, value=value))
        await rig.sleep(HOUR)
        rig.faults.clear()
        await rig.sleep(2 * HOUR)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}
        absent = rig.ledger.learned("acme").absent
        assert rig.world.schedule_id("a") not in absent


async def test_at_least_three_lists_must_leave_a_schedule_out(tmp_path):
    quiet = ScheduleSpec(key="a", name="nightly")
    poll = {"interval": "4m", "discovery_interval": "18h"}
    sections = {"state": {"retention": "1d"}, "poll": poll}
    async with Rig(tmp_path, world_of(quiet, AGENT), sections=sections) as rig:
        await counted_once(rig)
        rig.world.delete(rig.world.schedule_id("a"), rig.clock.now())
        await rig.sleep(2 * 18 * HOUR)
        assert rig.ledger.learned("acme").absent[rig.world.schedule_id("a")][1] == 2
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}
        await rig.sleep(18 * HOUR)
        assert rig.counted() == {}


async def test_how_long_a_schedule_was_absent_outlives_a_restart(tmp_path):
    quiet = ScheduleSpec(key="a", name="nightly")
    async with Rig(tmp_path, world_of(quiet, AGENT), **SHORT) as rig:
        await counted_once(rig)
        rig.world.delete(rig.world.schedule_id("a"), rig.clock.now())
        for _ in range(13):
            await rig.sleep(2 * HOUR)
            await rig.kill()
            rig.start()
        await rig.sleep(HOUR)
        assert rig.counted() == {}
