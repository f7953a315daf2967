"""The table of deadlines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.limits import DAY, HOUR
from runtype_exporter.model import Batch, BatchRef, Probe, SweepSnapshot, SweepTally
from runtype_exporter.polling.batches.deadlines import (
    DEADLINES,
    known_rows,
    last_change,
    overdue,
)
from runtype_exporter.polling.batches.phase import Phase
from tests.support import counted

T = 1_800_000_000.0
SETTLE_TIME = HOUR / 2
RUNNING = Probe("running", 10, 3, 0)
OPEN = Batch(
    ref=BatchRef("acme", "b1"),
    first_seen=T,
    probes={"run": RUNNING},
    probes_at_last_sweep={"run": RUNNING},
)
CHANGED = replace(OPEN, changed=T)
SWEEP = replace(counted.SWEEP, tally=SweepTally(distinct=2))
PAUSED = SweepSnapshot(at=T, total=2, tally=SweepTally(distinct=2, unfinished=1, paused=1))


@pytest.mark.parametrize(
    ("name", "batch", "after"),
    [
        ("claim", replace(OPEN, claims_left=1), DAY),
        ("settle", replace(OPEN, ended=T), SETTLE_TIME),
        ("settle", replace(OPEN, ended=T, sweep=SWEEP), SETTLE_TIME),
        ("run_ended", replace(CHANGED, run_ended_since=T), SETTLE_TIME),
        ("run_ended", replace(CHANGED, run_ended_since=T - DAY), SETTLE_TIME),
        ("stale", CHANGED, 7 * DAY),
        ("stale", OPEN, 7 * DAY),
        ("stale", replace(CHANGED, ended=T), 7 * DAY),
        ("stale", replace(CHANGED, snapshot=PAUSED), 30 * DAY),
        ("reread", replace(OPEN, closed=T), DAY),
        ("reread", replace(OPEN, closed=T - DAY, reread_at=T), DAY),
        ("cost", replace(OPEN, closed=T), DAY),
    ],
)
def test_when_a_deadline_passes(name, batch, after):
    deadline = DEADLINES[name]
    assert not deadline.passed(batch, T + after - 1, SETTLE_TIME)
    assert deadline.passed(batch, T + after, SETTLE_TIME)
    assert not deadline.passed(batch, 0.0, SETTLE_TIME), "API time is not certain"


@pytest.mark.parametrize(("name", "longest"), [("lost", DAY), ("unreadable", 3 * DAY)])
def test_failed_reads_have_their_own_time(name, longest):
    field = {"lost": "missing_for", "unreadable": "unreadable_for"}[name]
    deadline = DEADLINES[name]
    assert not deadline.passed(OPEN, T, SETTLE_TIME)
    assert not deadline.passed(replace(OPEN, **{field: longest - 1}), T + 9 * DAY, SETTLE_TIME)
    assert deadline.passed(replace(OPEN, **{field: longest}), T, SETTLE_TIME)
    assert not deadline.passed(replace(OPEN, **{field: longest}), 0.0, SETTLE_TIME)
    assert not deadline.passed(replace(OPEN, **{field: longest}, closed=T), T, SETTLE_TIME)


@pytest.mark.parametrize(
    ("name", "batch"),
    [
        ("claim", OPEN),
        ("settle", OPEN),
        ("run_ended", CHANGED),
        ("run_ended", replace(CHANGED, run_ended_since=T, ended=T)),
        ("stale", replace(CHANGED, claims_left=1)),
        ("stale", replace(CHANGED, closed=T)),
        ("reread", OPEN),
        ("cost", OPEN),
    ],
)
def test_a_deadline_of_another_phase_never_passes(name, batch):
    assert not DEADLINES[name].passed(batch, T + 1000 * DAY, SETTLE_TIME)


def test_every_phase_has_a_deadline():
    covered = set[Phase]().union(*(deadline.phases for deadline in DEADLINES.values()))
    assert covered == set(Phase)


def test_a_batch_whose_run_ended_but_that_still_changes_is_at_work():
    batch = replace(OPEN, run_ended_since=T, changed=T + SETTLE_TIME)
    assert not overdue(batch, T + 2 * SETTLE_TIME - 1, SETTLE_TIME)
    assert overdue(batch, T + 2 * SETTLE_TIME, SETTLE_TIME)


def test_an_unchanged_batch_is_overdue():
    assert not overdue(CHANGED, T + 7 * DAY - 1, SETTLE_TIME)
    assert overdue(CHANGED, T + 7 * DAY, SETTLE_TIME)


def test_the_rows_of_the_sweep_that_read_more_are_known():
    assert known_rows(OPEN) == SweepTally()
    assert known_rows(replace(OPEN, snapshot=PAUSED)) == PAUSED.tally
    assert known_rows(replace(OPEN, sweep=SWEEP)) == SWEEP.tally
    more = replace(SWEEP, tally=SweepTally(distinct=3))
    assert known_rows(replace(OPEN, snapshot=PAUSED, sweep=more)) == more.tally
    assert known_rows(replace(OPEN, snapshot=PAUSED, sweep=SWEEP)) == PAUSED.tally


def test_a_batch_that_never_changed_counts_from_when_it_was_first_seen():
    assert (last_change(OPEN), last_change(replace(OPEN, changed=T + 5))) == (T, T + 5)
