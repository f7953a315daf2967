"""What the parts of an account share, and what of it outlives a restart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.polling.collectors import FORBIDDEN_RETRY
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

SETTINGS = WorldSettings(start=START, schedules=(ScheduleSpec(key="a", name="nightly"),))


async def test_its_time_is_that_of_the_api(tmp_path):
    rig = Rig(tmp_path, skew=-1e6)
    context = rig.build().context
    assert context.now() == rig.clock.now()
    rig.api_time.observe(START, None, sent=0.0, received=0.0)
    assert context.now() == START
    assert context.name == "acme"
    await rig.stop()


async def test_collectors_that_are_switched_off_are_not_enabled(tmp_path):
    rig = Rig(tmp_path, account={"collectors": {"usage": False}})
    collectors = rig.build().context.collectors
    assert not collectors.is_enabled("usage")
    assert collectors.is_enabled("runs")
    await rig.stop()


@pytest.mark.parametrize(
    ("until", "enabled"),
    [(-1.0, True), (0.0, True), (1.0, False), (FORBIDDEN_RETRY, False), (1e6, True)],
)
async def test_only_a_plausible_time_of_an_earlier_process_keeps_a_collector_forbidden(
    tmp_path, until, enabled
):
    rig = Rig(tmp_path)
    rig.build()
    learned = rig.ledger.learned("acme")
    rig.ledger.set_learned("acme", replace(learned, forbidden={"runs": START + until}))
    await rig.stop()
    assert rig.build().context.collectors.is_enabled("runs") is enabled
    await rig.stop()


async def test_what_is_forbidden_stays_so_over_a_restart_until_it_is_allowed(tmp_path):
    fault = ApiFault(kind="status", operation="usage", value=403)
    async with Rig(tmp_path, SETTINGS) as rig:
        rig.faults.add(fault)
        await rig.sleep(900)
        assert rig.telemetry.collectors["usage"] == (False, "forbidden")
        assert rig.ledger.learned("acme").forbidden.keys() == {"usage"}
        rig.faults.clear()
        before = rig.requests()["usage"]
        await rig.kill()
        rig.start()
        await rig.sleep(60)
        assert rig.telemetry.collectors["usage"] == (False, "")
        assert rig.requests()["usage"] == before
        await rig.sleep(2 * 3600)
        assert rig.telemetry.collectors["usage"] == (True, "")
        assert rig.ledger.learned("acme").forbidden == {}
