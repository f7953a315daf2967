"""Surveys of a simulated account."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from runtype_exporter.config import Account, CollectorSwitches, Globs, Secret, State
from runtype_exporter.forecast import AccountInventory, survey
from runtype_exporter.metrics import ProcessMetrics
from runtype_exporter.runtype import ServerError, Unauthorised
from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.faults import ApiFault, Faults
from runtype_exporter.simulator.settings import AdhocSpec, Api, ScheduleSpec, Traffic, WorldSettings
from tests.support.rig import KEY, START
from tests.support.virtual import VirtualClock

HOURLY = ScheduleSpec(key="hourly", name="hourly", cron="0 * * * *", records=250)
OTHER = ScheduleSpec(key="other", name="other", flow="summarise", cron="30 * * * *", records=100)
AGENT = ScheduleSpec(key="agent", name="agent", kind="agent", cron="15 * * * *")


class SimulatedSurvey:
    """A simulated account that can be surveyed."""

    def __init__(self, settings: WorldSettings, scopes: tuple[str, ...] = ("*",)) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop(), START)
        self.faults = Faults()
        self.app = simulator_app(
            World(settings, 1, self.clock), keys=[Key(KEY, scopes)], faults=self.faults
        )

    async def __call__(self, key: str = KEY, **settings: Any) -> AccountInventory:
        account = Account(
            name="acme",
            base_url="http://127.0.0.1:1",
            api_key=Secret(env="KEY", environ={"KEY": key}),
            **settings,
        )
        transport = httpx.ASGITransport(app=self.app)
        return await survey(
            account, State(), clock=self.clock, telemetry=ProcessMetrics(), transport=transport
        )

    @property
    def requests(self) -> dict[str, int]:
        return dict(self.app.state.requests.counts)


def world(*schedules: ScheduleSpec, **settings: Any) -> WorldSettings:
    return WorldSettings(start=START, schedules=schedules, **settings)


async def test_three_requests_read_the_inventory():
    run_survey = SimulatedSurvey(world(HOURLY, OTHER, AGENT))
    await asyncio.sleep(6 * 3600 + 2000)
    inventory = await run_survey()
    assert run_survey.requests == {"schedules": 1, "runs": 1, "summary": 1}
    # An agent has no flow.
    assert (inventory.read, inventory.listed, inventory.schedules, inventory.flows) == (
        True,
        3,
        3,
        2,
    )
    assert sorted(inventory.ended) == [100] * 7 + [250] * 6
    assert inventory.runs_an_hour == pytest.approx(3.0, rel=0.2)
    assert (inventory.run_pages, inventory.ordered, inventory.notes) == (1, True, ())


async def test_run_pages_within_retention_are_estimated_from_one_page():
    run_survey = SimulatedSurvey(world(HOURLY, OTHER, AGENT))
    await asyncio.sleep(5 * 86400)
    inventory = await run_survey(page_size=20)
    assert inventory.runs_an_hour == pytest.approx(3.0, rel=0.2)
    assert inventory.run_pages == pytest.approx(3 * 24 * 7 / 20, rel=0.2)


async def test_open_batches_are_read_without_those_of_excluded_schedules():
    run_survey = SimulatedSurvey(world(HOURLY, OTHER))
    await asyncio.sleep(3610)
    assert (await run_survey()).open == (250,)
    inventory = await run_survey(schedules=Globs(exclude=("hourly",)))
    assert (inventory.open, inventory.schedules, inventory.listed, set(inventory.ended)) == (
        (),
        1,
        2,
        {100},
    )


async def test_adhoc_batches_are_read_unless_they_are_off():
    run_survey = SimulatedSurvey(
        world(adhoc=(AdhocSpec(key="import", flow="import", cron="0 * * * *", records=40),))
    )
    await asyncio.sleep(3603)
    assert (await run_survey()).open == (40,)
    inventory = await run_survey(adhoc_batches=False)
    assert (inventory.open, inventory.schedules, inventory.runs_an_hour) == ((), 0, 0.0)


IMPORTS = AdhocSpec(key="import", flow="import", cron="* * * * *", records=40)


async def test_the_rate_of_adhoc_batches_comes_from_their_starts():
    slow = AdhocSpec(
        key="slow", cron="0 * * * *", records=100, traffic=Traffic(latency=25.0, concurrency=1)
    )
    run_survey = SimulatedSurvey(world(adhoc=(IMPORTS, slow)))
    await asyncio.sleep(2 * 3600 - 30)
    inventory = await run_survey()
    # The slow batch began an hour ago and must not change the rate.
    assert {40, 100} == {*inventory.adhoc_ended}
    assert len(inventory.adhoc_ended) / inventory.adhoc_hours == pytest.approx(60, rel=0.3)
    assert (await run_survey(adhoc_batches=False)).adhoc_ended == ()


async def test_a_few_adhoc_batches_count_as_those_of_one_hour():
    run_survey = SimulatedSurvey(
        world(adhoc=(AdhocSpec(key="import", flow="import", cron="0 * * * *", records=40),))
    )
    await asyncio.sleep(3900)
    inventory = await run_survey()
    assert (inventory.adhoc_ended, inventory.adhoc_hours) == ((40,), 1.0)


async def test_many_batches_submitted_at_once_do_not_set_the_rate():
    run_survey = SimulatedSurvey(
        world(
            adhoc=tuple(
                replace(IMPORTS, key=f"i{number}", cron="0 * * * *") for number in range(12)
            )
        )
    )
    await asyncio.sleep(3900)
    inventory = await run_survey()
    assert (len(inventory.adhoc_ended), inventory.adhoc_hours) == (12, 1 / 6)


async def test_unordered_runs_are_noticed():
    run_survey = SimulatedSurvey(world(HOURLY, OTHER, api=Api(runs_order="shuffled")))
    await asyncio.sleep(5 * 86400)
    assert not (await run_survey(page_size=20)).ordered


async def test_only_the_first_pages_of_schedules_are_read():
    many = tuple(ScheduleSpec(key=f"s{number}", name=f"s{number}") for number in range(12))
    run_survey = SimulatedSurvey(world(*many))
    assert (await run_survey(page_size=10)).listed == 12
    inventory = await run_survey(page_size=1)
    assert (inventory.listed, inventory.notes) == (10, ("schedules: only the first 10 were read",))


async def test_disabled_collectors_are_not_read():
    run_survey = SimulatedSurvey(world(HOURLY))
    inventory = await run_survey(collectors=CollectorSwitches(schedules=False, summary=False))
    assert run_survey.requests == {"runs": 1}
    assert inventory.notes == (
        "schedules: not read, its collector is off",
        "summary: not read, its collector is off",
    )


async def test_forbidden_reads_are_noted_and_the_rest_is_read():
    run_survey = SimulatedSurvey(world(HOURLY), scopes=("BATCHES:READ",))
    inventory = await run_survey()
    assert [note.split(":")[0] for note in inventory.notes] == ["schedules", "runs"]
    assert inventory.forbidden == {"schedules", "runs"}
    assert inventory.read


async def test_a_refused_key_ends_the_survey_at_the_first_request():
    run_survey = SimulatedSurvey(world(HOURLY))
    with pytest.raises(Unauthorised):
        await run_survey(key="rt_test_wrong")
    assert sum(run_survey.requests.values()) == 1


async def test_a_failed_request_is_not_repeated():
    run_survey = SimulatedSurvey(world(HOURLY))
    run_survey.faults.add(ApiFault(kind="status", operation="runs", value=500))
    with pytest.raises(ServerError):
        await run_survey()
    assert run_survey.requests["runs"] == 1
