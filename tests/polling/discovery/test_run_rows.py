"""What one row of the run list means for the ledger and for the totals."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runtype_exporter.model import Delta, Series
from runtype_exporter.polling.discovery.run_rows import ended_run, merge_deltas, run_of
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.runtype import RunRow

START = 1_780_272_000.0
DURATION = ("runtype_schedule_run_duration_seconds", ("acme", "nightly"))
QUEUE = ("runtype_schedule_run_queue_seconds", ("acme", "nightly"))
FINISHED = "runtype_schedule_runs_finished_total"


def at(second: float) -> str:
    return datetime.fromtimestamp(START + second, UTC).isoformat()


def row(status: str = "completed", **fields: object) -> RunRow:
    """Return the row of a run that was created in second 1."""
    known = {"id": "run", "schedule_id": "s1", "created_at": at(1)}
    return RunRow(**{**known, "status": status, **fields})


# --- the run that is stored ---
def test_a_run_that_ended_has_its_outcome_its_end_and_its_batch():
    run = run_of("acme", row("failed", completed_at=at(5), batch_execution_id="b1"), StatusWords())
    assert (run.account, run.id, run.schedule, run.batch) == ("acme", "run", "s1", "b1")
    assert (run.created, run.outcome, run.ended) == (START + 1, "failure", START + 5)


def test_a_run_that_has_not_ended_has_no_end_whatever_its_times_say():
    run = run_of("acme", row("running", completed_at=at(5)), StatusWords())
    assert (run.outcome, run.ended, run.batch) == (None, None, "")


@pytest.mark.parametrize(
    ("status", "fields", "started"),
    [
        ("queued", {}, None),
        ("queued", {"started_at": at(3)}, START + 3),
        ("running", {}, START + 1),
        ("running", {"started_at": at(3)}, START + 3),
        ("completed", {}, START + 1),
        ("running", {"created_at": None}, None),
        ("failed", {"started_at": at(3)}, None),
        ("failed", {"started_at": at(3), "agent_id": "a1"}, START + 3),
        ("failed", {"started_at": at(3), "total_records": 0}, None),
        ("failed", {"started_at": at(3), "total_records": 2}, START + 3),
        ("failed", {"agent_id": "a1"}, None),
        ("failed", {"batch_execution_id": "b1"}, START + 1),
        ("failed", {"batch_execution_id": "b1", "started_at": at(3)}, START + 3),
        ("cancelled", {"started_at": at(3)}, START + 3),
    ],
)
def test_when_the_work_of_a_run_began(status, fields, started):
    assert run_of("acme", row(status, **fields), StatusWords()).started == started


# --- what its end adds ---
def values(delta: Delta, series: Series) -> list[float]:
    return [observation.value for observation in delta.observations[series]]


def test_an_ended_run_adds_its_count_its_wait_and_its_duration():
    ended = row(started_at=at(3), completed_at=at(9))
    delta = ended_run("acme", "nightly", ended, "failure", 10.0)
    assert delta.increments == {
        (FINISHED, ("acme", "nightly", "success")): 0.0,
        (FINISHED, ("acme", "nightly", "failure")): 1.0,
    }
    assert (values(delta, DURATION), values(delta, QUEUE)) == ([6.0], [2.0])
    assert {kept.at for kept in delta.observations[DURATION]} == {10.0}


@pytest.mark.parametrize(
    ("fields", "duration", "queue"),
    [
        ({}, [], []),
        ({"started_at": at(3)}, [], [2.0]),
        ({"started_at": at(0), "completed_at": at(0)}, [0.0], []),
        ({"started_at": at(3), "completed_at": at(2)}, [], [2.0]),
        ({"completed_at": at(9)}, [], []),
        ({"created_at": None, "started_at": at(3), "completed_at": at(9)}, [6.0], []),
    ],
)
def test_times_that_are_missing_or_run_backwards_are_not_observed(fields, duration, queue):
    delta = ended_run("acme", "nightly", row(**fields), "success", 10.0)
    assert (values(delta, DURATION), values(delta, QUEUE)) == (duration, queue)


@pytest.mark.parametrize("outcome", ["success", "failure", "cancelled", "unknown"])
def test_each_outcome_is_counted_as_its_own(outcome):
    delta = ended_run("acme", "nightly", row(), outcome, 10.0)
    assert {labels[2] for (_, labels), step in delta.increments.items() if step} == {outcome}


def test_an_unfinished_run_makes_its_series_exist():
    delta = ended_run("acme", "nightly", row("running", started_at=at(3)), None, 10.0)
    assert set(delta.increments.values()) == {0.0}
    assert (values(delta, DURATION), values(delta, QUEUE)) == ([], [])


def test_several_additions_are_added_and_none_of_them_changes():
    first = ended_run("acme", "nightly", row(started_at=at(3), completed_at=at(9)), "success", 10.0)
    other = ended_run("acme", "weekly", row(), "success", 10.0)
    both = merge_deltas([first, first, other])
    assert both.increments[FINISHED, ("acme", "nightly", "success")] == 2.0
    assert both.increments[FINISHED, ("acme", "weekly", "success")] == 1.0
    assert values(both, DURATION) == [6.0, 6.0]
    assert values(first, DURATION) == [6.0]
    assert merge_deltas([]) == Delta()
