"""Wrong clocks, ours and the API's: nothing is lost, counted twice, or judged by a wrong time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import ScheduleSpec, Traffic, WorldSettings
from tests.support.rig import START, Rig

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
YEARS = 20 * 365 * DAY
PLAIN = Traffic(latency=2.0, failure_share=0.1)
HALF_PAST = ScheduleSpec(
    key="a", name="hourly", cron="30 * * * *", records=5, flow="enrich", traffic=PLAIN
)
STEPS = [-YEARS, -40 * DAY, -8 * DAY, -HOUR, -90.0, 90.0, HOUR, 8 * DAY, 40 * DAY, YEARS]


def hourly_rig(
    folder: Path, *, history: float = 0.0, sections: dict[str, Any] | None = None, **options: Any
) -> Rig:
    """Return a rig with 5 records at half past each hour, and a history of so many seconds.

    It reads seldom and small pages, so that days pass quickly.
    """
    settings = WorldSettings(start=START - history, schedules=(HALF_PAST,))
    poll = {"interval": "10m", "discovery_interval": "30m", **(sections or {}).get("poll", {})}
    return Rig(
        folder,
        settings,
        account={"page_size": 10, "collectors": {"usage": False, "sparklines": False}},
        sections={**(sections or {}), "poll": poll},
        **options,
    )


def missing(rig: Rig) -> dict[tuple[str, ...], float]:
    """Return what ended after the start and is not counted; below 0 what should not be."""
    truth = Counter(rig.truth())
    truth.subtract({tuple(key): count for key, count in rig.world.truth(START).items()})
    truth.subtract(rig.counted())
    return {labels: count for labels, count in truth.items() if count}


def starts(rig: Rig) -> set[str]:
    """Return how starts were judged."""
    return {labels[-1] for labels in rig.counted("runtype_schedule_starts_total")}


# --- our clock ---


@pytest.mark.parametrize("lasts", [12 * MINUTE, 10 * HOUR])
@pytest.mark.parametrize("step", STEPS)
async def test_a_step_of_our_clock_and_back_changes_no_count(tmp_path, step, lasts):
    async with hourly_rig(tmp_path) as rig:
        await rig.sleep(4 * HOUR)
        rig.clock.jump(step)
        await rig.sleep(lasts)
        rig.clock.jump(-step)
        await rig.sleep(10 * HOUR)
        assert missing(rig) == {}
        assert starts(rig) == {"on_time"}


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_of_our_clock_while_the_exporter_is_stopped_changes_no_count(tmp_path, step):
    rig = hourly_rig(tmp_path)
    rig.start()
    await rig.sleep(4 * HOUR)
    await rig.stop()
    rig.clock.jump(step)
    rig.start()
    await rig.sleep(4 * HOUR)
    await rig.stop()
    rig.clock.jump(-step)
    async with rig:
        await rig.sleep(4 * HOUR)
        assert missing(rig) == {}
        assert "missed" not in starts(rig)


@pytest.mark.parametrize("skew", [*STEPS, -1800.0, -5.0, -START + 100.0, 10 * HOUR])
@pytest.mark.parametrize("corrected", [True, False])
async def test_the_first_start_counts_from_its_own_moment_whatever_our_clock_says(
    tmp_path, skew, corrected
):
    async with hourly_rig(tmp_path, history=2 * DAY, skew=skew) as rig:
        await rig.sleep(MINUTE)
        if corrected:
            rig.clock.jump(-skew)
        await rig.sleep(12 * HOUR)
        assert missing(rig) == {}
        assert starts(rig) == {"on_time"}


@pytest.mark.parametrize("skew", [-YEARS, -HOUR, HOUR, YEARS])
async def test_lookback_goes_by_the_time_of_the_api(tmp_path, skew):
    sections = {"poll": {"lookback": "24h"}}
    async with hourly_rig(tmp_path, history=2 * DAY, skew=skew, sections=sections) as rig:
        await rig.sleep(20 * MINUTE)
        day_before = rig.world.truth(START - DAY)
        assert sum(rig.counted().values()) == sum(rig.truth().values()) - sum(day_before.values())


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.001, 3.0])
async def test_a_clock_that_drifts_or_stands_still_changes_no_count(tmp_path, rate):
    async with hourly_rig(tmp_path) as rig:
        await rig.sleep(HOUR)
        rig.clock.drift(rate)
        await rig.sleep(20 * HOUR)
        assert missing(rig) == {}
        assert starts(rig) == {"on_time"}


@pytest.mark.parametrize("asleep", [10 * MINUTE, 5 * HOUR, 3 * DAY])
async def test_a_suspended_machine_catches_up(tmp_path, asleep):
    async with hourly_rig(tmp_path) as rig:
        await rig.sleep(4 * HOUR)
        rig.suspend(asleep)
        await rig.sleep(4 * HOUR)
        assert missing(rig) == {}
        assert "missed" not in starts(rig)


async def test_retention_goes_by_the_time_of_the_api(tmp_path):
    sections = {"state": {"retention": "6h"}}
    async with hourly_rig(tmp_path, sections=sections) as rig:
        await rig.sleep(4 * HOUR)
        rows = rig.ledger.rows()
        assert rows
        rig.clock.jump(40 * DAY)
        await rig.sleep(HOUR)
        assert rig.ledger.rows() > rows
        rig.clock.drift(0.0)
        await rig.sleep(20 * HOUR)
        assert rig.ledger.rows() <= 3 * rows
        assert missing(rig) == {}


# --- the API's clock ---


@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize("step", [-10 * 365 * DAY, *STEPS[1:]])
async def test_a_step_of_the_api_s_clock_changes_no_count(tmp_path, step, back):
    async with hourly_rig(tmp_path) as rig:
        await rig.sleep(4 * HOUR)
        rig.world.shown_time.step(rig.api_clock.now(), step)
        await rig.sleep(12 * HOUR)
        if back:
            rig.world.shown_time.step(rig.api_clock.now(), -step)
        # A list whose times are out of order is read by full walks alone, each half hour.
        await rig.sleep(12 * HOUR + 10 * MINUTE)
        assert missing(rig) == {}
        assert set(rig.telemetry.cycles) == {""}


DATES = {
    "absent": ApiFault(kind="date"),
    "garbage": ApiFault(kind="date", value="yesterday"),
    "no HTTP date": ApiFault(kind="date", value="2026-06-01T00:00:00Z"),
    "always the same": ApiFault(kind="date", value="Mon, 01 Jun 2026 00:00:00 GMT"),
    "cached": ApiFault(kind="date", value=-900, headers={"Age": "900"}),
    "cached without an age": ApiFault(kind="date", value=-900, probability=0.3),
    "cached with an age of garbage": ApiFault(
        kind="date", value=-300, headers={"Age": "old"}, probability=0.3
    ),
    "one of the past": ApiFault(kind="date", value=-400 * DAY, nth=(40,)),
    "one of the future": ApiFault(kind="date", value=400 * DAY, nth=(40,)),
    "now and then of the future": ApiFault(kind="date", value=40 * DAY, probability=0.1),
    "beyond every calendar": ApiFault(kind="date", value="Fri, 31 Dec 9999 23:59:59 GMT"),
}


@pytest.mark.parametrize("date", DATES)
async def test_whatever_the_date_of_an_answer_says_the_counts_are_right(tmp_path, date):
    rig = hourly_rig(tmp_path, history=DAY)
    rig.faults.add(DATES[date])
    async with rig:
        await rig.sleep(DAY)
        assert missing(rig) == {}
        assert "missed" not in starts(rig)


@pytest.mark.parametrize("date", ["absent", "garbage"])
async def test_without_dates_our_own_clock_is_used_and_said_so(tmp_path, date, logs):
    rig = hourly_rig(tmp_path)
    rig.faults.add(DATES[date])
    async with rig:
        await rig.sleep(2 * HOUR)
        assert rig.telemetry.time_sources[-1] == "local"
        assert missing(rig) == {}
        assert starts(rig) == {"on_time"}
    assert len([line for line in logs if "does not date its answers" in line["event"]]) == 1


async def test_dates_of_answers_without_the_key_are_not_believed(tmp_path):
    async with hourly_rig(tmp_path, sections={"poll": {"interval": "5m"}}) as rig:
        await rig.sleep(HOUR)
        for code in (401, 403, 404, 500):
            fault = ApiFault(kind="status", value=code, probability=0.2)
            rig.faults.add(fault, ApiFault(kind="date", value=40 * DAY))
            await rig.sleep(HOUR)
            rig.faults.clear()
        await rig.sleep(6 * HOUR)
        assert missing(rig) == {}


async def test_the_time_of_the_api_is_the_source_and_the_skew_is_shown(tmp_path):
    async with hourly_rig(tmp_path, skew=1800.0) as rig:
        await rig.sleep(HOUR)
        assert rig.telemetry.time_sources[-1] == "date"
        assert rig.telemetry.skews[-1] == pytest.approx(-1800.0, abs=2.0)
