"""A look at a simulated account."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from runtype_exporter.config import Account, Collectors, Globs, Secret, State
from runtype_exporter.forecast import Holding, survey
from runtype_exporter.metrics import OwnMetrics
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


class Look:
    """A simulated account, and looks at it."""

    def __init__(self, settings: WorldSettings, scopes: tuple[str, ...] = ("*",)) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop(), START)
        self.faults = Faults()
        self.app = simulator_app(
            World(settings, 1, self.clock), keys=[Key(KEY, scopes)], faults=self.faults
        )

    async def __call__(self, key: str = KEY, **settings: Any) -> Holding:
        account = Account(
            name="acme",
            base_url="http://127.0.0.1:1",
            api_key=Secret(env="KEY", environ={"KEY": key}),
            **settings,
        )
        transport = httpx.ASGITransport(app=self.app)
        return await survey(
            account, State(), clock=self.clock, telemetry=OwnMetrics(), transport=transport
        )

    @property
    def asked(self) -> dict[str, int]:
        return dict(self.app.state.requests.counts)


def world(*schedules: ScheduleSpec, **settings: Any) -> WorldSettings:
    return WorldSettings(start=START, schedules=schedules, **settings)


async def test_what_an_account_holds_is_told_by_three_requests():
    look = Look(world(HOURLY, OTHER, AGENT))
    await asyncio.sleep(6 * 3600 + 2000)
    held = await look()
    assert look.asked == {"schedules": 1, "runs": 1, "summary": 1}
    # An agent has no flow.
    assert (held.read, held.listed, held.schedules, held.flows) == (True, 3, 3, 2)
    assert sorted(held.ended) == [100] * 7 + [250] * 6
    assert held.runs_an_hour == pytest.approx(3.0, rel=0.2)
    assert (held.run_pages, held.ordered, held.notes) == (1, True, ())


async def test_a_page_of_runs_tells_how_many_pages_lie_within_the_retention():
    look = Look(world(HOURLY, OTHER, AGENT))
    await asyncio.sleep(5 * 86400)
    held = await look(page_size=20)
    assert held.runs_an_hour == pytest.approx(3.0, rel=0.2)
    assert held.run_pages == pytest.approx(3 * 24 * 7 / 20, rel=0.2)


async def test_batches_at_work_are_told_with_their_records_and_those_of_excluded_schedules_left_out():
    look = Look(world(HOURLY, OTHER))
    await asyncio.sleep(3610)
    assert (await look()).open == (250,)
    held = await look(schedules=Globs(exclude=("hourly",)))
    assert (held.open, held.schedules, held.listed, set(held.ended)) == ((), 1, 2, {100})


async def test_batches_that_no_schedule_started_are_told_unless_they_are_not_followed():
    look = Look(
        world(adhoc=(AdhocSpec(key="import", flow="import", cron="0 * * * *", records=40),))
    )
    await asyncio.sleep(3603)
    assert (await look()).open == (40,)
    held = await look(adhoc_batches=False)
    assert (held.open, held.schedules, held.runs_an_hour) == ((), 0, 0.0)


IMPORTS = AdhocSpec(key="import", flow="import", cron="* * * * *", records=40)


async def test_how_often_batches_end_that_no_schedule_started_is_told_by_their_starts():
    slow = AdhocSpec(
        key="slow", cron="0 * * * *", records=100, traffic=Traffic(latency=25.0, concurrency=1)
    )
    look = Look(world(adhoc=(IMPORTS, slow)))
    await asyncio.sleep(2 * 3600 - 30)
    held = await look()
    assert {40, 100} == {*held.adhoc_ended}  # one that began an hour ago says nothing
    assert len(held.adhoc_ended) / held.adhoc_hours == pytest.approx(60, rel=0.3)
    assert (await look(adhoc_batches=False)).adhoc_ended == ()


async def test_a_few_batches_that_no_schedule_started_are_taken_for_an_hours():
    look = Look(
        world(adhoc=(AdhocSpec(key="import", flow="import", cron="0 * * * *", records=40),))
    )
    await asyncio.sleep(3900)
    held = await look()
    assert (held.adhoc_ended, held.adhoc_hours) == ((40,), 1.0)


async def test_many_batches_submitted_at_once_are_no_measure():
    look = Look(
        world(
            adhoc=tuple(
                replace(IMPORTS, key=f"i{number}", cron="0 * * * *") for number in range(12)
            )
        )
    )
    await asyncio.sleep(3900)
    held = await look()
    assert (len(held.adhoc_ended), held.adhoc_hours) == (12, 1 / 6)


async def test_runs_in_no_order_are_noticed():
    look = Look(world(HOURLY, OTHER, api=Api(runs_order="shuffled")))
    await asyncio.sleep(5 * 86400)
    assert not (await look(page_size=20)).ordered


async def test_many_schedules_are_paged_but_not_for_ever():
    many = tuple(ScheduleSpec(key=f"s{number}", name=f"s{number}") for number in range(12))
    look = Look(world(*many))
    assert (await look(page_size=10)).listed == 12
    held = await look(page_size=1)
    assert (held.listed, held.notes) == (10, ("schedules: only the first 10 were read",))


async def test_what_is_switched_off_is_not_read():
    look = Look(world(HOURLY))
    held = await look(collectors=Collectors(schedules=False, summary=False))
    assert look.asked == {"runs": 1}
    assert held.notes == (
        "schedules: not read, its collector is off",
        "summary: not read, its collector is off",
    )


async def test_what_is_forbidden_is_said_and_the_rest_is_read():
    look = Look(world(HOURLY), scopes=("BATCHES:READ",))
    held = await look()
    assert [note.split(":")[0] for note in held.notes] == ["schedules", "runs"]
    assert held.forbidden == {"schedules", "runs"}
    assert held.read


async def test_a_key_that_is_refused_ends_the_look_at_the_first_request():
    look = Look(world(HOURLY))
    with pytest.raises(Unauthorised):
        await look(key="rt_test_wrong")
    assert sum(look.asked.values()) == 1


async def test_an_api_that_fails_is_not_asked_again():
    look = Look(world(HOURLY))
    look.faults.add(ApiFault(kind="status", operation="runs", value=500))
    with pytest.raises(ServerError):
        await look()
    assert look.asked["runs"] == 1
