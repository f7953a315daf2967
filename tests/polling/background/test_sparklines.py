"""Sparklines: which ids one request carries, and the gauges of the last seven days."""

from __future__ import annotations

from runtype_exporter.catalogue import BY_NAME
from runtype_exporter.polling.background.sparklines import LONGEST_IDS, portion, recent_run_gauges
from runtype_exporter.runtype import Day, Sparkline
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

LABELS = {"s1": "nightly", "s2": "s2"}
NIGHTLY = ScheduleSpec(key="a", name="nightly", cron="0 * * * *", records=3)
AGENT = ScheduleSpec(key="g", name="helper", kind="agent", enabled=False)
RECENT = "runtype_schedule_recent_runs"


def test_the_last_seven_days_are_summed_and_schedules_that_were_not_requested_left_out():
    lines = [
        Sparkline("s1", [Day(24, 1), Day(0, 0), Day(3, 2)]),
        Sparkline("s2", []),
        Sparkline("unknown", [Day(1, 1)]),
    ]
    assert recent_run_gauges("acme", lines, LABELS) == {
        ("runtype_schedule_recent_runs", ("acme", "nightly")): 27.0,
        ("runtype_schedule_recent_failed_runs", ("acme", "nightly")): 3.0,
        ("runtype_schedule_recent_runs", ("acme", "s2")): 0.0,
        ("runtype_schedule_recent_failed_runs", ("acme", "s2")): 0.0,
    }


def test_every_series_has_the_labels_that_the_catalogue_names():
    samples = recent_run_gauges("acme", [Sparkline("s1", [])], LABELS)
    assert {name: len(BY_NAME[name].labels) for name, _ in samples} == {
        name: len(labels) for name, labels in samples
    }


def test_a_portion_has_as_many_ids_as_the_request_and_its_url_can_carry():
    ids = [f"schedule_{number:026}" for number in range(250)]
    assert len(portion(ids, 1000)) == 100
    assert portion(ids, 7) == ids[:7]
    assert portion(ids[:3], 100) == ids[:3]
    assert portion([], 100) == []
    long = ["x" * 500 + str(number) for number in range(30)]
    assert len(portion(long, 100)) == 11
    assert portion(["x" * (2 * LONGEST_IDS), "y"], 100) == ["x" * (2 * LONGEST_IDS)]


async def test_the_last_seven_days_are_the_apis_own_counts(tmp_path):
    settings = WorldSettings(start=START, schedules=(NIGHTLY, AGENT))
    async with Rig(tmp_path, settings) as rig:
        await rig.sleep(5 * 3600 + 900)
        shown = rig.gauges.families["sparklines"]
        assert shown[RECENT, ("acme", "nightly")] == 5.0
        assert shown[RECENT, ("acme", "helper")] == 0.0
        assert len(shown) == 4


async def test_they_are_read_right_after_the_first_list_of_schedules_and_for_the_followed_only(
    tmp_path,
):
    settings = WorldSettings(start=START, schedules=(NIGHTLY, AGENT))
    account = {"schedules": {"exclude": ["help*"]}}
    async with Rig(tmp_path, settings, account=account) as rig:
        await rig.sleep(5)
        assert rig.requests()["sparklines"] == 1
        names = {labels for metric, labels in rig.gauges.families["sparklines"] if metric == RECENT}
        assert names == {("acme", "nightly")}


async def test_without_a_list_of_schedules_nothing_is_read(tmp_path):
    settings = WorldSettings(start=START, schedules=(NIGHTLY,))
    async with Rig(tmp_path, settings) as rig:
        rig.faults.add(ApiFault(kind="html", operation="schedules"))
        await rig.sleep(3600)
        assert rig.requests()["sparklines"] == 0


async def test_a_portion_that_fails_leaves_the_gauges_as_they_were(tmp_path):
    schedules = [ScheduleSpec(key=f"s{number}", name=f"schedule {number}") for number in range(150)]
    async with Rig(tmp_path, WorldSettings(start=START, schedules=tuple(schedules))) as rig:
        await rig.sleep(120)
        before = rig.gauges.families["sparklines"]
        rig.faults.add(ApiFault(kind="status", operation="sparklines", value=500, nth=(2, 3)))
        await rig.sleep(600)
        assert rig.faults.fired() == 2
        assert rig.gauges.families["sparklines"] is before
        assert rig.telemetry.collectors["sparklines"] == (True, "server")


async def test_a_url_that_is_too_long_is_tried_with_fewer_ids(tmp_path):
    schedules = [ScheduleSpec(key=f"s{number}", name=f"schedule {number}") for number in range(150)]
    async with Rig(tmp_path, WorldSettings(start=START, schedules=tuple(schedules))) as rig:
        fault = ApiFault(kind="status", operation="sparklines", value=414, longer_than=1000)
        rig.faults.add(fault)
        await rig.sleep(60)
        assert len(rig.gauges.families["sparklines"]) == 2 * 150
        before = rig.requests()["sparklines"]
        await rig.sleep(600)
        assert 0 < rig.requests()["sparklines"] - before < before + 3


async def test_an_id_with_a_comma_is_left_out(tmp_path):
    settings = WorldSettings(start=START, schedules=(NIGHTLY, AGENT))
    async with Rig(tmp_path, settings) as rig:
        rig.faults.add(ApiFault(kind="set", operation="schedules", path="data.1.id", value="a,b"))
        await rig.sleep(60)
        assert len({labels for _, labels in rig.gauges.families["sparklines"]}) == 1
        assert rig.telemetry.collectors["sparklines"] == (True, "")
