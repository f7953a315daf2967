"""The closer: what a sweep, a failed read and a deadline make of a batch."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from runtype_exporter.config import ConfiguredBatch
from runtype_exporter.limits import DAY, HOUR
from runtype_exporter.model import Batch, BatchRef, Labels, Probe, Sweep, SweepTally
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.reopening import ReopenRefused
from runtype_exporter.polling.batches.sweep_wait import SweepWait
from runtype_exporter.polling.failures import Reach
from runtype_exporter.polling.sweeps.sweep import begin, finish
from runtype_exporter.runtype import ApiError, NotFound, ServerError
from tests.support.closer import RETENTION, ClosingRig, SetTime, failed

T = SetTime().at
FLOW = ("nightly", "enrich")
FINISHED = "runtype_batches_finished_total"
GIVEN_UP = "runtype_batches_given_up_total"
ABANDONED = "runtype_records_abandoned_total"
UNCOUNTED = "runtype_uncounted_records_total"
COST = "runtype_cost_dollars_total"
DONE, RUNNING = Probe("completed", 3, 3, 0), Probe("running", 3, 1, 0)
OPEN = Batch(ref=BatchRef("acme", "b1"), first_seen=T, changed=T, probes={"run": RUNNING})
ENDED = replace(OPEN, probes={"run": DONE}, ended=T)
SWEPT = replace(OPEN, probes_at_last_sweep=OPEN.probes)
DENIED = NotFound("results", "no such batch", code="404")
BROKEN = ServerError("results", "broken", code="500")


def sweep(
    rig: ClosingRig,
    *,
    count: bool = True,
    full: bool = True,
    began: float | None = None,
    **rows: Any,
) -> Batch:
    """Sweep the batch of a rig to the end."""
    batch = begin(rig.batch(), rig.time.at if began is None else began, full=full, is_retry=True)
    rig.ledger.save(replace(batch, labels=Labels("nightly", "enrich")))
    total = rows.pop("total", 3)
    swept = replace(rig.batch(), sweep=replace(batch.sweep, total=total, tally=SweepTally(**rows)))
    present: Sweep = swept.sweep  # type: ignore[assignment]
    return rig.closer.after_sweep(finish(swept, rig.time.at), present, count=count)


# --- after a sweep ---
def test_a_complete_sweep_of_an_ended_batch_closes_it_and_its_cost_is_due():
    rig = ClosingRig((lifecycle.missing(ENDED, T, 5.0),))
    closed = sweep(rig, distinct=3)
    assert (closed.closed, closed.outcome, closed.cost_due) == (T, "success", True)
    assert rig.batch() == closed
    assert rig.ledger.counted(FINISHED) == {(*FLOW, "success"): 1.0}
    assert ("runtype_cost_dollars_total", ("acme", *FLOW)) in rig.ledger.totals
    assert ("results", "b1") in rig.collectors.forgotten


def test_where_costs_cannot_be_read_none_is_due():
    rig = ClosingRig((ENDED,))
    rig.collectors.off.add("cost")
    assert not sweep(rig, distinct=3).cost_due
    assert (COST, ("acme", *FLOW)) not in rig.ledger.totals


def test_an_incomplete_sweep_waits_for_the_settle_time_and_then_abandons():
    rig = ClosingRig((replace(ENDED, missing_since=T),))
    assert sweep(rig, distinct=2).closed is None
    assert rig.batch().missing_since is None
    assert rig.closer.why_not_swept(rig.batch()) is SweepWait.SETTLING
    rig.time.at = T + HOUR / 2
    assert rig.closer.why_not_swept(rig.batch()) is None
    closed = sweep(rig, distinct=2)
    assert closed.snapshot is not None
    assert (closed.closed, closed.snapshot.total, closed.snapshot.tally.distinct) == (
        rig.time.at,
        3,
        2,
    )
    assert rig.ledger.counted(ABANDONED) == {FLOW: 1.0}


def test_nothing_is_abandoned_while_api_time_is_not_certain():
    rig = ClosingRig((ENDED,))
    rig.time.at, rig.time.certain = T + DAY, False
    assert sweep(rig, distinct=2).closed is None
    assert rig.closer.why_not_swept(rig.batch()) is SweepWait.SETTLING
    assert sweep(rig, distinct=3).outcome == "success"


def test_an_ended_batch_with_paused_rows_shows_them_and_stays_open():
    rig = ClosingRig((ENDED,))
    rig.time.at = T + HOUR
    after = sweep(rig, distinct=2, unfinished=1, paused=1)
    assert after.closed is None
    assert after.snapshot is not None
    assert after.snapshot.tally.paused == 1
    assert rig.closer.why_not_swept(after) is SweepWait.PAUSED


def test_a_batch_that_is_not_counted_closes_without_a_trace():
    rig = ClosingRig((ENDED,))
    closed = sweep(rig, count=False, distinct=1, total=1)
    assert (closed.outcome, closed.cost_due) == ("success", False)
    assert rig.ledger.totals == {}


@pytest.mark.parametrize(("count", "uncounted"), [(True, {FLOW: 1.0}), (False, {})])
def test_an_overdue_batch_is_stale_after_its_last_sweep(count, uncounted, logs):
    rig = ClosingRig((SWEPT,))
    sweep(rig, distinct=2)
    assert rig.closer.why_not_swept(rig.batch()) is SweepWait.UNCHANGED
    rig.time.at = T + 7 * DAY
    assert rig.closer.enforce_deadlines() == []
    assert rig.closer.why_not_swept(rig.batch()) is None
    closed = sweep(rig, count=count, distinct=2)
    assert (closed.outcome, closed.cost_due) == ("stale", False)
    assert rig.ledger.counted(GIVEN_UP) == {("stale",): 1.0}
    assert rig.ledger.counted(UNCOUNTED) == uncounted
    assert rig.ledger.counted(ABANDONED) == rig.ledger.counted(FINISHED) == {}
    assert [entry["status"] for entry in logs if entry["event"] == "batch given up"] == [
        "unfinished"
    ]


def test_a_last_sweep_that_shows_a_change_puts_the_deadline_off():
    rig = ClosingRig((SWEPT,))
    sweep(rig, distinct=2)
    rig.time.at = T + 7 * DAY
    after = sweep(rig, distinct=3)
    assert (after.closed, after.changed) == (None, rig.time.at)


# --- reads that fail ---
def fail(rig: ClosingRig, error: ApiError, times: int, **evidence: Any) -> Batch | None:
    """Let reads of the batch fail, one in an hour. Return the batch after the last one."""
    batch = None
    for tries in range(1, times + 1):
        elapsed = HOUR if tries > 1 else 0.0
        rig.time.at += elapsed
        failure = failed(error, tries=tries, elapsed=elapsed, **evidence)
        batch = rig.closer.record_failure(failure)
    return batch


def test_a_batch_is_lost_after_a_day_of_404(logs):
    rig = ClosingRig((OPEN,))
    assert fail(rig, DENIED, 24).closed is None
    assert rig.closer.missing == {"b1"}
    rig = ClosingRig((OPEN,))
    assert fail(rig, DENIED, 25).outcome == "lost"
    assert rig.closer.missing == set()
    assert rig.ledger.counted(GIVEN_UP) == {("lost",): 1.0}
    assert rig.ledger.counted(UNCOUNTED) == {FLOW: 3.0}
    levels = [entry["log_level"] for entry in logs if entry["event"] == "batch cannot be read"]
    assert levels[:2] == ["warning", "info"]


def test_a_batch_is_unreadable_after_three_days_and_ten_tries_of_this_process():
    rig = ClosingRig((OPEN,))
    assert fail(rig, BROKEN, 72).closed is None
    assert fail(rig, BROKEN, 9).closed is None, "another process has begun"
    assert fail(rig, BROKEN, 10).outcome == "unreadable"
    assert rig.ledger.counted(GIVEN_UP) == {("unreadable",): 1.0}


def test_the_time_in_which_status_and_results_are_denied_counts_once():
    rig = ClosingRig((OPEN,))
    fail(rig, DENIED, 1)
    fail(rig, DENIED, 1, collector="status")
    rig.time.at += HOUR
    rig.closer.record_failure(failed(DENIED, tries=2, elapsed=HOUR))
    rig.time.at += 60.0
    after = rig.closer.record_failure(
        failed(DENIED, collector="status", tries=2, elapsed=HOUR + 60.0)
    )
    assert after is not None
    assert after.missing_for == HOUR + 60.0


@pytest.mark.parametrize("error", [DENIED, BROKEN])
def test_while_nothing_else_is_answered_no_time_passes_for_a_batch(error):
    rig = ClosingRig((OPEN,))
    batch = fail(rig, error, 120, answered=False)
    assert batch is not None
    assert (batch.closed, batch.missing_for, batch.unreadable_for) == (None, 0.0, 0.0)


def test_a_failure_of_the_account_says_nothing_about_a_batch(logs):
    rig = ClosingRig((OPEN,))
    assert fail(rig, DENIED, 100, reach=Reach.ACCOUNT) == OPEN
    assert logs == []


def test_while_api_time_is_not_certain_nothing_is_given_up():
    rig = ClosingRig((OPEN,))
    rig.time.certain = False
    assert fail(rig, DENIED, 100).closed is None
    assert rig.closer.enforce_deadlines() == []
    rig.time.certain = True
    rig.time.at += HOUR
    assert rig.closer.record_failure(failed(DENIED, elapsed=HOUR)).outcome == "lost"


def test_a_closed_or_dropped_batch_cannot_fail():
    rig = ClosingRig((replace(OPEN, closed=T, outcome="success"),))
    assert rig.closer.record_failure(failed(DENIED)) is None
    assert rig.closer.record_failure(failed(DENIED, "b2")) is None


def test_an_overdue_batch_whose_last_sweep_fails_is_stale():
    rig = ClosingRig((SWEPT,))
    rig.time.at = T + 7 * DAY
    assert rig.closer.record_failure(failed(BROKEN, collector="status")).closed is None
    assert rig.closer.enforce_deadlines() == []
    assert rig.closer.record_failure(failed(BROKEN)).outcome == "stale"


def test_an_overdue_batch_that_could_not_be_read_before_is_stale_in_the_next_cycle():
    rig = ClosingRig((SWEPT,))
    rig.closer.record_failure(failed(BROKEN))
    assert rig.closer.enforce_deadlines() == []
    rig.time.at = T + 7 * DAY
    assert [batch.outcome for batch in rig.closer.enforce_deadlines()] == ["stale"]


def test_nothing_is_given_up_while_the_account_does_not_answer_nor_before_a_new_try():
    rig = ClosingRig((SWEPT,))
    rig.closer.record_failure(failed(BROKEN))
    rig.time.at, rig.collectors.up = T + 7 * DAY, False
    assert rig.closer.enforce_deadlines() == []
    rig.collectors.up = True
    assert rig.closer.enforce_deadlines() == []
    assert rig.closer.why_not_swept(rig.batch()) is None
    assert rig.closer.record_failure(failed(BROKEN)).outcome == "stale"


def test_an_overdue_batch_whose_results_may_not_be_read_is_stale():
    rig = ClosingRig((SWEPT,))
    rig.collectors.off.add("results")
    assert rig.closer.why_not_swept(rig.batch()) is SweepWait.COLLECTOR_OFF
    rig.time.at = T + 7 * DAY
    assert [batch.outcome for batch in rig.closer.enforce_deadlines()] == ["stale"]


def test_a_batch_with_a_status_filter_that_is_given_up_lacks_no_records():
    filtered = replace(OPEN, probes={"status": RUNNING})
    rig = ClosingRig((filtered,), configured=(ConfiguredBatch(id="b1", status="failed"),))
    assert fail(rig, DENIED, 25).outcome == "lost"
    assert rig.ledger.counted(UNCOUNTED) == {}
    assert rig.ledger.counted(GIVEN_UP) == {("lost",): 1.0}


# --- batches that were never found ---
UNKNOWN = Batch(ref=BatchRef("acme", "b1"), first_seen=T)


def test_a_configured_batch_that_was_never_found_is_waited_for():
    rig = ClosingRig((UNKNOWN,), configured=(ConfiguredBatch(id="b1"),))
    batch = fail(rig, DENIED, 24 * 40)
    assert batch == replace(UNKNOWN, missing_since=T)
    assert rig.closer.missing == {"b1"}
    assert rig.closer.enforce_deadlines() == []
    rig.closer.drop_never_found()
    assert rig.batch() == batch


def test_a_batch_that_was_never_found_is_dropped_when_no_longer_configured(logs):
    rig = ClosingRig((replace(UNKNOWN, missing_since=T),))
    rig.closer.missing.add("b1")
    rig.closer.drop_never_found()
    assert (rig.ledger.stored, rig.closer.missing) == ({}, set())
    assert [entry["batch"] for entry in logs] == ["b1"]


def test_a_batch_that_was_found_is_not_dropped():
    rig = ClosingRig((replace(OPEN, missing_since=T),))
    rig.closer.drop_never_found()
    assert rig.batch().missing_since == T


# --- deadlines ---
def test_a_batch_that_no_run_claims_is_ad_hoc_after_a_day():
    rig = ClosingRig((replace(OPEN, claims_left=2),))
    assert rig.closer.why_not_swept(rig.batch()) is SweepWait.UNCLAIMED
    rig.time.at = T + DAY - 1
    assert rig.closer.enforce_deadlines() == []
    rig.time.at = T + DAY
    assert rig.closer.enforce_deadlines() == [OPEN]
    assert rig.batch() == OPEN


def test_moments_that_a_wrong_clock_left_in_the_future_are_put_right():
    rig = ClosingRig((replace(SWEPT, changed=T + 1000 * DAY),))
    assert [batch.changed for batch in rig.closer.enforce_deadlines()] == [T]


def test_a_sweep_waits_for_the_schedule_of_its_batch_and_for_its_back_off():
    rig = ClosingRig((OPEN,))
    assert rig.closer.why_not_swept(OPEN) is None
    rig.collectors.waiting.add(("results", "b1"))
    assert rig.closer.why_not_swept(OPEN) is SweepWait.BACKING_OFF
    rig.closer.schedule_unknown = lambda batch: batch == OPEN
    assert rig.closer.why_not_swept(OPEN) is SweepWait.SCHEDULE_UNKNOWN
    own = replace(OPEN, run="run_1")
    assert rig.closer.why_not_swept(own) is None
    rig.collectors.off.add("run_results")
    assert rig.closer.why_not_swept(own) is SweepWait.COLLECTOR_OFF


# --- batches that were given up ---
LOST = replace(OPEN, closed=T, outcome="lost")


def test_batches_that_were_given_up_are_due_once_a_day_while_their_results_are_kept():
    rig = ClosingRig((LOST, replace(OPEN, ref=BatchRef("acme", "b2"), closed=T, outcome="success")))
    assert rig.closer.due_for_reread() == []
    rig.time.at = T + DAY
    assert rig.closer.due_for_reread() == [LOST]
    rig.ledger.save(lifecycle.reread(LOST, rig.time.at))
    assert rig.closer.due_for_reread() == []
    rig.time.at = T + 2 * DAY
    assert len(rig.closer.due_for_reread()) == 1
    rig.time.certain = False
    assert rig.closer.due_for_reread() == []
    rig.time.at, rig.time.certain = T + RETENTION - DAY, True
    assert rig.closer.due_for_reread() == []


def test_a_batch_that_is_opened_again_is_swept_and_counted_as_closed_later(logs):
    rig = ClosingRig((replace(ENDED, closed=T, outcome="lost", probes_at_last_sweep=ENDED.probes),))
    opened = rig.closer.reopen("b1")
    assert opened is not None
    assert opened.closed is None
    assert rig.closer.why_not_swept(opened) is None
    assert sweep(rig, distinct=3).outcome == "success"
    assert rig.ledger.counted(FINISHED) == {(*FLOW, "success"): 1.0}
    assert [entry["event"] for entry in logs] == ["batch opened again"]


def test_what_cannot_be_opened_again_stays_as_it_is():
    rig = ClosingRig((OPEN,))
    assert rig.closer.reopen("b2") is None
    with pytest.raises(ReopenRefused, match="is open"):
        rig.closer.reopen("b1")
    assert rig.batch() == OPEN


def test_abandoned_records_are_logged(logs: list[MutableMapping[str, Any]]):
    rig = ClosingRig((ENDED,))
    rig.time.at = T + HOUR
    sweep(rig, distinct=2)
    assert [(entry["event"], entry["records"]) for entry in logs] == [("records abandoned", 1)]
