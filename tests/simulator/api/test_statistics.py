import pytest

from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.account.costs import dollars
from runtype_exporter.simulator.api.statistics import (
    daily_usage,
    executions,
    schedule_stats,
    usage_limits,
)
from runtype_exporter.simulator.presets import DAY, small_world
from runtype_exporter.simulator.settings import (
    Api,
    RecordPlan,
    ScheduleSpec,
    Subscription,
    WorldSettings,
)

NIGHTLY = ScheduleSpec(key="nightly", name="nightly")


def subscribed(clock, schedules=(NIGHTLY,), **plan):
    return World(
        WorldSettings(start=clock.at, schedules=schedules, subscription=Subscription(**plan)),
        1,
        clock,
    )


async def test_sparklines_are_seven_utc_days_of_runs_and_failures(open_api, clock, noon):
    world = small_world(clock)
    for day, outcome in (
        (0, "failure"),
        (0, "success"),
        (1, "success"),
        (3, "failure"),
        (7, "success"),
        (7, "success"),
    ):
        world.add_batch([RecordPlan(outcome=outcome)], schedule="nightly", at=noon + day * DAY)
    clock.at = noon + 7 * DAY + 60
    async with open_api(world) as api:
        (line,) = (await api.get("/v1/schedules/sparklines"))["data"]
    assert line == {
        "scheduleId": world.schedule_id("nightly"),
        "last7Days": [
            {"date": "2026-07-02", "runs": 1, "failed": 0},
            {"date": "2026-07-03", "runs": 0, "failed": 0},
            {"date": "2026-07-04", "runs": 1, "failed": 1},
            {"date": "2026-07-05", "runs": 0, "failed": 0},
            {"date": "2026-07-06", "runs": 0, "failed": 0},
            {"date": "2026-07-07", "runs": 0, "failed": 0},
            {"date": "2026-07-08", "runs": 2, "failed": 0},
        ],
    }


async def test_a_day_ends_at_midnight_utc_and_a_run_fails_when_it_ends(open_api, clock, noon):
    world = small_world(clock, api=Api(empty_days=False))
    midnight = noon + DAY / 2
    for at in (midnight - 0.001, midnight):
        world.add_batch([RecordPlan(outcome="failure")], schedule="nightly", at=at)
    async with open_api(world) as api:
        seen = []
        for clock.at in (midnight, midnight + 60):
            (line,) = (await api.get("/v1/schedules/sparklines"))["data"]
            seen.append([(day["date"], day["runs"], day["failed"]) for day in line["last7Days"]])
    assert seen == [
        [("2026-07-01", 1, 0), ("2026-07-02", 1, 0)],
        [("2026-07-01", 1, 1), ("2026-07-02", 1, 1)],
    ]


async def test_sparklines_can_be_asked_for_up_to_a_hundred_ids_in_their_order(open_api, clock):
    world = small_world(clock, *[ScheduleSpec(key=str(number)) for number in range(101)])
    ids = list(world.schedules)
    async with open_api(world) as api:

        async def lines(*asked):
            page = await api.get("/v1/schedules/sparklines", ids=",".join(asked))
            return [line["scheduleId"] for line in page["data"]]

        assert await lines(ids[7], "schedule_none", ids[3]) == [ids[7], ids[3]]
        assert await lines(*ids[:100]) == ids[:100]
        assert len((await api.get("/v1/schedules/sparklines"))["data"]) == 101
        refused = await api.client.get("/v1/schedules/sparklines", params={"ids": ",".join(ids)})
        assert (refused.status_code, refused.json()["details"][0]["code"]) == (400, "INVALID_RANGE")


def test_statistics_speak_of_runs_that_ended(clock, noon):
    world = small_world(clock)
    plans = [
        [RecordPlan(0, 1, 10)],
        [RecordPlan(0, 1, 20)],
        [RecordPlan(0, 1, 10, "failure")],
        [RecordPlan(0, 1, 9e9)],
    ]
    runs = [world.add_batch(plan, schedule="nightly", at=noon) for plan in plans]
    cancelled = world.add_batch(
        [RecordPlan(0, 1, 10, "cancelled")], schedule="nightly", at=noon, cancelled=True
    )
    answer = schedule_stats(world, world.schedule_id("nightly"), noon + 60)
    costs = [world.costs.micros(run.batch, noon + 60) for run in (*runs[:3], cancelled)]
    assert (answer["total"], answer["completed"], answer["failed"]) == (5, 2, 1)
    assert answer["successRate"] == pytest.approx(2 / 3)
    assert answer["avgDurationMs"] == 1000 * (11 + 21 + 11 + 11) / 4
    assert answer["avgCostUsd"] == pytest.approx(dollars(sum(costs)) / 4)


