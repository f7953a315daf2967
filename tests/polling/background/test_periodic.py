"""Reads that come again and again, whatever fails in them, and what they cost all together."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.polling.background.periodic import PeriodicRead
from runtype_exporter.polling.collectors import Collectors
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.runtype import ServerError
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import ScheduleSpec, WorldSettings
from tests.support.rig import START, RecordingTelemetry, Rig
from tests.support.virtual import VirtualClock

NIGHTLY = ScheduleSpec(key="a", name="nightly", cron="0 * * * *", records=3)
FAILED = ServerError("usage", "failed", code="500")
READ_FAILED = ReadFailed(FAILED, Reach.ITEM, ("usage", ""))
LEDGER_FAILED = LedgerFailed(Path("ledger.db"), sqlite3.OperationalError("full"))
LISTS = {"schedules": "schedules", "sparklines": "sparklines", "usage": "usage"}
"""The collectors that are read in the background, and their operations."""


class Task:
    """A periodic read in a task. It keeps when it read."""

    def __init__(
        self,
        *errors: Exception | None,
        interval: float = 600.0,
        shortest: float = 0.0,
        during: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.errors, self.during = list(errors), during
        self.times: list[float] = []
        clock = VirtualClock(loop, START)
        self.collectors = Collectors("acme", (), RecordingTelemetry(), clock)
        self.periodic = PeriodicRead(
            "usage", "acme", self.collectors, self.read, lambda: interval, shortest
        )
        self.task = asyncio.create_task(self.periodic.run())

    async def read(self) -> None:
        self.times.append(asyncio.get_running_loop().time())
        if self.during is not None:
            await self.during()
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        assert not self.task.done()

    async def stop(self) -> list[float]:
        """End the task. Return when it read."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        return self.times


async def test_it_reads_at_its_interval_counted_from_the_beginning_of_a_read():
    async def last_long() -> None:
        await asyncio.sleep(100)

    task = Task(during=last_long)
    await task.sleep(2000)
    assert await task.stop() == [0.0, 600.0, 1200.0, 1800.0]


async def test_a_read_that_outlasts_its_interval_is_followed_by_the_next_one():
    async def last_long() -> None:
        await asyncio.sleep(700)

    task = Task(during=last_long)
    await task.sleep(1500)
    assert await task.stop() == [0.0, 700.0, 1400.0]


async def test_it_may_be_woken_but_not_sooner_than_its_shortest_interval():
    task = Task(shortest=60.0)
    await task.sleep(10)
    task.periodic.wake()
    task.periodic.wake()
    await task.sleep(100)
    assert task.times == [0.0, 60.0]
    await task.sleep(200)
    task.periodic.wake()
    await task.sleep(300)
    assert await task.stop() == [0.0, 60.0, 310.0]


async def test_what_wakes_it_while_it_reads_makes_it_read_once_more():
    task = Task()

    async def wake_once() -> None:
        if len(task.times) == 1:
            await asyncio.sleep(5)
            task.periodic.wake()

    task.during = wake_once
    await task.sleep(100)
    assert await task.stop() == [0.0, 5.0]


async def test_no_failure_ends_it_and_each_waits_for_the_normal_interval(logs):
    task = Task(READ_FAILED, LEDGER_FAILED, KeyError("ours"))
    await task.sleep(2000)
    assert await task.stop() == [0.0, 600.0, 1200.0, 1800.0]
    events = [(line["event"], line["log_level"]) for line in logs]
    assert events == [
        ("usage wait: the ledger failed", "warning"),
        ("background read failed", "error"),
    ]


@pytest.mark.parametrize("error", [None, READ_FAILED, LEDGER_FAILED, KeyError("ours")])
async def test_one_read_says_whether_it_failed(error):
    task = Task(error)
    task.task.cancel()
    assert await task.periodic.once() is (error is None)


async def test_while_the_account_does_not_answer_it_reads_once_a_minute_at_most():
    async def fail() -> None:
        raise FAILED

    async def answer() -> None:
        pass

    task = Task(interval=1.0)
    for collector in ("summary", "runs"):
        with pytest.raises(ReadFailed):
            await task.collectors.read(collector, "", fail)
    await task.sleep(200.5)
    assert task.times == [60.0, 120.0, 180.0]
    await task.collectors.read("summary", "", answer)
    await task.sleep(2.1)
    assert (await task.stop())[3:] == [200.5, 201.5, 202.5]


