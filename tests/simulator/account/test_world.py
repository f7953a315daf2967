from dataclasses import replace
from math import inf

import pytest

from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.presets import demo_settings, small_world
from runtype_exporter.simulator.settings import (
    AdhocSpec,
    Api,
    RecordAttempt,
    RecordPlan,
    ScheduleSpec,
    Traffic,
    WorldSettings,
)

HOUR = 3600.0
PLAIN = Traffic(failure_share=0.1, delay=2.0)
EVERY_FIVE = ScheduleSpec(
    key="five", name="Five", flow="score", cron="*/5 * * * *", records=10, traffic=PLAIN
)


def world(clock, *schedules, seed=1, stop=inf, adhoc=(), **api):
    settings = WorldSettings(
        start=clock.at, stop=stop, schedules=schedules, adhoc=adhoc, api=Api(**api)
    )
    return World(settings, seed, clock)


def everything_shown(simulated, now):
    """Everything that reads show at a moment."""
    return {
        "runs": [
            (run.id, run.state(now), run.batch and run.batch.counts(now, simulated.api))
            for run in simulated.runs(now)
        ],
        "active": [batch.id for batch in simulated.summary(now).active],
        "recent": [batch.id for batch in simulated.summary(now).recent],
        "rows": {
            batch.id: batch.page(now, simulated.api, 0, 1000, None)
            for batch in simulated.batches(now)
        },
        "truth": simulated.truth(now),
        "quiet": simulated.quiet(now),
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_moment_shows_does_not_depend_on_earlier_reads(clock, noon, seed):
    settings = demo_settings(noon)
    often, once = World(settings, seed, clock), World(settings, seed, clock)
    for step in range(1, 100):
        everything_shown(often, noon + step * 37.3)
    assert everything_shown(often, noon + HOUR + 100) == everything_shown(once, noon + HOUR + 100)


def test_another_seed_is_another_world(clock, noon):
    first, second = (World(demo_settings(noon), seed, clock).truth(noon + HOUR) for seed in (1, 2))
    assert first != second


def test_each_due_time_makes_one_run_and_one_batch_a_little_later(clock, noon):
    simulated = world(clock, EVERY_FIVE)
    runs = simulated.runs(noon + HOUR + 60)
    assert [run.due for run in runs] == [noon + 300 * number for number in range(1, 13)]
    assert all(0 <= run.created - run.due < 60 for run in runs)
    assert {run.batch.id for run in runs} == {
        batch.id for batch in simulated.batches(noon + HOUR + 60)
    }
    assert {run.batch.total for run in runs} == {10}


def test_a_run_is_not_there_before_it_is_created(clock, noon):
    simulated = world(clock, EVERY_FIVE)
    run = simulated.runs(noon + 400)[0]
    just_before = run.created - 0.001
    fresh = world(clock, EVERY_FIVE)
    assert list(fresh.runs(just_before)) == []
    assert fresh.batches(just_before) == []
    assert fresh.summary(just_before).active == []
    assert fresh.run(run.id, just_before) is None
    assert fresh.batch(run.batch.id, just_before) is None
    assert fresh.last_run(fresh.schedule_id("five"), just_before) is None
    assert not fresh.quiet(just_before)
    assert fresh.run(run.id, run.created).id == run.id
    assert fresh.batch(run.batch.id, run.created).id == run.batch.id
    assert fresh.last_run(fresh.schedule_id("five"), run.created) == run.due


def test_a_month_of_a_dozen_schedules_draws_no_record_without_a_read(clock, noon, monkeypatch):
    drawn = []
    simulated = World(replace(demo_settings(noon), adhoc=()), 1, clock)
    monkeypatch.setattr("runtype_exporter.simulator.account.factory.SampledPlan.work", drawn.append)
    simulated.advance(noon + 30 * 24 * HOUR)
    assert len(simulated.batches(noon + 30 * 24 * HOUR)) > 20_000
    assert drawn == []


def test_a_page_of_a_settled_batch_draws_its_records_once(clock, noon):
    simulated = small_world(clock)
    batch = simulated.add_adhoc(10_000, at=noon, traffic=replace(PLAIN, concurrency=50))
    drawn, work = [], batch.plan.work
    batch.plan.work = lambda: drawn.append(1) or work()
    rows = [
        row
        for start in range(0, 10_000, 100)
        for row in batch.page(noon + 9 * HOUR, simulated.api, start, 100, None)[0]
    ]
    assert len({row.place for row in rows}) == 10_000
    assert len(drawn) == 1


def test_after_a_stop_nothing_falls_due_and_the_truth_does_not_change(clock, noon):
    simulated = world(clock, EVERY_FIVE, adhoc=(AdhocSpec(key="import", cron="*/10 * * * *"),))
    assert not simulated.quiet(noon + 605)
    simulated.stop(noon + 606)
    settled = simulated.truth(noon + HOUR)
    assert simulated.quiet(noon + HOUR)
    assert simulated.truth(noon + 9 * HOUR) == settled
    assert len(simulated.runs(noon + 9 * HOUR)) == 2
    assert {key[:2] for key in settled} == {("Five", "score"), ("", "adhoc import")}


def test_the_settings_may_stop_the_schedules(clock, noon):
    simulated = world(clock, EVERY_FIVE, stop=noon + 600)
    assert len(simulated.runs(noon + HOUR)) == 1
    assert simulated.next_run(simulated.schedule_id("five"), noon + 300) is None


def test_the_truth_counts_each_result_once_and_each_retry_again(clock, noon):
    simulated = small_world(clock)
    simulated.add_batch(
        [
            RecordPlan(0, 1, 10),
            RecordPlan(
                0,
                1,
                10,
                "failure",
                retries=(RecordAttempt(20, 21, 30, "failure"), RecordAttempt(40, 41, 50)),
            ),
            RecordPlan(0, 1, 12, "cancelled"),
            RecordPlan(0, 1, inf),
        ],
        schedule="nightly",
        at=noon,
    )
    simulated.add_adhoc([RecordPlan()], at=noon, flow="import")
    assert simulated.truth(noon + 9) == {("", "import", "success"): 1}
    assert simulated.truth(noon + 30) == {
        ("", "import", "success"): 1,
        ("nightly", "enrich", "success"): 1,
        ("nightly", "enrich", "failure"): 2,
        ("nightly", "enrich", "cancelled"): 1,
    }
    assert simulated.truth(noon + 50)["nightly", "enrich", "success"] == 2
    assert simulated.truth_shown(noon + 50) == {
        ("", "import", "success"): 1,
        ("nightly", "enrich", "success"): 2,
        ("nightly", "enrich", "cancelled"): 1,
    }
    assert [simulated.quiet(noon + at) for at in (49, 51)] == [False, True]


def test_a_nameless_schedule_goes_by_its_id(clock, noon):
    simulated = world(clock, ScheduleSpec(key="nameless", flow="sort"))
    simulated.add_batch([RecordPlan()], schedule="nameless", at=noon)
    id_ = simulated.schedule_id("nameless")
    assert simulated.truth(noon + 5) == {(id_, "sort", "success"): 1}
    assert simulated.truth_runs(noon + 5) == {(id_, "success"): 1}


def test_an_agent_run_has_no_batch_and_ends_all_the_same(clock, noon):
    agent = ScheduleSpec(
        key="agent", name="Agent", kind="agent", traffic=replace(PLAIN, failure_share=0.5)
    )
    simulated = world(clock, agent)
    runs = [simulated.run_now(simulated.schedule_id("agent"), noon) for _ in range(50)]
    assert {run.batch for run in runs} == {None}
    first = runs[0]
    assert ["pending", "running", first.outcome] == [
        first.state(at) for at in (noon, first.started, first.ends)
    ]
    assert not simulated.quiet(noon)
    assert simulated.quiet(noon + HOUR)
    ended = simulated.truth_runs(noon + HOUR)
    assert sum(ended.values()) == 50
    assert set(ended) == {("Agent", "success"), ("Agent", "failure")}
    assert simulated.truth(noon + HOUR) == {}


def test_an_inline_run_has_records_but_no_batch_that_the_api_knows(clock, noon):
    simulated = world(
        clock, ScheduleSpec(key="inline", name="Inline", kind="inline", records=(3, 5))
    )
    run = simulated.run_now(simulated.schedule_id("inline"), noon)
    assert simulated.batch(run.batch.id, noon + HOUR) is None
    assert simulated.summary(noon + 1).active == []
    assert 3 <= sum(simulated.truth(noon + HOUR).values()) <= 5


def test_a_run_is_queued_then_runs_then_ends_with_its_batch(clock, noon):
    simulated = world(clock, EVERY_FIVE)
    run = simulated.run_now(simulated.schedule_id("five"), noon)
    batch = run.batch
    assert noon < batch.started < batch.ends
    moments = (noon, batch.started, batch.ends)
    assert (
        ["pending", "running", "success"]
        == [run.state(at) for at in moments]
        == [batch.state(at) for at in moments]
    )
    assert run.outcome == "success"


@pytest.mark.parametrize(
    ("outcomes", "cancelled", "expected"),
    [
        (["success", "failure"], False, "success"),
        (["failure", "failure"], False, "failure"),
        (["success", "cancelled"], True, "cancelled"),
        ([], False, "success"),
    ],
)
def test_a_batch_ends_as_its_records_and_its_user_say(clock, noon, outcomes, cancelled, expected):
    simulated = small_world(clock)
    records = [RecordPlan(outcome=outcome) for outcome in outcomes]
    run = simulated.add_batch(records, schedule="nightly", at=noon, cancelled=cancelled)
    assert run.state(noon + 60) == expected


def test_a_scripted_completion_holds_even_while_records_run(clock, noon):
    simulated = small_world(clock)
    batch = simulated.add_adhoc([RecordPlan(finished=100)], at=noon, completed=noon + 10)
    assert batch.state(noon + 10) == "success"
    assert batch.counts(noon + 10, simulated.api) == (0, 0)
    assert not simulated.quiet(noon + 10)
    assert simulated.quiet(noon + 100)


def test_a_stuck_record_holds_its_batch_only_with_the_option(clock, noon):
    free, held = (
        small_world(clock).add_adhoc(
            20, at=noon, traffic=Traffic(stuck_share=0.5, stuck_holds_batch=holds)
        )
        for holds in (False, True)
    )
    assert free.ends < inf
    assert held.ends == inf
    assert held.counts(noon + HOUR, Api(flush=100)) == held.counts(noon + HOUR, Api())
    assert held.counts(held.settled, Api())[0] < 20


def test_a_held_batch_stays_in_the_summary_and_the_world_is_quiet(clock, noon):
    simulated = small_world(clock)
    batch = simulated.add_adhoc(
        20, at=noon, traffic=Traffic(stuck_share=0.5, stuck_holds_batch=True)
    )
    assert simulated.quiet(noon + HOUR)
    assert simulated.summary(noon + 24 * HOUR).active == [batch]


def test_late_retries_begin_after_their_batch_has_ended(clock, noon):
    traffic = Traffic(failure_share=0.5, retry_share=1.0, retry_delay=600.0, slow_share=0.0)
    waiting, gone = (
        small_world(clock).add_adhoc(20, at=noon, traffic=replace(traffic, late_retries=late))
        for late in (False, True)
    )
    assert waiting.ends > waiting.settled > noon + 300
    assert gone.ends < noon + 300 < gone.settled
    assert gone.counts(gone.ends, Api())[1] > gone.counts(gone.settled, Api())[1]


def test_the_summary_forgets_a_batch_after_its_window_and_shows_only_so_many(clock, noon):
    simulated = small_world(clock, api=Api(recent_window=600.0, recent_limit=2))
    batches = [simulated.add_adhoc([RecordPlan()], at=noon + number) for number in range(3)]
    assert simulated.summary(noon + 2.5).active == [batches[2], batches[1]]
    assert simulated.summary(noon + 2.5).recent == [batches[0]]
    assert simulated.summary(noon + 10).recent == [batches[2], batches[1]]
    assert simulated.summary(noon + 602.5).recent == [batches[2], batches[1]]
    assert simulated.summary(noon + 603.5).recent == [batches[2]]
    assert simulated.summary(noon + 604).recent == []


def test_processed_counts_include_failures_or_not(clock, noon):
    simulated = small_world(clock)
    batch = simulated.add_adhoc(
        [RecordPlan(outcome="failure"), RecordPlan(), RecordPlan(finished=9)], at=noon
    )
    assert batch.counts(noon + 2, Api()) == (2, 1)
    assert batch.counts(noon + 2, Api(processed_includes_failed=False)) == (1, 1)
    assert batch.counts(noon + 2, Api(flush=10)) == (0, 0)
    assert batch.counts(noon + 20, Api(flush=10)) == (3, 1)


@pytest.mark.parametrize("order", ["oldest", "newest", "updated"])
@pytest.mark.parametrize("rows", ["appended", "replaced"])
@pytest.mark.parametrize("status", [None, "completed", "failed", "running", "unheard of"])
def test_the_pages_of_a_moment_together_are_the_whole(clock, noon, order, rows, status):
    simulated = small_world(clock)
    traffic = Traffic(failure_share=0.4, retry_share=0.5, as_created=True)
    batch = simulated.add_adhoc(95, at=noon, traffic=traffic)
    api, now = Api(results_order=order, retry_rows=rows), noon + 30
    whole, total = batch.page(now, api, 0, 1000, status)
    pages = [batch.page(now, api, start, 7, status) for start in range(0, total + 20, 7)]
    assert [row for page, _ in pages for row in page] == whole
    assert {found for _, found in pages} == {total} == {len(whole)}
    assert len({row.place for row in whole}) == total


def test_results_come_in_the_order_asked_for(clock, noon):
    simulated = small_world(clock)
    batch = simulated.add_adhoc(
        [RecordPlan(0, 1, 50), RecordPlan(5, 6, 7, "failure"), RecordPlan(10, 30, 60)], at=noon
    )

    def order(kind):
        return [
            row.place.record
            for row in batch.page(noon + 20, Api(results_order=kind), 0, 9, None)[0]
        ]

    assert order("oldest") == [0, 1, 2]
    assert order("newest") == [2, 1, 0]
    assert order("updated") == [2, 1, 0]
    later = [
        row.place.record
        for row in batch.page(noon + 55, Api(results_order="updated"), 0, 9, None)[0]
    ]
    assert later == [0, 2, 1]
    assert [
        row.place.record
        for row in batch.page(noon + 20, Api(results_order="newest"), 0, 9, "failed")[0]
    ] == [1]


def test_the_next_run_is_the_next_due_time_of_an_enabled_schedule(clock, noon):
    once = ScheduleSpec(key="once", run_at=noon + 100, records=1)
    paused = ScheduleSpec(key="paused", cron="*/5 * * * *", enabled=False)
    simulated = world(clock, EVERY_FIVE, once, paused, ScheduleSpec(key="never"))
    after = {
        key: simulated.next_run(simulated.schedule_id(key), noon + 99)
        for key in ("five", "once", "paused", "never")
    }
    assert after == {"five": noon + 300, "once": noon + 100, "paused": None, "never": None}
    assert simulated.next_run(simulated.schedule_id("once"), noon + 100) is None
    assert [run.due for run in simulated.runs(noon + 200)] == [noon + 100]


def test_a_run_without_any_delay_is_created_when_due(clock, noon):
    spec = replace(EVERY_FIVE, traffic=replace(PLAIN, delay=0.0, queue=0.0))
    run = world(clock, spec).runs(noon + 300)[0]
    assert (run.created, run.started) == (noon + 300, noon + 300)


def test_an_unknown_schedule_is_an_error(clock, noon):
    simulated = small_world(clock)
    with pytest.raises(KeyError):
        simulated.run_now("schedule_none", noon)
    with pytest.raises(KeyError):
        simulated.add_batch(1, schedule="none", at=noon)


def test_runs_of_one_schedule_are_its_own(clock, noon):
    simulated = world(clock, EVERY_FIVE, replace(EVERY_FIVE, key="other"))
    other = simulated.schedule_id("other")
    assert {run.schedule for run in simulated.runs(noon + HOUR, other)} == {other}
    assert len(simulated.runs(noon + HOUR, other)) * 2 == len(simulated.runs(noon + HOUR))
    assert simulated.runs(noon + HOUR, "schedule_none") == []


def test_a_record_keeps_its_id_from_night_to_night_and_its_results_do_not(clock, noon):
    simulated = small_world(clock)
    first, second = (
        simulated.add_batch(3, schedule="nightly", at=noon + day).batch for day in (0, 86400)
    )
    make = simulated.factory
    assert [make.record_id(first, n) for n in range(3)] == [
        make.record_id(second, n) for n in range(3)
    ]
    ids = {
        make.result_id(batch, n, attempt)
        for batch in (first, second)
        for n in range(3)
        for attempt in (0, 1)
    }
    assert len(ids) == 12


def test_runs_of_one_moment_have_one_order_however_the_world_came_there(clock, noon):
    at_once = replace(EVERY_FIVE, traffic=replace(PLAIN, delay=0.0))
    specs = [replace(at_once, key=f"five {number}") for number in range(6)]
    often, once = world(clock, *specs), world(clock, *reversed(specs))
    for step in range(1, 5):
        often.advance(noon + 300 * step)
    assert [run.id for run in often.runs(noon + 1200)] == [run.id for run in once.runs(noon + 1200)]
