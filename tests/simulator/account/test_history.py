"""The truth about starts and costs. `test_world` has the truth about records."""

import pytest

from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec, Traffic

HOUR = 3600.0
PROMPT = Traffic(delay=1.0)
FIVE = ScheduleSpec(
    key="five", name="Five", flow="score", cron="*/5 * * * *", records=3, traffic=PROMPT
)


def starts(world, now, max_delay=240.0, name="Five"):
    return {
        result: count
        for (label, result), count in world.truth_starts(now, max_delay).items()
        if label == name
    }


def test_a_start_without_a_fault_is_on_time(clock, noon):
    assert starts(small_world(clock, FIVE), noon + HOUR + 250) == {"on_time": 12}


def test_a_due_time_is_judged_once_its_delay_is_over(clock, noon):
    world = small_world(clock, FIVE)
    assert starts(world, noon + 300 + 240) == {}
    assert starts(world, noon + 300 + 240.1) == {"on_time": 1}


def test_a_late_start_counts_as_late_when_its_run_is_created(clock, noon):
    world = small_world(clock, FIVE)
    id_ = world.schedule_id("five")
    world.set_start_fault(id_, noon + 300, "late", 700.0)
    assert starts(world, noon + 999) == {"on_time": 1}
    assert starts(world, noon + 1000) == {"late": 1, "on_time": 1}
    run = next(run for run in world.runs(noon + 1000) if run.due == noon + 300)
    assert (run.created, run.state(noon + 1000)) == (noon + 1000, "pending")
    assert world.truth_runs(noon + HOUR)["Five", "success"] == 11
    assert starts(world, noon + 1000, max_delay=701.0) == {}
    assert starts(world, noon + 1002, max_delay=701.0) == {"on_time": 1}


def test_a_late_start_leaves_the_last_and_the_next_run_right(clock, noon):
    world = small_world(clock, FIVE)
    id_ = world.schedule_id("five")
    world.set_start_fault(id_, noon + 300, "late", 700.0)
    for at, last, following in ((400, None, 600), (700, 600, 900), (1000.5, 900, 1200)):
        expected = (None if last is None else noon + last, noon + following)
        assert (world.last_run(id_, noon + at), world.next_run(id_, noon + at)) == expected


def test_a_missed_start_has_no_run(clock, noon):
    world = small_world(clock, FIVE)
    world.set_start_fault(world.schedule_id("five"), noon + 600, "missed")
    assert [run.due - noon for run in world.runs(noon + 1000)] == [300, 900]
    assert starts(world, noon + 1000) == {"on_time": 1, "missed": 1}
    assert world.last_run(world.schedule_id("five"), noon + 700) == noon + 300


@pytest.mark.parametrize("kind", ["flow", "agent", "inline"])
@pytest.mark.parametrize(("delay", "created"), [(50.0, 650.0), (0.0, None)])
def test_a_failed_start_has_a_failed_run_and_nothing_else(clock, noon, kind, delay, created):
    world = small_world(
        clock, ScheduleSpec(key="five", name="Five", kind=kind, cron="*/5 * * * *", traffic=PROMPT)
    )
    world.set_start_fault(world.schedule_id("five"), noon + 600, "failed", delay)
    run = next(run for run in world.runs(noon + 700) if run.due == noon + 600)
    assert run.batch is None
    assert (run.agent_id is not None) == (kind == "agent")
    assert (run.state(run.created), run.outcome, run.ends) == ("failure", "failure", run.created)
    assert created is None or run.created == noon + created
    assert starts(world, noon + 850) == {"on_time": 1, "failed": 1}
    assert world.truth_runs(noon + 850)["Five", "failure"] == 1


def test_a_failed_start_that_is_yet_to_come_keeps_the_world_busy(clock, noon):
    world = small_world(clock, ScheduleSpec(key="once", run_at=noon + 10))
    world.set_start_fault(world.schedule_id("once"), noon + 10, "failed", 100.0)
    assert [world.quiet(noon + at) for at in (20, 110)] == [False, True]


def test_a_pause_voids_what_falls_due_in_it_and_run_now_is_no_start(clock, noon):
    world = small_world(clock, FIVE)
    id_ = world.schedule_id("five")
    world.pause(id_, noon + 301)
    world.resume(id_, noon + 901)
    world.run_now(id_, noon + 400)
    assert starts(world, noon + 1500) == {"on_time": 2}
    assert [run.due - noon for run in world.runs(noon + 1500)] == [300, 400, 1200]


