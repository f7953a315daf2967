from statistics import median

import pytest

from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.account.costs import dollars
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import (
    Price,
    RecordAttempt,
    RecordPlan,
    ScheduleSpec,
    Traffic,
    WorldSettings,
)

HOUR = 3600.0


def priced(clock, *, seed=1, **prices):
    settings = WorldSettings(
        start=clock.at, schedules=(ScheduleSpec(key="nightly", name="nightly"),), prices=prices
    )
    return World(settings, seed, clock)


def test_costs_accrue_as_attempts_end_and_a_retry_costs_as_much_again(clock, noon):
    world = small_world(clock)
    retried = RecordPlan(0, 1, 10, "failure", retries=(RecordAttempt(20, 21, 30),))
    batch = world.add_adhoc([retried, RecordPlan(0, 1, 20)], at=noon)
    at = {second: world.costs.micros(batch, noon + second) for second in (9, 10, 20, 30, 31, 9999)}
    assert at[9] == 0
    assert 0 < at[10] < at[20]
    assert at[30] - at[20] == at[10]
    assert at[30] == at[31] == at[9999]


def test_what_was_cancelled_is_free(clock, noon):
    world = small_world(clock)
    assert (
        world.costs.micros(world.add_adhoc([RecordPlan(outcome="cancelled")], at=noon), noon + 60)
        == 0
    )


def test_a_cancelled_batch_costs_what_it_had_cost_by_then(clock, noon):
    world, same = small_world(clock), small_world(clock)
    batch, whole = (
        each.add_adhoc(50, at=noon, traffic=Traffic(failure_share=0.5, retry_share=1.0))
        for each in (world, same)
    )
    then = batch.started + 0.5 * (batch.ends - batch.started)
    assert world.cancel_batch(batch.id, then)
    assert (
        0
        < same.costs.micros(whole, then)
        == world.costs.micros(batch, then)
        == world.costs.micros(batch, then + HOUR)
    )
    assert same.costs.micros(whole, then + HOUR) > same.costs.micros(whole, then)


def test_costs_are_the_same_however_often_and_in_whatever_order_they_are_read(clock, noon):
    often, once = small_world(clock), small_world(clock)
    first, second = (world.add_adhoc(40, at=noon) for world in (often, once))
    for step in range(20):
        often.costs.micros(first, noon + 3 * step)
    assert often.costs.micros(first, noon + HOUR) == once.costs.micros(second, noon + HOUR)


def test_a_flow_has_its_own_price_about_its_median(clock, noon):
    world = priced(clock, dear=Price(median=0.5, sigma=0.4))
    dear, cheap = (
        world.add_adhoc(400, at=noon, flow=flow, traffic=Traffic(failure_share=0.0))
        for flow in ("dear", "x")
    )
    each = [dollars(world.costs.micros(batch, noon + HOUR)) / 400 for batch in (dear, cheap)]
    assert each == [pytest.approx(0.5, rel=0.25), pytest.approx(0.004, rel=0.35)]


def test_some_batches_of_a_flow_cost_a_multiple(clock, noon):
    world = priced(clock, dear=Price(spike_share=0.2, spike_factor=50.0))
    batches = [world.add_adhoc(20, at=noon + number, flow="dear") for number in range(60)]
    costs = [world.costs.micros(batch, noon + HOUR) for batch in batches]
    assert 4 < sum(cost > 10 * median(costs) for cost in costs) < 24


def test_another_seed_has_other_costs(clock, noon):
    costs = set()
    for seed in (1, 2):
        world = priced(clock, seed=seed)
        costs.add(world.costs.micros(world.add_adhoc([RecordPlan()] * 9, at=noon), noon + HOUR))
    assert len(costs) == 2
