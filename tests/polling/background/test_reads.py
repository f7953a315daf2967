"""Schedules, sparklines and usage: shown complete or not at all, and withdrawn after failures."""

from __future__ import annotations

import sqlite3

import pytest

from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(
    key="a", name="nightly", cron="0 * * * *", timezone="Europe/Berlin", records=3
)
AGENT = ScheduleSpec(key="g", name="helper", kind="agent", cron="*/30 * * * *", enabled=False)


def world_of(*schedules: ScheduleSpec) -> WorldSettings:
    return WorldSettings(start=START, schedules=schedules or (NIGHTLY, AGENT))


def gauge(rig: Rig, collector: str, name: str) -> dict[tuple[str, ...], float]:
    return {
        labels[1:]: value
        for (metric, labels), value in rig.gauges.families[collector].items()
        if metric == name
    }


async def test_schedules_are_shown_as_listed_and_follow_what_changes(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        nightly, helper = (rig.world.schedule_id(key) for key in "ag")
        info = gauge(rig, "schedules", "runtype_schedule_info")
        assert info == {
            ("nightly", nightly, "0 * * * *", "Europe/Berlin", "flow"): 1.0,
            ("helper", helper, "*/30 * * * *", "UTC", "agent"): 1.0,
        }
        assert gauge(rig, "schedules", "runtype_schedule_enabled") == {
            ("nightly",): 1.0,
            ("helper",): 0.0,
        }
        assert gauge(rig, "schedules", "runtype_schedule_last_run_timestamp_seconds") == {}
        assert gauge(rig, "schedules", "runtype_schedule_next_run_timestamp_seconds") == {
            ("nightly",): START + 3600
        }
        rig.world.pause(nightly, START + 4000)
        rig.world.update(helper, START + 4000, name="aide", enabled=True)
        await rig.sleep(4800)
        assert gauge(rig, "schedules", "runtype_schedule_enabled") == {
            ("nightly",): 0.0,
            ("aide",): 1.0,
        }
        last = gauge(rig, "schedules", "runtype_schedule_last_run_timestamp_seconds")
        assert START + 3600 <= last["nightly",] < START + 3700
        rig.world.delete(helper, rig.clock.now())
        await rig.sleep(660)
        assert gauge(rig, "schedules", "runtype_schedule_enabled") == {("nightly",): 0.0}


async def test_only_followed_schedules_are_shown_and_read(tmp_path):
    async with Rig(tmp_path, world_of(), account={"schedules": {"exclude": ["help*"]}}) as rig:
        await rig.sleep(120)
        assert gauge(rig, "schedules", "runtype_schedule_enabled") == {("nightly",): 1.0}
        assert gauge(rig, "sparklines", "runtype_schedule_recent_runs") == {("nightly",): 0.0}


async def test_the_last_seven_days_are_the_apis_own_counts(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(5 * 3600 + 900)
        assert gauge(rig, "sparklines", "runtype_schedule_recent_runs") == {
            ("nightly",): 5.0,
            ("helper",): 0.0,
        }
        assert set(gauge(rig, "sparklines", "runtype_schedule_recent_failed_runs")) == {
            ("nightly",),
            ("helper",),
        }


async def test_the_plans_usage_is_shown(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(3600 + 900)
        assert gauge(rig, "usage", "runtype_usage_executions") == {("monthly",): 3.0}
        assert gauge(rig, "usage", "runtype_usage_execution_limit") == {("monthly",): 60_000.0}
        assert gauge(rig, "usage", "runtype_usage_slow_mode") == {("monthly",): 0.0}
        assert set(gauge(rig, "usage", "runtype_usage_resets_timestamp_seconds")) == {("monthly",)}


async def test_idle_accounts_cost_two_requests_a_cycle_and_some_per_discovery_interval(
    tmp_path,
):
    schedules = [ScheduleSpec(key=f"s{number}", name=f"schedule {number}") for number in range(250)]
    async with Rig(tmp_path, world_of(*schedules)) as rig:
        await rig.sleep(30)
        assert await rig.requests_during(3600) == {
            "summary": 60,
            "runs": 60,
            "schedules": 6 * 3,
            "sparklines": 6 * 3,
            "usage": 6,
        }
        assert len(gauge(rig, "sparklines", "runtype_schedule_recent_runs")) == 250


OFF = {"schedules": "schedules", "sparklines": "sparklines", "usage": "usage"}


@pytest.mark.parametrize("collector", OFF)
async def test_what_is_switched_off_is_not_asked_for(tmp_path, collector):
    async with Rig(tmp_path, world_of(), account={"collectors": {collector: False}}) as rig:
        await rig.sleep(4000)
        assert rig.requests()[collector] == 0
        assert collector not in rig.gauges.families
        others = {"schedules", "usage"} - {collector}
        assert others <= set(rig.gauges.families)
        assert set(rig.telemetry.cycles) == {""}


@pytest.mark.parametrize("collector", OFF)
async def test_what_the_key_may_not_read_is_withdrawn_and_tried_again_hourly_and_the_rest_goes_on(
    tmp_path, collector
):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(300)
        assert rig.gauges.families[collector]
        rig.faults.add(ApiFault(kind="status", operation=collector, value=403))
        await rig.sleep(600)
        assert rig.gauges.families[collector] == {}
        assert rig.telemetry.collectors[collector] == (False, "forbidden")
        assert (await rig.requests_during(6 * 3600))[collector] == 6
        assert all(rig.gauges.families[other] for other in set(OFF) - {collector})
        rig.faults.clear()
        await rig.sleep(4300)
        assert rig.gauges.families[collector]
        assert rig.telemetry.collectors[collector] == (True, "")
        assert rig.counted() == rig.truth()


@pytest.mark.parametrize("collector", ["sparklines", "usage"])
async def test_three_failures_withdraw_the_gauges_and_are_no_failures_of_a_cycle(
    tmp_path, collector
):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(300)
        rig.faults.add(ApiFault(kind="html", operation=collector))
        await rig.sleep(1260)
        assert rig.gauges.families[collector]
        assert rig.telemetry.collectors[collector] == (True, "decode")
        await rig.sleep(600)
        assert rig.gauges.families[collector] == {}
        assert rig.telemetry.collectors[collector] == (False, "decode")
        assert set(rig.telemetry.cycles) == {""}
        assert set(rig.telemetry.ups) == {True}


async def test_a_page_of_sparklines_that_fails_leaves_the_gauges_as_they_were(tmp_path):
    schedules = [ScheduleSpec(key=f"s{number}", name=f"schedule {number}") for number in range(150)]
    async with Rig(tmp_path, world_of(*schedules)) as rig:
        await rig.sleep(120)
        before = rig.gauges.families["sparklines"]
        rig.faults.add(ApiFault(kind="status", operation="sparklines", value=400, nth=(2,)))
        await rig.sleep(600)
        assert rig.faults.fired()
        assert rig.gauges.families["sparklines"] is before


@pytest.mark.parametrize(
    ("path", "value"),
    [("monthly", None), ("monthly.executionsUsed", None), ("monthly.resetsAt", "next month")],
)
async def test_usage_that_lacks_something_shows_the_rest(tmp_path, path, value):
    async with Rig(tmp_path, world_of()) as rig:
        rig.faults.add(ApiFault(kind="set", operation="usage", path=path, value=value))
        await rig.sleep(120)
        assert rig.telemetry.collectors["usage"] == (True, "")
        assert ("runtype_usage_executions", ("acme", "monthly")) not in rig.gauges.families[
            "usage"
        ] or path.endswith("At")


async def test_while_the_key_is_refused_nothing_is_read_in_the_background(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(120)
        rig.faults.add(ApiFault(kind="status", value=401))
        await rig.sleep(120)
        asked = await rig.requests_during(3600)
        assert asked["usage"] == asked["sparklines"] == 0
        rig.faults.clear()
        asked = await rig.requests_during(120)
        assert asked["usage"] == asked["sparklines"] == 1


async def test_usage_that_hangs_holds_up_neither_cycles_nor_sweeps(tmp_path):
    async with Rig(tmp_path, world_of(), account={"timeout": "30s"}) as rig:
        rig.faults.add(ApiFault(kind="hang", operation="usage"))
        await rig.sleep(2 * 3600)
        assert set(rig.telemetry.cycles) == {""}
        assert len(rig.telemetry.cycles) == 120
        assert rig.counted() == rig.truth()
        assert rig.telemetry.collectors["usage"] == (False, "timeout")


async def test_a_ledger_that_fails_and_a_fault_of_ours_stop_no_reading(tmp_path, logs, monkeypatch):
    async with Rig(tmp_path, world_of()) as rig:
        rig.expect_internal()
        await rig.sleep(30)
        failures = iter(
            [LedgerFailed(rig.path, sqlite3.OperationalError("full")), KeyError("ours")]
        )

        def failing(_: str) -> list:
            raise next(failures, AssertionError("asked once more"))

        with monkeypatch.context() as patch:
            patch.setattr(rig.ledger, "costs_due", failing)
            await rig.sleep(120)
        await rig.sleep(600)
        events = {entry["event"] for entry in logs}
        assert {
            "costs wait: the ledger failed",
            "reading usage, sparklines or costs failed",
        } <= events
        assert (await rig.requests_during(600))["usage"] == 1