def test_a_renamed_schedule_s_starts_and_results_go_by_the_name_of_their_time(clock, noon):
    world = small_world(clock, FIVE)
    world.update(world.schedule_id("five"), noon + 400, name="Renamed")
    assert starts(world, noon + 850) == {"on_time": 1}
    assert starts(world, noon + 850, name="Renamed") == {"on_time": 1}
    assert {label for label, _, _ in world.truth(noon + 850)} == {"Five", "Renamed"}
    assert {label for label, _ in world.truth_runs(noon + 850)} == {"Five", "Renamed"}


def test_shares_of_starts_go_wrong_by_chance(clock, noon):
    traffic = Traffic(late_share=0.2, late_by=1000.0, missed_share=0.1, failed_start_share=0.3)
    spec = ScheduleSpec(key="five", name="Five", cron="*/5 * * * *", records=1, traffic=traffic)
    counts = starts(small_world(clock, spec), noon + 300 * HOUR)
    total = sum(counts.values())
    assert {result: round(count / total, 1) for result, count in counts.items()} == {
        "on_time": 0.4,
        "late": 0.2,
        "missed": 0.1,
        "failed": 0.3,
    }


def test_a_start_late_by_chance_is_late_by_about_its_setting(clock, noon):
    spec = ScheduleSpec(
        key="five", cron="*/5 * * * *", records=1, traffic=Traffic(late_share=1.0, late_by=1000.0)
    )
    delays = [run.created - run.due for run in small_world(clock, spec).runs(noon + 20 * HOUR)]
    assert 500 <= min(delays) < 600
    assert 1400 < max(delays) <= 1500


def test_a_missed_start_does_not_change_what_other_runs_draw(clock, noon):
    plain, other = (
        small_world(
            clock, ScheduleSpec(key="five", cron="*/5 * * * *", traffic=Traffic(missed_share=share))
        )
        for share in (0.0, 0.5)
    )
    there = {run.id: run.batch.total for run in other.runs(noon + HOUR)}
    assert 0 < len(there) < 12
    assert there.items() <= {run.id: run.batch.total for run in plain.runs(noon + HOUR)}.items()


@pytest.mark.parametrize("due", [150.0, 600.5, 601.0])
def test_a_start_fault_needs_a_due_time(clock, noon, due):
    world = small_world(clock, FIVE)
    with pytest.raises(ValueError, match="does not fall due at"):
        world.set_start_fault(world.schedule_id("five"), noon + due, "missed")


def test_a_start_fault_needs_a_due_time_in_the_future(clock, noon):
    world = small_world(clock, FIVE)
    world.advance(noon + 300)
    with pytest.raises(ValueError, match="does not fall due at"):
        world.set_start_fault(world.schedule_id("five"), noon + 300, "missed")
    world.set_start_fault(world.schedule_id("five"), noon + 600, "missed")


def test_a_start_fault_needs_a_schedule_that_falls_due_and_a_delay_if_late(clock, noon):
    world = small_world(clock, FIVE, ScheduleSpec(key="never"))
    with pytest.raises(ValueError, match="does not fall due at"):
        world.set_start_fault(world.schedule_id("never"), noon + 300, "missed")
    with pytest.raises(ValueError, match="needs a delay"):
        world.set_start_fault(world.schedule_id("five"), noon + 300, "late")
    with pytest.raises(KeyError):
        world.set_start_fault("schedule_none", noon + 300, "missed")


def test_the_cost_of_an_ended_batch_belongs_to_its_schedule_and_flow(clock, noon):
    world = small_world(clock, FIVE)
    batch = world.add_batch(
        [RecordPlan(0, 1, 10), RecordPlan(0, 1, 20)], schedule="five", at=noon + 1
    ).batch
    alone = world.add_adhoc([RecordPlan()], at=noon, flow="import")
    assert world.costs.micros(batch, noon + 12) > 0
    assert set(world.truth_cost(noon + 12)) == {("", "import")}
    expected = {
        ("Five", "score"): world.costs.micros(batch, noon + 30),
        ("", "import"): world.costs.micros(alone, noon + 30),
    }
    assert {key: round(cost * 1e6) for key, cost in world.truth_cost(noon + 30).items()} == expected


def test_records_without_a_batch_id_have_no_readable_cost(clock, noon):
    world = small_world(clock, ScheduleSpec(key="inline", kind="inline"))
    world.run_now(world.schedule_id("inline"), noon)
    assert world.truth_cost(noon + HOUR) == {}
