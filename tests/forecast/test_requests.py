"""Requests an hour and the freshness that they leave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.config import Account, Collectors, Poll, Secret
from runtype_exporter.forecast import ASSUMED, Holding, requests, survey
from runtype_exporter.forecast.requests import pages
from runtype_exporter.simulator.settings import AdhocSpec, ScheduleSpec, Traffic, WorldSettings
from tests.support.rig import START, Rig

LISTS = Collectors(cost=False, sparklines=False, usage=False)
NOTHING = Collectors(
    schedules=False, runs=False, summary=False, cost=False, sparklines=False, usage=False
)


def account(**settings: Any) -> Account:
    return Account(
        **{"name": "acme", "api_key": Secret(env="KEY"), "requests_per_hour": 100_000, **settings}
    )


@pytest.mark.parametrize(
    ("settings", "poll", "holding", "reads"),
    [
        ({"collectors": LISTS}, Poll(), ASSUMED, {"summary": 60, "runs": 60, "schedules": 6}),
        (
            {},
            Poll(),
            ASSUMED,
            {"summary": 60, "runs": 60, "schedules": 6, "sparklines": 6, "usage": 6},
        ),
        (
            {},
            Poll(),
            replace(ASSUMED, listed=0, schedules=0),
            {"summary": 60, "runs": 60, "schedules": 6, "usage": 6},
        ),
        (
            {"collectors": LISTS},
            Poll(),
            replace(ASSUMED, listed=101),
            {"summary": 60, "runs": 60, "schedules": 12},
        ),
        (
            {"collectors": LISTS, "page_size": 5},
            Poll(),
            ASSUMED,
            {"summary": 60, "runs": 60, "schedules": 12},
        ),
        (
            {"collectors": LISTS, "page_size": 1000},
            Poll(),
            replace(ASSUMED, listed=101),
            {"summary": 60, "runs": 60, "schedules": 12},
        ),
        ({"collectors": NOTHING}, Poll(), ASSUMED, {}),
        (
            {"collectors": LISTS},
            Poll(interval=30),
            ASSUMED,
            {"summary": 120, "runs": 120, "schedules": 6},
        ),
        (
            {"collectors": LISTS},
            Poll(discovery_interval=3600),
            ASSUMED,
            {"summary": 60, "runs": 60, "schedules": 1},
        ),
        # a whole walk reads all pages of the runs, and so much more each time
        (
            {"collectors": LISTS},
            Poll(),
            replace(ASSUMED, run_pages=11),
            {"summary": 60, "runs": 120, "schedules": 6},
        ),
        # 100 an hour: two lists take a quarter of it every 288 s, three reads every 432 s
        (
            {"collectors": LISTS, "requests_per_hour": 100},
            Poll(discovery_interval=3600),
            ASSUMED,
            {"summary": 12, "runs": 12, "schedules": 1},
        ),
        # what is forbidden is asked once an hour, and without schedules there are no sparklines
        (
            {},
            Poll(),
            replace(ASSUMED, forbidden=frozenset({"schedules"})),
            {"summary": 60, "runs": 60, "usage": 6},
        ),
        # 1,000 an hour carry a whole walk of 100 pages each hour
        (
            {"collectors": LISTS, "requests_per_hour": 1000},
            Poll(),
            replace(ASSUMED, run_pages=100),
            {"summary": 60, "runs": 159, "schedules": 6},
        ),
    ],
)
def test_requests_at_rest(
    settings: dict[str, Any], poll: Poll, holding: Holding, reads: dict[str, int]
):
    taken = requests(account(**settings), poll, holding)
    assert reads == pytest.approx(taken.reads)
    assert sum(reads.values()) == pytest.approx(taken.at_rest)


def test_where_one_round_of_reads_takes_longer_than_the_discovery_interval_there_are_only_such_rounds():
    taken = requests(account(collectors=LISTS, requests_per_hour=10), Poll(), ASSUMED)
    assert {"summary": 5 / 6, "runs": 5 / 6, "schedules": 5 / 6} == pytest.approx(taken.reads)


@pytest.mark.parametrize(
    ("limit", "records", "page_size", "seconds"),
    [
        (1000, 10_000, 100, 465),  # 900 granted, 126 of them at rest
        (1000, 10_000, 1000, 60),
        (1000, 100, 100, 60),
        (1000, 0, 100, 60),
        (1000, 1, 1, 60),
        (10_000, 100_000, 100, 405),
    ],
)
def test_freshness(limit: int, records: int, page_size: int, seconds: float):
    settings = account(collectors=LISTS, requests_per_hour=limit, page_size=page_size)
    holding = replace(ASSUMED, listed=1)
    assert seconds == pytest.approx(requests(settings, Poll(), holding).freshness(records), abs=1)


HOLDINGS = st.builds(
    Holding,
    read=st.booleans(),
    listed=st.integers(0, 2000),
    schedules=st.integers(0, 2000),
    flows=st.integers(0, 50),
    open=st.lists(st.integers(0, 20_000), max_size=4).map(tuple),
    ended=st.lists(st.integers(0, 20_000), max_size=4).map(tuple),
    run_pages=st.integers(1, 5000),
)
POLLS = st.builds(Poll, interval=st.floats(1, 1000), discovery_interval=st.floats(1, 10_000))


@given(
    HOLDINGS,
    POLLS,
    st.tuples(st.integers(10, 20_000), st.integers(1, 20_000)),
    st.integers(1, 1000),
    st.integers(0, 100_000),
)
def test_more_budget_never_makes_freshness_worse_nor_cycles_rarer(
    holding, poll, limits, page_size, records
):
    limit, more = limits
    less = requests(account(requests_per_hour=limit, page_size=page_size), poll, holding)
    richer = requests(account(requests_per_hour=limit + more, page_size=page_size), poll, holding)
    assert richer.freshness(records) <= less.freshness(records) * (1 + 1e-9)
    assert richer.interval <= less.interval


@given(HOLDINGS, POLLS, st.integers(10, 20_000))
def test_what_is_taken_at_rest_leaves_most_of_the_budget_to_sweeps_and_the_limit_is_the_worst(
    holding, poll, limit
):
    taken = requests(account(requests_per_hour=limit), poll, holding)
    assert sum(taken.lists.values()) <= 0.36 * limit
    assert taken.left >= 0.49 * limit
    assert taken.at_rest <= taken.usual <= taken.wanted
    assert taken.worst <= limit


def test_what_ended_of_late_is_read_once_and_its_cost_asked():
    holding = replace(ASSUMED, ended=(100, 101, 0), hours=2.0)
    assert (4 + 3) / 2 == requests(account(), Poll(), holding).ending
    assert 4 / 2 == requests(account(collectors=LISTS), Poll(), holding).ending
    adhoc = replace(holding, adhoc_ended=(40, 40, 40), adhoc_hours=0.5)
    assert (4 + 3) / 2 + (3 + 3) / 0.5 == requests(account(), Poll(), adhoc).ending


def test_what_is_at_work_is_swept_in_every_cycle_at_the_worst():
    holding = replace(ASSUMED, read=True, open=(100, 201))
    taken = requests(account(collectors=LISTS), Poll(), holding)
    assert 4 * 60 == taken.changing
    assert 126 + 240 == pytest.approx(taken.worst)


def test_where_nobody_looked_the_worst_is_the_limit():
    assert 1000 == requests(account(requests_per_hour=1000), Poll(), ASSUMED).worst


@pytest.mark.parametrize(
    ("rows", "size", "count"), [(0, 100, 1), (1, 100, 1), (100, 100, 1), (101, 100, 2)]
)
def test_pages(rows: int, size: int, count: int):
    assert count == pages(rows, size)


SETTLED = 3600.0
"""By then everything that was found at the start has been closed, seconds."""


@pytest.mark.parametrize("limit", [100_000, 1000])
async def test_an_account_at_rest_asks_as_often_as_forecast(tmp_path, limit):
    schedules = tuple(
        ScheduleSpec(key=f"s{number}", name=f"s{number}", enabled=False) for number in range(120)
    )
    settings = WorldSettings(start=START, schedules=schedules)
    on = {"cost": False, "sparklines": False, "usage": False}
    async with Rig(
        tmp_path, settings, account={"requests_per_hour": limit, "collectors": on}
    ) as rig:
        await rig.sleep(SETTLED)
        asked = await rig.asked(5 * 3600)
        config = rig.config
    holding = replace(ASSUMED, listed=120, schedules=120)
    forecast = requests(config.accounts[0], config.poll, holding)
    assert {name: 5 * amount for name, amount in forecast.reads.items()} == pytest.approx(
        dict(asked), rel=0.04
    )


async def test_an_account_at_work_asks_at_least_what_is_usual_and_at_most_what_is_forecast_for_the_worst(
    tmp_path,
):
    schedules = (ScheduleSpec(key="often", name="often", cron="*/10 * * * *", records=150),)
    imports = (
        AdhocSpec(key="import", cron="* * * * *", records=40, traffic=Traffic(latency=20.0)),
    )
    settings = WorldSettings(start=START, schedules=schedules, adhoc=imports)
    async with Rig(tmp_path, settings) as rig:
        await rig.sleep(2 * 3600 + 20)
        account = rig.config.accounts[0]
        transport = httpx.ASGITransport(app=rig.app)
        held = await survey(
            account, rig.config.state, clock=rig.clock, telemetry=rig.heard, transport=transport
        )
        asked = sum((await rig.asked(3600)).values())
    taken = requests(account, rig.config.poll, held)
    assert taken.usual <= asked <= taken.worst
    assert asked <= 2 * taken.usual
