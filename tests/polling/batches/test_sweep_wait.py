"""Why a batch is not being swept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.limits import DAY, HOUR
from runtype_exporter.model import Batch, BatchRef, Probe, SweepSnapshot, SweepTally
from runtype_exporter.polling.batches.sweep_wait import (
    SweepWait,
    quiet_interval,
    why_not_swept,
)

T = 1_800_000_000.0
SETTLE_TIME = HOUR / 2
RUNNING, DONE = Probe("running", 10, 3, 0), Probe("completed", 10, 10, 0)
CLEAN = Batch(
    ref=BatchRef("acme", "b1"),
    first_seen=T,
    changed=T,
    probes={"run": RUNNING},
    probes_at_last_sweep={"run": RUNNING},
)
DIRTY = replace(CLEAN, probes={"run": DONE})
PAUSED = replace(
    CLEAN,
    ended=T,
    snapshot=SweepSnapshot(T, 2, SweepTally(distinct=2, unfinished=1, paused=1)),
)


def wait(batch: Batch, now: float = T, **conditions: bool) -> SweepWait | None:
    return why_not_swept(batch, now=now, settle_time=SETTLE_TIME, **conditions)


@pytest.mark.parametrize(
    ("batch", "conditions", "expected"),
    [
        (DIRTY, {}, None),
        (replace(DIRTY, ended=T), {}, None),
        (replace(CLEAN, probes_at_last_sweep=None), {}, None),
        (CLEAN, {}, SweepWait.UNCHANGED),
        (replace(CLEAN, ended=T), {}, SweepWait.SETTLING),
        (replace(DIRTY, closed=T), {"collector_on": False}, SweepWait.CLOSED),
        (replace(DIRTY, claims_left=1), {"collector_on": False}, SweepWait.UNCLAIMED),
        (DIRTY, {"schedule_unknown": True, "collector_on": False}, SweepWait.SCHEDULE_UNKNOWN),
        (DIRTY, {"collector_on": False, "backing_off": True}, SweepWait.COLLECTOR_OFF),
        (DIRTY, {"backing_off": True}, SweepWait.BACKING_OFF),
    ],
)
def test_a_batch_is_swept_unless_something_holds_it(batch, conditions, expected):
    assert expected is wait(batch, **conditions)


@pytest.mark.parametrize(
    ("batch", "after", "before"),
    [
        (replace(CLEAN, ended=T), SETTLE_TIME, SweepWait.SETTLING),
        (CLEAN, 7 * DAY, SweepWait.UNCHANGED),
        (replace(CLEAN, run_ended_since=T), SETTLE_TIME, SweepWait.UNCHANGED),
    ],
)
def test_a_deadline_asks_for_a_last_sweep_of_an_unchanged_batch(batch, after, before):
    assert before is wait(batch, T + after - 1)
    assert wait(batch, T + after) is None
    assert before is wait(batch, 0.0), "API time is not certain"


def test_a_batch_with_paused_rows_is_swept_ever_less_often_after_it_ended():
    assert wait(PAUSED, T + HOUR - 1) is SweepWait.PAUSED
    assert wait(PAUSED, T + HOUR) is None
    swept = replace(PAUSED, snapshot=replace(PAUSED.snapshot, at=T + 10 * DAY))
    assert wait(swept, T + 11 * DAY) is SweepWait.PAUSED
    assert wait(swept, T + 11.2 * DAY) is None
    assert wait(swept, T + 30 * DAY) is None
    ahead = replace(PAUSED, snapshot=replace(PAUSED.snapshot, at=T + DAY))
    assert wait(ahead, T + HOUR) is None, "the clock was ahead"


def test_without_a_snapshot_of_paused_rows_the_settle_time_decides():
    none = replace(PAUSED, snapshot=None)
    assert wait(none, T + HOUR) is None


@pytest.mark.parametrize(
    ("age", "interval"),
    [(-5.0, 0.0), (0.0, 0.0), (3600.0, 150.0), (86400.0, 3600.0), (1e9, 3600.0)],
)
def test_the_interval_of_a_batch_grows_with_the_time_since_its_last_change(age, interval):
    assert quiet_interval(age) == interval
