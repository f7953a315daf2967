from runtype_exporter.simulator.api.statistics import daily_usage
from runtype_exporter.simulator.presets import (
    DAY,
    DEMO_TOKEN,
    SimulatorSettings,
    build,
    demo_world,
    small_world,
)

HOUR = 3600.0


def test_the_demo_has_a_day_behind_it_in_every_state_of_health(clock, noon):
    world = demo_world(1, clock)
    truth = world.truth(noon)
    assert {outcome for _, _, outcome in truth} == {"success", "failure", "cancelled"}
    # Thirteen with records, and what is ad hoc.
    assert len({schedule for schedule, _, _ in truth}) == 14
    assert sum(truth.values()) > 20_000
    assert "" in {schedule for schedule, _, _ in truth}
    assert any(batch.work.stuck for batch in world.batches(noon))
    assert {run.outcome for run in world.runs(noon)} == {"success", "failure", "cancelled"}
    assert world.start == noon - DAY


def test_the_demo_s_numbers_move_within_seconds_of_a_fast_clock(clock, noon):
    world = demo_world(1, clock)
    moments = [noon + 600 * number for number in range(7)]
    totals = [sum(world.truth(moment).values()) for moment in moments]
    assert totals == sorted(set(totals))


def test_the_demo_s_history_is_moderate(clock, noon):
    world = demo_world(1, clock)
    assert 800 < len(world.batches(noon)) <= 1000
    assert len(world.schedules) == 15


def test_at_its_own_pace_the_demo_moves_every_few_seconds(clock, noon):
    world = demo_world(1, clock)
    seen, moved = None, 0
    for second in range(0, 600, 5):
        listed = world.summary(noon + second)
        counts = [
            (batch.id, batch.counts(noon + second, world.api))
            for batch in listed.active + listed.recent
        ]
        seen, moved = counts, moved + (counts != seen)
    # Out of 120 reads.
    assert moved > 100


def test_the_demo_s_starts_differ_in_health(clock, noon):
    starts = demo_world(1, clock).truth_starts(noon, 900.0)
    assert starts["Sync the CRM", "missed"] > 10
    assert starts["Publish digest", "late"] > 5
    assert starts["Read invoices", "failed"] > 0
    assert {result for name, result in starts if name == "Score new leads"} == {"on_time"}


def test_the_demo_s_plan_is_nearly_used_up_and_some_batches_are_costly(clock, noon):
    world = demo_world(1, clock)
    blocks = daily_usage(world, noon)
    assert [blocks[name]["isNearLimit"] for name in ("daily", "monthly")] == [False, True]
    assert not blocks["monthly"]["isAtLimit"]
    hourly = [run.batch for run in world.runs(noon - HOUR) if run.spec.key == "companies"]
    costs = sorted(world.costs.micros(batch, noon) / batch.total for batch in hourly)
    assert costs[-1] > 5 * costs[len(costs) // 2]


def test_a_burst_shows_in_the_failures_of_its_schedule(clock, noon):
    world = demo_world(1, clock)
    key = ("Triage support tickets", "triage ticket", "failure")

    def failed(hour):
        at = [noon - DAY + (hour + more) * HOUR for more in (0, 1)]
        return world.truth(at[1])[key] - world.truth(at[0])[key]

    assert failed(2) > 10 * max(failed(0), 1)


def test_a_small_world_holds_only_what_a_test_adds(clock, noon):
    world = small_world(clock)
    assert [spec.name for spec in world.schedules.values()] == ["nightly"]
    assert list(world.runs(noon + 30 * DAY)) == []
    assert world.truth(noon + 30 * DAY) == {}


def test_the_demo_is_built_behind_the_api_with_a_key_of_its_own(clock, noon):
    settings = SimulatorSettings(seed=3, control=True)
    app = build(settings, clock)
    assert [key.token for key in settings.keys] == [DEMO_TOKEN]
    assert app.state.world.truth(noon) == demo_world(3, clock).truth(noon)
    assert "/-/truth" in {route.path for route in app.routes}