# --- all of them together, against the simulator ---
def world_of(*schedules: ScheduleSpec) -> WorldSettings:
    return WorldSettings(start=START, schedules=schedules or (NIGHTLY,))


async def test_an_idle_account_costs_two_requests_a_cycle_and_some_per_discovery_interval(tmp_path):
    schedules = [ScheduleSpec(key=f"s{number}", name=f"schedule {number}") for number in range(250)]
    async with Rig(tmp_path, world_of(*schedules)) as rig:
        await rig.sleep(30)
        assert await rig.requests_during(3600) == {
            "summary": 60,
            "runs": 60 + 6,
            "schedules": 6 * 3,
            "sparklines": 6 * 3,
            "usage": 6,
        }
        assert len(rig.gauges.families["sparklines"]) == 2 * 250


@pytest.mark.parametrize("collector", LISTS)
async def test_what_is_switched_off_is_not_read(tmp_path, collector):
    account = {"collectors": {collector: False}}
    async with Rig(tmp_path, world_of(), account=account) as rig:
        await rig.sleep(4000)
        assert rig.requests()[collector] == 0
        assert collector not in rig.gauges.families
        assert {"schedules", "usage"} - {collector} <= set(rig.gauges.families)
        assert set(rig.telemetry.cycles) == {""}


@pytest.mark.parametrize("collector", LISTS)
async def test_what_the_key_may_not_read_is_withdrawn_and_tried_hourly_and_the_rest_goes_on(
    tmp_path, collector
):
    async with Rig(tmp_path, world_of(), sections={"poll": {"interval": "5m"}}) as rig:
        await rig.sleep(300)
        assert rig.gauges.families[collector]
        rig.faults.add(ApiFault(kind="status", operation=collector, value=403))
        await rig.sleep(1300)
        assert rig.gauges.families[collector] == {}
        assert rig.telemetry.collectors[collector] == (False, "forbidden")
        assert 6 <= (await rig.requests_during(6 * 3600))[collector] <= 7
        assert all(rig.gauges.families[other] for other in LISTS.keys() - {collector})
        rig.faults.clear()
        await rig.sleep(4300)
        assert rig.gauges.families[collector]
        assert rig.telemetry.collectors[collector] == (True, "")
        assert rig.counted() == rig.truth()


@pytest.mark.parametrize("collector", LISTS)
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


@pytest.mark.parametrize("operation", LISTS.values())
async def test_a_read_that_hangs_holds_up_neither_cycles_nor_sweeps(tmp_path, operation):
    async with Rig(tmp_path, world_of(), account={"timeout": "30s"}) as rig:
        rig.faults.add(ApiFault(kind="hang", operation=operation))
        await rig.sleep(2 * 3600 + 900)
        assert set(rig.telemetry.cycles) == {""}
        assert len(rig.telemetry.cycles) == 135
        assert sum(rig.counted().values()) == sum(rig.truth().values())
        assert rig.telemetry.collectors[operation] == (False, "timeout")


async def test_while_the_key_is_refused_nothing_is_read_but_one_request_a_minute(tmp_path):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(120)
        rig.faults.add(ApiFault(kind="status", value=401))
        await rig.sleep(120)
        assert sum((await rig.requests_during(3600)).values()) <= 61
        rig.faults.clear()
        await rig.sleep(120)
        assert rig.poller.status().up is True
        asked = await rig.requests_during(700)
        assert asked["usage"] >= 1
        assert asked["sparklines"] >= 1


async def test_a_ledger_that_fails_and_a_bug_of_ours_stop_no_reading(tmp_path, logs, monkeypatch):
    async with Rig(tmp_path, world_of()) as rig:
        rig.expect_internal()
        await rig.sleep(30)
        failures = iter([LEDGER_FAILED, KeyError("ours")])

        def fail(_: str) -> list[object]:
            raise next(failures, AssertionError("read once more"))

        with monkeypatch.context() as patch:
            patch.setattr(rig.ledger, "costs_due", fail)
            await rig.sleep(120)
        await rig.sleep(600)
        events = {line["event"] for line in logs}
        assert {"costs wait: the ledger failed", "background read failed"} <= events
        assert (await rig.requests_during(600))["usage"] == 1
