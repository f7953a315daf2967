"""Gauges of the usage of a plan."""

from __future__ import annotations

from math import inf

import pytest

from runtype_exporter.polling.background.usage import usage_gauges
from runtype_exporter.runtype import Usage, UsageBlock
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

DAILY = UsageBlock(
    executions_used=40.0,
    execution_limit=50.0,
    in_slow_mode=True,
    resets_at="2026-06-02T00:00:00Z",
    is_unlimited=False,
)


def test_each_period_of_the_plan_has_its_gauges():
    monthly = UsageBlock(executions_used=900.0, execution_limit=15_000.0, in_slow_mode=False)
    assert usage_gauges("acme", Usage(daily=DAILY, monthly=monthly)) == {
        ("runtype_usage_executions", ("acme", "daily")): 40.0,
        ("runtype_usage_execution_limit", ("acme", "daily")): 50.0,
        ("runtype_usage_slow_mode", ("acme", "daily")): 1.0,
        ("runtype_usage_resets_timestamp_seconds", ("acme", "daily")): 1_780_358_400.0,
        ("runtype_usage_executions", ("acme", "monthly")): 900.0,
        ("runtype_usage_execution_limit", ("acme", "monthly")): 15_000.0,
        ("runtype_usage_slow_mode", ("acme", "monthly")): 0.0,
    }


def test_a_plan_without_a_block_has_no_gauges():
    assert usage_gauges("acme", Usage()) == {}
    assert usage_gauges("acme", Usage(daily=UsageBlock())) == {}


@pytest.mark.parametrize(
    "block",
    [
        UsageBlock(execution_limit=0.0, is_unlimited=True),
        UsageBlock(execution_limit=-1.0),
        UsageBlock(execution_limit=inf),
        UsageBlock(),
    ],
)
def test_an_unlimited_period_has_no_limit(block):
    assert usage_gauges("acme", Usage(monthly=block)) == {}


SETTINGS = WorldSettings(
    start=START,
    schedules=(ScheduleSpec(key="a", name="nightly", cron="0 * * * *", records=3),),
)


def shown(rig: Rig) -> dict[str, float]:
    """Return the gauges of the month."""
    return {
        name: value
        for (name, labels), value in rig.gauges.families["usage"].items()
        if labels == ("acme", "monthly")
    }


async def test_the_usage_of_the_plan_is_read_and_shown(tmp_path):
    async with Rig(tmp_path, SETTINGS) as rig:
        await rig.sleep(3600 + 900)
        usage = shown(rig)
        assert usage["runtype_usage_executions"] == 3.0
        assert usage["runtype_usage_execution_limit"] == 60_000.0
        assert usage["runtype_usage_slow_mode"] == 0.0
        assert "runtype_usage_resets_timestamp_seconds" in usage


@pytest.mark.parametrize(
    ("path", "value", "missing"),
    [
        ("monthly.executionsUsed", None, "runtype_usage_executions"),
        ("monthly.resetsAt", "next month", "runtype_usage_resets_timestamp_seconds"),
    ],
)
async def test_usage_that_lacks_something_shows_the_rest(tmp_path, path, value, missing):
    async with Rig(tmp_path, SETTINGS) as rig:
        rig.faults.add(ApiFault(kind="set", operation="usage", path=path, value=value))
        await rig.sleep(120)
        assert rig.telemetry.collectors["usage"] == (True, "")
        assert len(shown(rig)) == 3
        assert missing not in shown(rig)
