"""When the horizon of an account is fixed, raised and lowered, and those of its sources."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from math import inf, nextafter
from pathlib import Path

import pytest

from runtype_exporter.polling.discovery.horizon import AccountHorizon
from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

DAY = 86400.0
RETENTION = 7 * DAY
DONE = [RecordPlan(finished=1.0)] * 3


class Kept:
    """The horizon of an account whose polling has not begun."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.ledger = rig, rig.ledger
        self.restart()

    def restart(self) -> None:
        """Begin again with what the ledger knows."""
        self.horizon = AccountHorizon(self.rig.poller.context)

    def answer(self, at: float | None = None) -> None:
        """Let the API answer with this date, by default that of our clock."""
        now = self.rig.clock.monotonic()
        date = self.rig.clock.now() if at is None else at
        self.rig.api_time.observe(date, None, sent=now, received=now)

    @property
    def at(self) -> float | None:
        horizon = self.horizon.current()
        return None if horizon is None else horizon.at


@asynccontextmanager
async def kept(folder: Path, *, skew: float = 0.0, **sections: object) -> AsyncIterator[Kept]:
    rig = Rig(folder, skew=skew, sections=sections)
    rig.build()
    yield Kept(rig)
    await rig.stop()


# --- the first one ---
async def test_it_is_fixed_once_the_time_of_the_api_is_certain(tmp_path):
    async with kept(tmp_path) as account:
        assert account.at is None
        assert account.ledger.horizon("acme") is None
        account.answer()
        assert account.at == START
        await account.rig.sleep(1000)
        assert account.at == START
        account.restart()
        assert account.at == START
        assert set(account.rig.telemetry.horizons) == {START}


@pytest.mark.parametrize("skew", [-50 * 365 * DAY, -DAY, 30.0, 8 * DAY, 50 * 365 * DAY])
async def test_the_clock_of_the_machine_does_not_decide_about_it(tmp_path, skew):
    async with kept(tmp_path, skew=skew) as account:
        assert account.at is None
        account.answer(START)
        assert account.at == START


async def test_what_happened_while_the_api_did_not_answer_is_after_it(tmp_path):
    async with kept(tmp_path, poll={"lookback": "1h"}) as account:
        await account.rig.sleep(500)
        account.answer(START + 500)
        assert account.at == START - 3600


async def test_an_answer_without_a_date_fixes_nothing_until_there_were_three(tmp_path):
    async with kept(tmp_path) as account:
        for _ in range(2):
            account.rig.api_time.observe(None, None, sent=0.0, received=0.0)
            assert account.at is None
        account.rig.api_time.observe(None, None, sent=0.0, received=0.0)
        assert account.at == START


# --- later ones ---
async def test_it_rises_to_what_is_older_than_the_retention_but_not_past_the_newest_creation(
    tmp_path,
):
    async with kept(tmp_path) as account:
        account.answer()
        assert account.at == START
        await account.rig.sleep(30 * DAY)
        account.horizon.advance(START + 30 * DAY)
        assert account.at == START
        account.horizon.note_created(None, START + 2 * DAY, START + DAY)
        account.horizon.note_created(START)
        account.horizon.advance(START + 30 * DAY)
        assert account.at == START + 2 * DAY
        account.horizon.note_created(START + 29 * DAY)
        account.horizon.advance(START + 30 * DAY)
        assert account.at == START + 30 * DAY - RETENTION
        account.horizon.advance(START + 20 * DAY)
        assert account.at == START + 30 * DAY - RETENTION


async def test_creation_times_in_the_future_do_not_raise_it(tmp_path):
    async with kept(tmp_path) as account:
        account.answer()
        assert account.at == START
        account.horizon.note_created(START + 301.0, None)
        account.horizon.advance(START + 30 * DAY)
        assert account.at == START
        account.horizon.note_created(START + 299.0)
        account.horizon.advance(START + 30 * DAY)
        assert account.at == START + 299.0


# --- a horizon in the future ---
async def test_a_horizon_in_the_future_is_lowered_with_a_warning(tmp_path, logs):
    async with kept(tmp_path, poll={"lookback": "1h"}) as account:
        account.ledger.fix_horizon("acme", START + DAY)
        assert account.at == START + DAY
        account.answer()
        # The first time may be wrong.
        assert account.at == START + DAY
        await asyncio.sleep(599)
        assert account.at == START + DAY
        await asyncio.sleep(1)
        assert account.at == START + 600 - 3600
        (warned,) = [line for line in logs if "horizon" in line["event"]]
        assert (warned["before"], warned["after"]) == (START + DAY, START + 600 - 3600)
        account.restart()
        assert account.at == START + 600 - 3600
        assert len([line for line in logs if "horizon" in line["event"]]) == 1


