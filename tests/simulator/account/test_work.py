from math import inf

import pytest

from runtype_exporter.simulator.account.work import (
    CancelledPlan,
    Place,
    RecordCounts,
    ScriptedPlan,
    Work,
    state,
)
from runtype_exporter.simulator.settings import RecordAttempt, RecordPlan

# The first fails and is retried well; the second is cancelled; the third is stuck; the fourth
# appears late.
SCRIPT = ScriptedPlan(
    100.0,
    [
        RecordPlan(0, 1, 5, "failure", retries=(RecordAttempt(8, 9, 12, "success"),)),
        RecordPlan(0, 2, 6, "cancelled"),
        RecordPlan(0, 3, inf),
        RecordPlan(7, 8, 10),
    ],
)


@pytest.fixture
def work() -> Work:
    return SCRIPT.work()


def test_an_attempt_is_pending_then_running_then_final():
    attempt = RecordAttempt(0, 1, 2, "failure")
    assert [state(attempt, now) for now in (0.5, 1, 2, 9)] == [
        "pending",
        "running",
        "failure",
        "failure",
    ]


def test_rows_appear_as_their_attempts_are_created_oldest_first(work):
    assert work.rows(99.0, replaced=False) == []
    assert [Place(0, 0), Place(1, 0), Place(2, 0)] == work.rows(100.0, replaced=False)
    assert [Place(0, 0), Place(1, 0), Place(2, 0), Place(3, 0), Place(0, 1)] == work.rows(
        108.0, replaced=False
    )
    assert [Place(1, 0), Place(2, 0)] == work.rows(108.0, 1, 3, replaced=False)


def test_a_retry_takes_the_place_of_its_record_where_rows_are_replaced(work):
    assert [Place(0, 0), Place(1, 0), Place(2, 0), Place(3, 0)] == work.rows(107.9, replaced=True)
    assert [Place(0, 1), Place(1, 0), Place(2, 0), Place(3, 0)] == work.rows(108.0, replaced=True)


def test_each_attempt_that_ended_counts_once(work):
    assert work.ended(104.9) == {}
    assert work.ended(106.0) == {"failure": 1, "cancelled": 1}
    assert {"failure": 1, "cancelled": 1, "success": 2} == work.ended(inf) == work.final


def test_what_a_retry_replaced_is_not_shown(work):
    assert work.shown(107.9) == {"failure": 1, "cancelled": 1}
    assert work.shown(108.0) == {"cancelled": 1}
    assert work.shown(112.0) == {"cancelled": 1, "success": 2}


def test_counts_speak_of_records_and_their_last_end(work):
    expected = [
        RecordCounts(0, 0),
        RecordCounts(1, 1),
        RecordCounts(2, 1),
        RecordCounts(3, 1),
        RecordCounts(3, 0),
    ]
    assert expected == [work.counts(now) for now in (104.0, 105.0, 106.0, 110.0, 112.0)]


def test_counts_move_in_groups(work):
    expected = [
        RecordCounts(0, 0),
        RecordCounts(0, 0),
        RecordCounts(2, 1),
        RecordCounts(2, 1),
        RecordCounts(3, 0),
    ]
    assert expected == [work.counts(now, flush=2) for now in (104.0, 105.0, 106.0, 110.0, 112.0)]


def test_work_is_settled_at_its_last_end_whatever_is_stuck(work):
    assert work.settled == 112.0
    assert work.stuck
    assert not Work([(RecordAttempt(0, 1, 2),)]).stuck
    assert -inf == Work([]).settled


@pytest.mark.parametrize(
    ("rest", "rows", "ended"),
    [
        ("cancelled", [0, 1, 2, 3], {"success": 1, "cancelled": 3}),
        ("pending", [0, 1, 2, 3], {"success": 1, "cancelled": 1}),
        ("absent", [0, 2], {"success": 1, "cancelled": 1}),
    ],
)
def test_what_never_began_in_a_cancelled_batch_is_cancelled_pending_or_absent(rest, rows, ended):
    plan = ScriptedPlan(
        0.0,
        [RecordPlan(0, 1, 5), RecordPlan(0, 20, 25), RecordPlan(0, 8, 25), RecordPlan(0, 10, 25)],
    )
    work = CancelledPlan(plan, 10.0, rest).work()
    assert sorted(place.record for place in work.rows(1e12, replaced=False)) == rows
    assert work.ended(inf) == ended
    assert work.cancelled


def test_an_attempt_keeps_its_own_words():
    plan = ScriptedPlan(0.0, [RecordPlan(0, 1, 5, "failure", (), "paused", "interrupted")])
    assert plan.work().records == [(RecordAttempt(0, 1, 5, "failure", "paused", "interrupted"),)]
