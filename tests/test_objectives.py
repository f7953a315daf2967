"""Objectives: which increments are good or bad events, for the schedules that they match."""

import pytest

from runtype_exporter.model import OUTCOMES, START_RESULTS, Delta, Observation
from runtype_exporter.objectives import Objective, Objectives, record_verdict, start_verdict

SUCCEED = Objective(name="succeed", type="success")
FAST = Objective(name="fast", type="latency", threshold=60.0)
ON_TIME = Objective(name="on-time", type="freshness", max_delay=900.0)
ALL = Objectives([SUCCEED, FAST, ON_TIME])
FLOW = ("acme", "nightly", "enrich")


def judged(objectives: Objectives, delta: Delta) -> dict[tuple[str, ...], float]:
    """Return the events by objective, schedule and verdict."""
    events = objectives.events(delta)
    assert {name for name, _ in events} <= {"runtype_slo_events_total"}
    assert {labels[1] for _, labels in events} <= {"acme"}
    return {
        (slo, schedule, result): step for (_, (slo, _, schedule, result)), step in events.items()
    }


def finished(schedule: str = "nightly", **outcomes: float) -> Delta:
    flow = ("acme", schedule, "enrich")
    return Delta(
        increments={
            ("runtype_records_finished_total", (*flow, name)): step
            for name, step in outcomes.items()
        }
    )


def latencies(outcome: str, *seconds: float) -> Delta:
    observations = [Observation(value, 0.0) for value in seconds]
    return Delta(observations={("runtype_record_latency_seconds", (*FLOW, outcome)): observations})


def started(**results: float) -> Delta:
    return Delta(
        increments={
            ("runtype_schedule_starts_total", ("acme", "nightly", name)): step
            for name, step in results.items()
        }
    )


def test_verdicts_of_a_success_objective():
    delta = finished(success=5, failure=2, cancelled=7, unknown=1)
    assert {("succeed", "nightly", "good"): 5, ("succeed", "nightly", "bad"): 3} == judged(
        Objectives([SUCCEED]), delta
    )


VERDICTS = {"success": "good", "failure": "bad", "cancelled": None, "unknown": "bad"}
START_VERDICTS = {"on_time": "good", "late": "bad", "missed": "bad", "failed": "bad"}


def test_every_outcome_and_every_start_has_a_verdict():
    """A new one needs a decision, and a place in the table of docs/slo.md."""
    assert {outcome: record_verdict(outcome) for outcome in OUTCOMES} == VERDICTS
    assert {result: start_verdict(result) for result in START_RESULTS} == START_VERDICTS


@pytest.mark.parametrize(
    "delta", [finished(odd=1), started(odd=1)], ids=["of a record", "of a start"]
)
def test_a_word_without_a_verdict_is_an_error_and_no_silence(delta):
    with pytest.raises(KeyError, match="odd"):
        ALL.events(delta)


def test_an_abandoned_record_is_bad():
    delta = Delta(increments={("runtype_records_abandoned_total", FLOW): 4})
    assert {("succeed", "nightly", "good"): 0, ("succeed", "nightly", "bad"): 4} == judged(
        ALL, delta
    )


def test_a_success_is_fast_up_to_and_at_the_threshold():
    delta = latencies("success", 1.0, 60.0, 60.1, 3600.0, 0.0)
    assert {("fast", "nightly", "good"): 3, ("fast", "nightly", "bad"): 2} == judged(ALL, delta)


def test_the_latency_of_anything_but_a_success_is_no_event():
    assert {} == judged(ALL, latencies("failure", 1.0))


def test_a_start_is_good_on_time_alone():
    delta = started(on_time=6, late=1, missed=2, failed=4)
    assert {("on-time", "nightly", "good"): 6, ("on-time", "nightly", "bad"): 7} == judged(
        ALL, delta
    )


def test_an_increment_of_zero_creates_the_event_series():
    empty = Delta(
        increments={**finished(success=0).increments, **started(late=0).increments},
        observations=latencies("success").observations,
    )
    zeros = {
        (slo, "nightly", verdict): 0.0
        for slo in ("succeed", "fast", "on-time")
        for verdict in ("good", "bad")
    }
    assert zeros == judged(ALL, empty)


def test_other_metrics_are_no_events():
    delta = Delta(
        increments={("runtype_batches_finished_total", (*FLOW, "failure")): 1},
        observations={
            ("runtype_batch_duration_seconds", (*FLOW, "success")): [Observation(1.0, 0.0)]
        },
    )
    assert {} == judged(ALL, delta)


@pytest.mark.parametrize(
    ("glob", "schedule", "matched"),
    [
        ("*", "nightly", True),
        ("*", "", False),
        ("", "", True),
        ("", "nightly", False),
        ("night*", "nightly", True),
        ("Night*", "nightly", False),
        ("day*", "nightly", False),
        ("?", "", False),
    ],
)
def test_schedule_globs(glob, schedule, matched):
    objectives = Objectives([Objective(name="a", type="success", schedule=glob)])
    assert matched is bool(judged(objectives, finished(schedule, success=1)))


def test_overlapping_objectives_count_each_event():
    objectives = Objectives([SUCCEED, Objective(name="nights", type="success", schedule="night*")])
    expected = {("succeed", "nightly", "good"): 1, ("nights", "nightly", "good"): 1}
    assert expected == {
        key: step for key, step in judged(objectives, finished(success=1)).items() if step
    }


def test_flows_of_one_schedule_are_pooled():
    flows = ("enrich", "score")
    delta = Delta(
        increments={
            ("runtype_records_finished_total", ("acme", "nightly", flow, "success")): 2
            for flow in flows
        },
        observations={
            ("runtype_record_latency_seconds", ("acme", "nightly", flow, "success")): [
                Observation(1.0, 0.0)
            ]
            for flow in flows
        },
    )
    expected = {("succeed", "nightly", "good"): 4, ("fast", "nightly", "good"): 2}
    assert expected == {key: step for key, step in judged(ALL, delta).items() if step}


def test_without_objectives_nothing_is_an_event():
    assert {} == judged(Objectives(), finished(success=1))


def test_the_smallest_delay_of_matching_objectives_applies():
    objectives = Objectives(
        [
            ON_TIME,
            Objective(name="strict", type="freshness", schedule="night*", max_delay=60.0),
            Objective(name="other", type="freshness", schedule="day*", max_delay=1.0),
            SUCCEED,
        ]
    )
    assert (60.0, 900.0) == (objectives.max_delay("nightly"), objectives.max_delay("hourly"))
    assert Objectives([SUCCEED]).max_delay("nightly") is None