async def test_a_wrong_first_time_after_a_restart_lowers_nothing(tmp_path, logs):
    async with kept(tmp_path) as account:
        account.ledger.fix_horizon("acme", START - DAY)
        account.answer(START - 30 * DAY)
        assert account.at == START - DAY
        for step in range(1, 21):
            await asyncio.sleep(31)
            account.answer(START + 31 * step)
            assert account.at == START - DAY
        assert [line for line in logs if "horizon" in line["event"]] == []


async def test_a_horizon_hardly_later_than_the_api_is_kept(tmp_path, logs):
    async with kept(tmp_path) as account:
        account.ledger.fix_horizon("acme", START + 299)
        account.answer()
        assert account.at == START + 299
        assert logs == []


@pytest.mark.parametrize(
    ("forgotten", "lowered"),
    [
        (START - 30 * DAY, START + 600 - RETENTION),
        (START - DAY, nextafter(START - DAY, inf)),
        (None, START + 600),
    ],
)
async def test_it_is_never_lowered_below_what_was_forgotten(tmp_path, forgotten, lowered):
    async with kept(tmp_path) as account:
        account.ledger.fix_horizon("acme", START + DAY)
        await account.rig.stop()
        with closing(sqlite3.connect(account.rig.path)) as file, file:
            file.execute("UPDATE accounts SET forgotten = ?", (forgotten,))
        account.rig.build()
        again = Kept(account.rig)
        again.answer()
        assert again.at == START + DAY
        await asyncio.sleep(600)
        assert again.at == lowered


# --- sources ---
def sources(rig: Rig) -> dict[str, float]:
    return dict(rig.ledger.learned("acme").sources)


async def restart_with(rig: Rig, **account: object) -> None:
    await rig.stop()
    rig.configure(account)
    rig.start()


NO_RUNS = {"collectors": {"runs": False}}


async def test_a_source_that_is_switched_on_later_counts_nothing_from_before(tmp_path):
    settings = WorldSettings(start=START, schedules=(ScheduleSpec(key="a", name="nightly"),))
    rig = Rig(tmp_path, settings, account={"adhoc_batches": False, **NO_RUNS})
    async with rig:
        await rig.sleep(30)
        assert sources(rig) == {"configured": 0.0}
        rig.world.add_batch(DONE, schedule="a", at=START + 40)
        rig.world.add_adhoc(DONE, at=START + 50)
        await rig.sleep(570)
        await restart_with(rig)
        await rig.sleep(100)
        known = sources(rig)
        assert known.keys() == {"configured", "runs", "adhoc"}
        assert known["configured"] == 0.0
        assert START + 600 <= known["runs"] == known["adhoc"] < START + 605
        assert rig.counted() == {}
        rig.world.add_batch(DONE, schedule="a", at=rig.clock.now())
        rig.world.add_adhoc(DONE, at=rig.clock.now())
        await rig.sleep(600)
        assert rig.counted() == {
            ("nightly", "enrich", "success"): 3.0,
            ("", "adhoc import", "success"): 3.0,
        }
        assert rig.counted("runtype_schedule_runs_finished_total") == {("nightly", "success"): 1.0}


async def test_sources_of_the_first_start_share_the_horizon_of_the_account(tmp_path):
    async with Rig(tmp_path) as rig:
        await rig.sleep(30)
        assert sources(rig) == {"configured": 0.0, "runs": 0.0, "adhoc": 0.0}
        await restart_with(rig)
        await rig.sleep(30)
        assert sources(rig) == {"configured": 0.0, "runs": 0.0, "adhoc": 0.0}
        await restart_with(rig, collectors={"summary": False})
        await rig.sleep(30)
        assert sources(rig) == {"configured": 0.0, "runs": 0.0}
        await restart_with(rig)
        await rig.sleep(30)
        assert sources(rig)["adhoc"] > START


async def test_all_sources_of_a_ledger_of_an_earlier_format_were_on_before(tmp_path):
    async with kept(tmp_path) as account:
        account.ledger.fix_horizon("acme", START - DAY)
        account.answer()
        assert account.at == START - DAY
        assert sources(account.rig) == {"configured": 0.0, "runs": 0.0, "adhoc": 0.0}


async def test_the_horizon_of_a_source_is_never_before_that_of_the_account(tmp_path):
    async with kept(tmp_path) as account:
        account.answer()
        horizon = account.horizon.current()
        assert account.horizon.of_source("runs", horizon) == horizon
        assert account.horizon.of_source("unknown", horizon) == horizon
