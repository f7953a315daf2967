"""How batches end, and what their ends count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtype_exporter.limits import DAY
from runtype_exporter.model import (
    Batch,
    BatchRef,
    Delta,
    Labels,
    Probe,
    SweepSnapshot,
    SweepTally,
)
from runtype_exporter.polling.batches import ends
from runtype_exporter.polling.batches.ends import End
from runtype_exporter.polling.status_words import StatusWords
from tests.support import counted

T = 1_800_000_000.0
SETTLE_TIME = 600.0
NOW = T + 5000.0
STATUSES = StatusWords()
FLOW = ("acme", "nightly", "flow")
FINAL = {"run": Probe("completed", 3, 3, 0)}
RUNNING = {"run": Probe("running", 3, 1, 0)}
CANCELLED = {"run": Probe("cancelled", 3, 1, 0)}
BATCH = Batch(
    ref=BatchRef("acme", "b1"),
    first_seen=T,
    changed=T,
    labels=Labels("nightly", "flow"),
    probes=FINAL,
    ended=T,
)
SWEEP = replace(
    counted.SWEEP,
    offset=3,
    tally=SweepTally(distinct=3),
    total=3,
    pages=1,
    probes_at_start=FINAL,
    began=T,
)
TWO_OF_THREE = SweepTally(distinct=2)
SETTLED = T + SETTLE_TIME


def end_of(batch: Batch, *, now: float = NOW, counted: bool = True, **changes: Any) -> End | None:
    return ends.end_after_sweep(
        batch,
        replace(SWEEP, **changes),
        STATUSES,
        counted=counted,
        settle_time=SETTLE_TIME,
        now=now,
    )


# --- after a sweep ---
@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({}, End("success")),
        ({"probes_at_start": RUNNING}, None),
        ({"full": False}, None),
        ({"tally": SweepTally(distinct=3, unfinished=1)}, None),
        ({"tally": TWO_OF_THREE}, None),
        ({"tally": TWO_OF_THREE, "total": 2}, None),
        ({"total": 4}, None),
        ({"total": 2**53}, End("success")),
        ({"tally": TWO_OF_THREE, "began": SETTLED - 1}, None),
        ({"tally": TWO_OF_THREE, "began": SETTLED}, End("success", abandoned=1)),
        (
            {"tally": SweepTally(distinct=2, unfinished=1), "total": 5, "began": SETTLED},
            End("success", abandoned=4),
        ),
        ({"tally": TWO_OF_THREE, "began": SETTLED, "full": False}, None),
        ({"tally": TWO_OF_THREE, "began": NOW + 1}, None),
    ],
)
def test_only_a_full_sweep_begun_after_the_end_or_the_settle_time_ends_a_batch(changes, end):
    assert end == end_of(BATCH, **changes)


def test_while_api_time_is_not_certain_only_a_complete_sweep_ends_a_batch():
    assert end_of(BATCH, now=0.0) == End("success")
    assert end_of(BATCH, now=0.0, tally=TWO_OF_THREE, began=SETTLED) is None


def test_a_sweep_that_shows_only_some_rows_waits_for_none():
    some = {"tally": SweepTally(distinct=1, unfinished=1), "counted": False}
    assert end_of(BATCH, **some) == End("success")
    assert end_of(BATCH, **some, probes_at_start=RUNNING) is None
    assert end_of(BATCH, **some, full=False) is None


def test_a_batch_without_a_total_and_without_rows_waits_for_the_settle_time():
    batch = replace(BATCH, probes={"run": Probe("completed", None, None, None)})
    empty = {"tally": SweepTally(), "total": 0, "probes_at_start": batch.probes}
    assert end_of(batch, **empty) is None
    assert end_of(batch, **empty, began=SETTLED) == End("success")
    counted = {**empty, "probes_at_start": {"run": Probe("completed", 0, 0, 0)}}
    assert end_of(replace(batch, probes=counted["probes_at_start"]), **counted) == End("success")


def test_a_total_that_is_not_believed_abandons_nothing():
    huge = {"run": Probe("completed", 2**53, 3, 0)}
    batch = replace(BATCH, probes=huge)
    assert end_of(batch, probes_at_start=huge, total=2**53) == End("success")
    assert end_of(batch, probes_at_start=huge, total=0, tally=SweepTally(), began=SETTLED) == End(
        "success"
    )


def test_records_of_a_cancelled_batch_that_never_ran_were_cancelled():
    batch = replace(BATCH, probes=CANCELLED)
    changes = {"probes_at_start": CANCELLED, "tally": SweepTally(distinct=2, unfinished=1)}
    assert end_of(batch, **changes) is None
    assert end_of(batch, **changes, began=SETTLED) == End("cancelled", cancelled=2)


PAUSED = SweepTally(distinct=3, unfinished=1, paused=1)


def test_paused_rows_keep_a_batch_open_while_the_api_shows_it():
    assert end_of(BATCH, tally=PAUSED, began=SETTLED) is None
    denied = replace(BATCH, missing_since=T)
    assert end_of(denied, tally=PAUSED, began=SETTLED) == End("success", abandoned=1)
    cancelled = replace(BATCH, probes=CANCELLED)
    assert end_of(cancelled, tally=PAUSED, probes_at_start=CANCELLED, began=SETTLED) == End(
        "cancelled", cancelled=1
    )


def test_an_overdue_batch_is_stale_after_one_more_sweep():
    batch = replace(BATCH, probes=RUNNING, ended=None)
    last = {"tally": SweepTally(distinct=2, unfinished=1), "full": False}
    week = T + 7 * DAY
    assert end_of(batch, **last, began=week - 1, now=week) is None
    assert end_of(batch, **last, began=week, now=week) == End("stale", uncounted=2)
    assert end_of(batch, **last, began=week, now=0.0) is None
    assert end_of(batch, **last, began=week + 1, now=week) is None
    paused = replace(BATCH, snapshot=SweepSnapshot(T, 3, PAUSED))
    assert end_of(paused, tally=PAUSED, began=week, now=week) is None
    month = T + 30 * DAY
    assert end_of(paused, tally=PAUSED, began=month, now=month) == End("stale", uncounted=1)


# --- given up ---
def test_what_was_not_read_of_a_batch_that_is_given_up_is_uncounted():
    swept = replace(
        BATCH, snapshot=SweepSnapshot(T, 7, SweepTally(distinct=4, unfinished=1)), probes=FINAL
    )
    assert ends.forced_end(BATCH, "lost") == End("lost", uncounted=3)
    assert ends.forced_end(swept, "lost") == End("lost", uncounted=4)
    assert ends.forced_end(swept, "lost", counted=False) == End("lost")
    sweep = replace(SWEEP, total=9, tally=SweepTally(distinct=6))
    assert ends.forced_end(replace(swept, sweep=sweep), "unreadable") == End(
        "unreadable", uncounted=3
    )
    unknown = replace(BATCH, probes={}, snapshot=SweepSnapshot(T, 2**53, SweepTally(distinct=4)))
    assert ends.forced_end(unknown, "stale") == End("stale")


@pytest.mark.parametrize("run", ["", "run_1"])
def test_a_forced_end_counts_neither_a_finished_batch_nor_an_abandoned_record(run):
    closed, delta = ends.close(replace(BATCH, run=run), End("stale", uncounted=4), NOW)
    assert (closed.closed, closed.outcome, closed.given_up) == (NOW, "stale", True)
    assert delta == Delta(
        increments={
            ("runtype_records_abandoned_total", FLOW): 0.0,
            ("runtype_uncounted_records_total", FLOW): 4.0,
            ("runtype_batches_given_up_total", ("acme", "stale")): 1.0,
        }
    )


# --- closed ---
def test_closing_counts_the_batch_its_duration_and_what_was_abandoned():
    batch = replace(BATCH, started=10.0, completed=70.0)
    closed, delta = ends.close(batch, End("success", abandoned=2), 100.0)
    assert (closed.closed, closed.outcome) == (100.0, "success")
    assert delta.increments == {
        ("runtype_batches_finished_total", (*FLOW, "success")): 1.0,
        ("runtype_batches_finished_total", (*FLOW, "failure")): 0.0,
        ("runtype_batch_late_changes_total", FLOW): 0.0,
        ("runtype_records_abandoned_total", FLOW): 2.0,
        ("runtype_uncounted_records_total", FLOW): 0.0,
    }
    assert [
        o.value for o in delta.observations["runtype_batch_duration_seconds", (*FLOW, "success")]
    ] == [60.0]


def test_closing_a_cancelled_batch_counts_its_records_as_cancelled():
    _, delta = ends.close(BATCH, End("cancelled", cancelled=9), 100.0)
    assert delta.increments["runtype_records_finished_total", (*FLOW, "cancelled")] == 9.0
    assert delta.increments["runtype_records_abandoned_total", FLOW] == 0.0


def test_the_results_of_a_run_are_not_counted_as_a_batch():
    _, delta = ends.close(replace(BATCH, run="run_1"), End("success", abandoned=1), 100.0)
    assert delta == Delta(
        increments={
            ("runtype_records_abandoned_total", FLOW): 1.0,
            ("runtype_uncounted_records_total", FLOW): 0.0,
        }
    )


@pytest.mark.parametrize(
    "times", [{"started": 10.0}, {"completed": 10.0}, {"started": 20.0, "completed": 10.0}]
)
def test_a_batch_without_two_good_times_has_no_duration(times):
    _, delta = ends.close(replace(BATCH, **times), End("failure"), 100.0)
    assert [o for observed in delta.observations.values() for o in observed] == []


@pytest.mark.parametrize("end", [End("success", abandoned=3), End("lost", uncounted=3)])
def test_a_batch_that_ended_before_its_guard_is_remembered_not_counted(end):
    closed, delta = ends.close(replace(BATCH, count_from=50.0, completed=49.0), end, 100.0)
    assert closed.closed == 100.0
    assert Delta() == delta
    _, counted = ends.close(replace(BATCH, count_from=50.0, completed=50.0), end, 100.0)
    assert Delta() != counted
    _, undated = ends.close(replace(BATCH, count_from=50.0), end, 100.0)
    assert Delta() != undated


def test_a_batch_without_labels_cannot_close():
    with pytest.raises(ValueError, match="labels freeze before"):
        ends.close(replace(BATCH, labels=None), End("success"), 1.0)
