import itertools
from dataclasses import replace
from math import inf
from random import Random
from statistics import median

import pytest

from runtype_exporter.simulator.account.sampling import BatchTimes, SampledPlan
from runtype_exporter.simulator.settings import (
    AdhocSpec,
    Api,
    Burst,
    ScheduleSpec,
    Traffic,
    WorldSettings,
)

CALM = Traffic(failure_share=0.0, slow_share=0.0, latency=4.0, concurrency=10_000)


def drawn(traffic: Traffic, total: int = 1000, seed: int = 7):
    return SampledPlan(lambda: Random(seed), traffic, BatchTimes(100.0, 103.0), total).work()


def attempts(work):
    return [attempt for record in work.records for attempt in record]


def test_work_is_the_same_each_time_it_is_drawn():
    plan = SampledPlan(
        lambda: Random(1), Traffic(failure_share=0.2, retry_share=0.5), BatchTimes(0.0, 1.0), 300
    )
    assert plan.work().records == plan.work().records


def test_latencies_are_log_normal_about_their_median():
    seconds = [attempt.finished - attempt.started for attempt in attempts(drawn(CALM))]
    assert pytest.approx(median(seconds), rel=0.1) == 4.0
    assert max(seconds) > 3 * 4.0


def test_every_moment_is_in_whole_milliseconds():
    moments = [moment for attempt in attempts(drawn(CALM)) for moment in attempt[:3]]
    assert moments == [round(moment, 3) for moment in moments]


def test_no_more_records_run_at_once_than_the_concurrency():
    work = drawn(replace(CALM, concurrency=5), 50)
    for attempt in attempts(work):
        running = [
            other for other in attempts(work) if other.started <= attempt.started < other.finished
        ]
        assert len(running) <= 5


def test_slow_records_take_their_factor_longer():
    calm, slow = (
        attempts(drawn(CALM, 20)),
        attempts(drawn(replace(CALM, slow_share=1.0, slow_factor=12.0), 20)),
    )
    assert [12 * (a.finished - a.started) for a in calm] == pytest.approx(
        [a.finished - a.started for a in slow], abs=0.01
    )


def test_failures_come_in_their_share_and_more_of_them_in_a_burst():
    burst = Burst(first=103.0, length=10.0, share=0.5, every=100.0)
    work = drawn(replace(CALM, failure_share=0.1, concurrency=50, bursts=(burst,)), 4000)
    inside = [a.outcome for a in attempts(work) if burst.covers(a.started)]
    outside = [a.outcome for a in attempts(work) if not burst.covers(a.started)]
    assert pytest.approx(inside.count("failure") / len(inside), abs=0.06) == 0.5
    assert pytest.approx(outside.count("failure") / len(outside), abs=0.03) == 0.1


@pytest.mark.parametrize(
    ("at", "open_"),
    [(9.0, False), (10.0, True), (14.9, True), (15.0, False), (30.0, True), (35.0, False)],
)
def test_a_burst_covers_its_window_and_its_repetitions(at, open_):
    assert open_ == Burst(first=10.0, length=5.0, share=1.0, every=20.0).covers(at)


def test_a_burst_without_repetition_comes_once():
    assert [Burst(first=10.0, length=5.0, share=1.0).covers(at) for at in (12.0, 32.0)] == [
        True,
        False,
    ]


def test_stuck_records_never_end_and_hold_no_lane():
    work = drawn(replace(CALM, stuck_share=0.5, concurrency=1), 100)
    stuck = [a for a in attempts(work) if a.finished == inf]
    assert 30 < len(stuck) < 70
    assert 70 < len([a for a in attempts(work) if a.finished < inf]) + len(stuck) == 100


def test_retries_follow_failures_only_and_end_at_their_limit():
    work = drawn(
        replace(CALM, failure_share=1.0, retry_share=1.0, retry_limit=2, retry_delay=20.0), 50
    )
    assert {3} == {len(record) for record in work.records}
    for record in work.records:
        for before, after in itertools.pairwise(record):
            assert before.finished + 10 <= after.created <= after.started <= after.finished
    assert {1} == {len(record) for record in drawn(replace(CALM, retry_share=1.0), 50).records}


def test_records_are_created_with_their_batch_or_as_their_work_begins():
    assert {100.0} == {a.created for a in attempts(drawn(replace(CALM, concurrency=5), 100))}
    later = attempts(drawn(replace(CALM, concurrency=5, as_created=True), 100))
    assert 100.0 <= min(a.created for a in later) <= 103.0 < max(a.created for a in later)
    assert all(a.created <= a.started for a in later)


def test_cancelled_records_come_in_their_share():
    outcomes = [a.outcome for a in attempts(drawn(replace(CALM, cancelled_share=0.3)))]
    assert pytest.approx(outcomes.count("cancelled") / len(outcomes), abs=0.05) == 0.3


def test_a_cancelled_batch_ends_everything_at_one_moment():
    traffic = Traffic(
        cancelled_batches=1.0, concurrency=3, failure_share=0.5, retry_share=1.0, stuck_share=0.1
    )
    work = drawn(traffic, 60)
    assert work.cancelled
    moments = {a.finished for a in attempts(work) if a.outcome == "cancelled"}
    assert len(moments) == 1
    moment = moments.pop()
    assert all(
        a.finished <= moment and a.started <= moment and a.created <= moment for a in attempts(work)
    )
    assert {"success", "failure", "cancelled"} == {a.outcome for a in attempts(work)}


def test_a_batch_without_records_has_no_work():
    assert drawn(CALM, 0).records == []
    assert drawn(replace(CALM, cancelled_batches=1.0), 0).records == []


def test_retries_without_result_ids_are_refused():
    schedule = ScheduleSpec(key="a", traffic=Traffic(retry_share=0.1))
    with pytest.raises(ValueError, match="use result_ids='when_final' or retry_share=0"):
        WorldSettings(start=0.0, schedules=(schedule,), api=Api(result_ids="never"))
    assert WorldSettings(
        start=0.0, schedules=(ScheduleSpec(key="a"),), api=Api(result_ids="never")
    ).schedules


def test_two_sources_with_one_key_are_refused():
    with pytest.raises(ValueError, match="a key of its own"):
        WorldSettings(start=0.0, schedules=(ScheduleSpec(key="a"),), adhoc=(AdhocSpec(key="a"),))