@pytest.mark.parametrize("failed_start", [False, True])
def test_statistics_of_nothing_are_null(clock, noon, failed_start):
    world = small_world(clock, ScheduleSpec(key="nightly", cron="*/5 * * * *"))
    if failed_start:
        world.set_start_fault(world.schedule_id("nightly"), noon + 300, "failed", 1.0)
    answer = schedule_stats(world, world.schedule_id("nightly"), noon + 302 * failed_start)
    assert (answer["total"], answer["failed"]) == (failed_start, failed_start)
    assert answer["successRate"] == (0.0 if failed_start else None)
    assert answer["avgDurationMs"] is answer["avgCostUsd"] is None


def test_each_record_of_a_batch_and_each_agent_run_is_an_execution(clock, noon):
    agent = ScheduleSpec(key="agent", kind="agent", run_at=noon + 20)
    world = small_world(clock, NIGHTLY, agent, ScheduleSpec(key="failing", run_at=noon + 20))
    world.set_start_fault(world.schedule_id("failing"), noon + 20, "failed", 1.0)
    world.set_start_fault(world.schedule_id("agent"), noon + 20, "late", 10.0)
    world.add_batch([RecordPlan()] * 7, schedule="nightly", at=noon)
    world.add_adhoc([RecordPlan()] * 5, at=noon + 10)
    assert [executions(world, noon, noon + at) for at in (0, 10, 29, 30)] == [7, 12, 12, 13]
    assert executions(world, noon + 10, noon + 30) == 6


def test_the_daily_block_resets_at_midnight_the_monthly_with_the_plan(clock, noon):
    world = subscribed(clock, daily=10, monthly=100, used=70, renews=2 * DAY)
    seen = []
    for day in range(3):
        world.add_batch([RecordPlan()] * 8, schedule="nightly", at=noon + day * DAY)
        blocks = daily_usage(world, noon + day * DAY)
        seen.append(
            [(name, block["executionsUsed"], block["date"]) for name, block in blocks.items()]
        )
    assert seen == [
        [("daily", 8, "2026-07-01"), ("monthly", 78, "2026-06-03")],
        [("daily", 8, "2026-07-02"), ("monthly", 86, "2026-06-03")],
        [("daily", 8, "2026-07-03"), ("monthly", 8, "2026-07-03")],
    ]
    blocks = daily_usage(world, noon + 2 * DAY)
    assert [block["resetsAt"] for block in blocks.values()] == [
        "2026-07-04T00:00:00.000Z",
        "2026-08-02T12:00:00.000Z",
    ]
    assert [block["periodType"] for block in blocks.values()] == ["daily", "monthly"]


@pytest.mark.parametrize(
    ("used", "slow_mode", "expected"),
    [
        (79, False, (79.0, 21, False, False, False, 0, False)),
        (80, False, (80.0, 20, True, False, False, 0, False)),
        (100, False, (100.0, 0, True, True, False, 0, False)),
        (130, False, (130.0, 0, True, True, True, 30, False)),
        (100, True, (100.0, 0, True, True, False, 0, True)),
        (130, True, (130.0, 0, True, True, False, 30, True)),
        (99, True, (99.0, 1, True, False, False, 0, False)),
    ],
)
def test_a_block_says_how_near_the_limit_is_and_what_lies_beyond(
    clock, noon, used, slow_mode, expected
):
    block = daily_usage(subscribed(clock, monthly=100, used=used, slow_mode=slow_mode), noon)[
        "monthly"
    ]
    keys = (
        "percentUsed",
        "remaining",
        "isNearLimit",
        "isAtLimit",
        "isOverage",
        "overageCount",
        "inSlowMode",
    )
    assert tuple(block[key] for key in keys) == expected
    assert (block["executionLimit"], block["isUnlimited"], block["tier"]) == (100, False, "growth")


def test_a_plan_may_have_a_day_alone(clock, noon):
    answer = daily_usage(
        subscribed(clock, tier="build", daily=50, monthly=None, slow_mode=True), noon
    )
    assert list(answer) == ["daily"]


def test_a_plan_without_limits_is_unlimited(clock, noon):
    world = subscribed(clock, tier="enterprise", monthly=None, used=5)
    block = daily_usage(world, noon)["monthly"]
    assert (
        block["isUnlimited"],
        block["remaining"],
        block["percentUsed"],
        block["executionsUsed"],
    ) == (
        True,
        None,
        0.0,
        5,
    )
    whole = usage_limits(world, noon)["usage"]
    assert (whole["isUnlimited"], whole["remaining"], whole["platformTokenLimit"]) == (
        True,
        None,
        None,
    )


def test_the_usage_wraps_the_blocks_in_the_month_s_tokens(clock, noon):
    world = subscribed(clock, monthly=100, used=110)
    whole = usage_limits(world, noon)["usage"]
    assert whole["monthly"] == daily_usage(world, noon)["monthly"]
    assert (
        whole["isOverLimit"],
        whole["isNearLimit"],
        whole["remaining"],
        whole["percentUsed"],
    ) == (
        True,
        True,
        0,
        110.0,
    )
    assert whole["platformTokensUsed"] / whole["platformTokenLimit"] == 1.1
    assert whole["month"] == "2026-07"
