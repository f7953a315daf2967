"""The forecast of requests per hour and of freshness."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.config import Account, CollectorSwitches, Poll, Secret
from runtype_exporter.forecast import DEFAULT_INVENTORY, AccountInventory, forecast_requests, survey
from runtype_exporter.forecast.requests import pages
from runtype_exporter.simulator.settings import AdhocSpec, ScheduleSpec, Traffic, WorldSettings
from tests.support.rig import START, Rig

LISTS = CollectorSwitches(cost=False, sparklines=False, usage=False)
NOTHING = CollectorSwitches(
    schedules=False, runs=False, summary=False, cost=False, sparklines=False, usage=False
)


def account(**settings: Any) -> Account:
    return Account(
        **{"name": "acme", "api_key": Secret(env="KEY"), "requests_per_hour": 100_000, **settings}
    )


@pytest.mark.parametrize(
    ("settings", "poll", "inventory", "reads"),
    [
        (
            {"collectors": LISTS},
            Poll(),
            DEFAULT_INVENTORY,
            {"summary": 60, "runs": 66, "schedules": 6},
        ),
        (
            {},
            Poll(),
            DEFAULT_INVENTORY,
            {"summary": 60, "runs": 66, "schedules": 6, "sparklines": 6, "usage": 6},
        ),
        (
            {},
            Poll(),
            replace(DEFAULT_INVENTORY, listed=0, schedules=0),
            {"summary": 60, "runs": 66, "schedules": 6, "usage": 6},
        ),
        (
            {"collectors": LISTS},
            Poll(),
            replace(DEFAULT_INVENTORY, listed=101),
            {"summary": 60, "runs": 66, "schedules": 12},
        ),
        (
            {"collectors": LISTS, "page_size": 5},
            Poll(),
            DEFAULT_INVENTORY,
            {"summary": 60, "runs": 66, "schedules": 12},
        ),
        (
            {"collectors": LISTS, "page_size": 1000},
            Poll(),
            replace(DEFAULT_INVENTORY, listed=101),
            {"summary": 60, "runs": 66, "schedules": 12},
        ),
        ({"collectors": NOTHING}, Poll(), DEFAULT_INVENTORY, {}),
        (
            {"collectors": LISTS},
            Poll(interval=30),
            DEFAULT_INVENTORY,
            {"summary": 120, "runs": 126, "schedules": 6},
        ),
        (
            {"collectors": LISTS},
            Poll(discovery_interval=3600),
            DEFAULT_INVENTORY,
            {"summary": 60, "runs": 61, "schedules": 1},
        ),
        # a full walk reads all pages of the runs, in addition to the cycles
        (
            {"collectors": LISTS},
            Poll(),
            replace(DEFAULT_INVENTORY, run_pages=11),
            {"summary": 60, "runs": 126, "schedules": 6},
        ),
        # 100 an hour: two lists take a quarter of it every 288 s
        (
            {"collectors": LISTS, "requests_per_hour": 100},
            Poll(discovery_interval=3600),
            DEFAULT_INVENTORY,
            {"summary": 12.5, "runs": 13.5, "schedules": 1},
        ),
        # what is forbidden is asked once an hour, and without schedules there are no sparklines
        (
            {},
            Poll(),
            replace(DEFAULT_INVENTORY, forbidden=frozenset({"schedules"})),
            {"summary": 60, "runs": 66, "usage": 6},
        ),
        # 1,000 an hour carry a full walk of 100 pages each hour
        (
            {"collectors": LISTS, "requests_per_hour": 1000},
            Poll(),
            replace(DEFAULT_INVENTORY, run_pages=100),
            {"summary": 60, "runs": 160, "schedules": 6},
        ),
    ],
)
def test_requests_at_rest(
    settings: dict[str, Any], poll: Poll, inventory: AccountInventory, reads: dict[str, int]
):
    forecast = forecast_requests(account(**settings), poll, inventory)
    assert reads == pytest.approx(forecast.reads)
    assert sum(reads.values()) == pytest.approx(forecast.at_rest)


def test_each_list_keeps_to_its_share_of_a_small_limit():
    forecast = forecast_requests(
        account(collectors=LISTS, requests_per_hour=10), Poll(), DEFAULT_INVENTORY
    )
    assert {"summary": 1.25, "runs": 2.25, "schedules": 1} == pytest.approx(forecast.reads)


@pytest.mark.parametrize(
    ("limit", "records", "page_size", "seconds"),
    [
        (1000, 10_000, 100, 469),  # 900 granted, 132 of them at rest
        (1000, 10_000, 1000, 60),
        (1000, 100, 100, 60),
        (1000, 0, 100, 60),
        (1000, 1, 1, 60),
        (10_000, 100_000, 100, 406),
    ],
)
def test_freshness(limit: int, records: int, page_size: int, seconds: float):
    settings = account(collectors=LISTS, requests_per_hour=limit, page_size=page_size)
    inventory = replace(DEFAULT_INVENTORY, listed=1)
    assert seconds == pytest.approx(
        forecast_requests(settings, Poll(), inventory).freshness(records), abs=1
    )


INVENTORIES = st.builds(
    AccountInventory,
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
    INVENTORIES,
    POLLS,
    st.tuples(st.integers(10, 20_000), st.integers(1, 20_000)),
    st.integers(1, 1000),
    st.integers(0, 100_000),
)
def test_more_budget_never_makes_freshness_or_cycles_worse(
    inventory, poll, limits, page_size, records
):
    limit, more = limits
    less = forecast_requests(account(requests_per_hour=limit, page_size=page_size), poll, inventory)
    richer = forecast_requests(
        account(requests_per_hour=limit + more, page_size=page_size), poll, inventory
    )
    assert richer.freshness(records) <= less.freshness(records) * (1 + 1e-9)
    assert richer.interval <= less.interval


@given(INVENTORIES, POLLS, st.integers(10, 20_000))
def test_at_rest_most_of_the_budget_is_left_for_sweeps(inventory, poll, limit):
    forecast = forecast_requests(account(requests_per_hour=limit), poll, inventory)
    assert sum(forecast.lists.values()) <= 0.4501 * limit
    assert forecast.left_for_sweeps >= 0.3999 * limit
    assert forecast.at_rest <= forecast.recent <= forecast.wanted
    assert forecast.worst <= limit


def test_recently_ended_batches_are_read_once_with_their_cost():
    inventory = replace(DEFAULT_INVENTORY, ended=(100, 101, 0), hours=2.0)
    assert (4 + 3) / 2 == forecast_requests(account(), Poll(), inventory).for_ended_batches
    assert (
        4 / 2 == forecast_requests(account(collectors=LISTS), Poll(), inventory).for_ended_batches
    )
    adhoc = replace(inventory, adhoc_ended=(40, 40, 40), adhoc_hours=0.5)
    assert (4 + 3) / 2 + (3 + 3) / 0.5 == forecast_requests(
        account(), Poll(), adhoc
    ).for_ended_batches


def test_in_the_worst_case_open_batches_are_swept_in_every_cycle():
    inventory = replace(DEFAULT_INVENTORY, read=True, open=(100, 201))
    forecast = forecast_requests(account(collectors=LISTS), Poll(), inventory)
    assert 4 * 60 == forecast.for_open_batches
    assert 132 + 240 == pytest.approx(forecast.worst)


def test_with_an_assumed_inventory_the_worst_case_is_the_limit():
    assert (
        1000 == forecast_requests(account(requests_per_hour=1000), Poll(), DEFAULT_INVENTORY).worst
    )


@pytest.mark.parametrize(
    ("rows", "size", "count"), [(0, 100, 1), (1, 100, 1), (100, 100, 1), (101, 100, 2)]
)
def test_pages(rows: int, size: int, count: int):
    assert count == pages(rows, size)


SETTLE_TIME = 3600.0
"""Seconds after which everything that was found at the start is closed."""


@pytest.mark.parametrize("limit", [100_000, 1000])
async def test_an_account_at_rest_sends_the_forecast_requests(tmp_path, limit):
    schedules = tuple(
        ScheduleSpec(key=f"s{number}", name=f"s{number}", enabled=False) for number in range(120)
    )
    settings = WorldSettings(start=START, schedules=schedules)
    on = {"cost": False, "sparklines": False, "usage": False}
    async with Rig(
        tmp_path, settings, account={"requests_per_hour": limit, "collectors": on}
    ) as rig:
        await rig.sleep(SETTLE_TIME)
        asked = await rig.requests_during(5 * 3600)
        config = rig.config
    inventory = replace(DEFAULT_INVENTORY, listed=120, schedules=120)
    forecast = forecast_requests(config.accounts[0], config.poll, inventory)
    assert {name: 5 * amount for name, amount in forecast.reads.items()} == pytest.approx(
        dict(asked), rel=0.04
    )


async def test_an_active_account_stays_between_recent_and_worst(
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
        inventory = await survey(
            account, rig.config.state, clock=rig.clock, telemetry=rig.telemetry, transport=transport
        )
        asked = sum((await rig.requests_during(3600)).values())
    forecast = forecast_requests(account, rig.config.poll, inventory)
    assert forecast.recent <= asked <= forecast.worst
    assert asked <= 2 * forecast.recent
