"""The rules of the life of one batch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.model import (
    Batch,
    BatchRef,
    Delta,
    Labels,
    Probe,
    Run,
    SweepSnapshot,
    SweepTally,
)
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.lifecycle import ProbeReading
from runtype_exporter.polling.status_words import StatusWords

STATUSES = StatusWords()
RUNNING = Probe("running", 10, 3, 0)
DONE = Probe("completed", 10, 10, 1)
BATCH = Batch(ref=BatchRef("acme", "b1"), first_seen=0.0, labels=Labels("nightly", "flow"))


def observed(batch: Batch, now: float = 100.0, **readings: Probe | ProbeReading) -> Batch:
    full = {
        source: r if isinstance(r, ProbeReading) else ProbeReading(r)
        for source, r in readings.items()
    }
    return lifecycle.observe(batch, full, STATUSES, now)  # type: ignore[arg-type]


def test_a_cycle_that_read_nothing_of_a_batch_leaves_it_as_it_is():
    batch = observed(BATCH, run=RUNNING)
    assert batch == lifecycle.observe(batch, {}, STATUSES, 200.0)


def test_readings_of_earlier_cycles_are_dropped():
    batch = observed(observed(BATCH, run=RUNNING, summary=RUNNING), summary=DONE)
    assert batch.probes == {"summary": DONE}


def test_a_batch_has_ended_only_when_every_source_of_the_cycle_says_so():
    assert observed(BATCH, run=DONE, summary=RUNNING).ended is None
    ended = observed(BATCH, run=DONE, summary=DONE)
    assert ended.ended == 100.0
    assert observed(ended, now=200.0, run=DONE).ended == 100.0
    assert observed(ended, now=200.0, run=RUNNING).ended is None


@pytest.mark.parametrize(
    ("created", "started", "guard"),
    [
        (None, 60.0, None),
        (None, 40.0, 50.0),
        (None, None, 50.0),
        (50.0, None, None),
        (40.0, 60.0, 50.0),
    ],
)
def test_a_guard_goes_once_the_batch_is_known_to_have_begun_after_it(created, started, guard):
    batch = replace(BATCH, count_from=50.0, created=created)
    assert observed(batch, status=ProbeReading(RUNNING, started=started)).count_from == guard


def test_the_run_lists_word_for_the_end_goes_before_the_others():
    batch = observed(BATCH, run=Probe("failed", 1, 1, 1), summary=DONE, status=DONE)
    assert lifecycle.ending(batch, STATUSES) == "failure"
    assert lifecycle.ending(BATCH, STATUSES) is None


def test_an_unknown_word_is_an_end_once_the_api_gives_its_time():
    strange = Probe("archived", 1, 1, 0)
    assert lifecycle.ending(observed(BATCH, run=strange), STATUSES) is None
    assert (
        lifecycle.ending(observed(BATCH, run=ProbeReading(strange, completed=50.0)), STATUSES)
        == "unknown"
    )


def test_the_first_start_and_the_latest_completion_stand():
    batch = observed(
        BATCH, run=ProbeReading(RUNNING, started=10.0), summary=ProbeReading(RUNNING, started=11.0)
    )
    batch = observed(batch, run=ProbeReading(DONE, started=12.0, completed=90.0))
    batch = observed(batch, run=ProbeReading(DONE, started=12.0, completed=95.0))
    assert (batch.started, batch.completed) == (10.0, 95.0)


def test_a_batch_is_dirty_until_swept_and_when_a_source_reads_otherwise_than_before_that_sweep():
    batch = observed(BATCH, run=RUNNING)
    assert lifecycle.dirty(batch)
    swept = replace(batch, probes_at_last_sweep={"run": RUNNING})
    assert not lifecycle.dirty(swept)
    assert lifecycle.dirty(observed(swept, run=DONE))
    assert lifecycle.dirty(observed(swept, run=RUNNING, status=RUNNING))
    assert lifecycle.dirty(replace(swept, probes={}))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, False),
        ({"probes_at_last_sweep": None}, True),
        ({"probes_at_last_sweep": None, "closed": 5.0}, False),
        ({"probes_at_last_sweep": None, "claims_left": 1}, False),
        ({"probes_at_last_sweep": None, "retry_at": 101.0}, False),
        ({"ended": 40.0}, True),
        ({"ended": 41.0}, False),
    ],
)
def test_when_a_batch_wants_a_sweep(change, wanted):
    clean = replace(BATCH, probes={"run": RUNNING}, probes_at_last_sweep={"run": RUNNING})
    assert wanted == lifecycle.wants_sweep(replace(clean, **change), settle_time=60.0, now=100.0)


def test_a_sweep_is_complete_when_it_read_as_many_rows_as_any_count_and_all_are_final():
    batch = observed(
        BATCH, run=Probe("completed", 10, 10, 0), summary=Probe("completed", None, None, None)
    )
    assert lifecycle.complete(batch, distinct=10, unfinished=0, total=10)
    assert not lifecycle.complete(batch, distinct=9, unfinished=0, total=9)
    assert not lifecycle.complete(batch, distinct=10, unfinished=1, total=10)
    assert not lifecycle.complete(batch, distinct=10, unfinished=0, total=11)


def test_failures_back_off_doubling_up_to_an_hour():
    batch = BATCH
    waits = []
    for _ in range(9):
        batch = lifecycle.failed(batch, 1000.0, missing=False)
        waits.append(batch.retry_at - 1000.0)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert batch.missing_since is None


@pytest.mark.parametrize(
    ("state", "retry_at"),
    [
        ({"retry_at": 500.0}, 100.0),
        ({"retry_at": 99.0}, 99.0),
        ({"retry_at": 500.0, "missing_since": 50.0}, 500.0),
    ],
)
def test_a_back_off_ends_early_unless_the_api_denies_the_batch(state, retry_at):
    batch = replace(BATCH, failures=3, **state)
    assert lifecycle.stop_backing_off(batch, 100.0) == replace(batch, retry_at=retry_at)


def test_a_batch_whose_results_were_read_neither_backs_off_nor_is_missing():
    failing = lifecycle.failed(BATCH, 1000.0, missing=True)
    assert lifecycle.recovered(failing) == BATCH


def test_a_batch_waits_for_a_run_that_claims_it_and_then_counts_as_ad_hoc():
    waiting = replace(BATCH, claims_left=2)
    once = lifecycle.expire_claim(waiting, at_once=False)
    assert once == replace(BATCH, claims_left=1)
    assert lifecycle.expire_claim(once, at_once=False) == BATCH
    assert lifecycle.expire_claim(waiting, at_once=True) == BATCH


@pytest.mark.parametrize(
    ("flow_id", "created", "expected"),
    [("flow_1", 60.0, ("flow_1", 60.0, None)), ("", None, ("flow_0", 40.0, 50.0))],
)
def test_a_run_that_claims_a_batch_gives_what_it_knows_of_it(flow_id, created, expected):
    batch = replace(BATCH, flow_id="flow_0", created=40.0, count_from=50.0, claims_left=2)
    run = Run(account="acme", id="run_1", schedule="schedule_1", created=created)
    claimed = lifecycle.claim(batch, run, flow_id)
    assert (claimed.schedule, claimed.claims_left) == ("schedule_1", 0)
    assert (claimed.flow_id, claimed.created, claimed.count_from) == expected


def test_a_batch_is_lost_after_a_day_of_404():
    batch = lifecycle.failed(BATCH, 1000.0, missing=True)
    batch = lifecycle.failed(batch, 5000.0, missing=True)
    assert not lifecycle.lost(batch, 1000.0 + 86399)
    assert lifecycle.lost(batch, 1000.0 + 86400)


def test_a_batch_that_is_listed_again_is_not_lost_unless_its_results_are_still_to_be_read():
    batch = lifecycle.failed(BATCH, 1000.0, missing=True)
    assert observed(batch, run=RUNNING).missing_since == 1000.0
    assert (
        observed(replace(batch, probes_at_last_sweep={"run": RUNNING}), run=RUNNING).missing_since
        is None
    )


def test_closing_counts_the_batch_its_duration_and_what_was_abandoned():
    batch = replace(BATCH, started=10.0, completed=70.0)
    closed, delta = lifecycle.close(batch, "success", 2, 100.0)
    assert (closed.closed, closed.outcome) == (100.0, "success")
    key = ("acme", "nightly", "flow")
    assert delta.increments["runtype_batches_finished_total", (*key, "success")] == 1.0
    assert delta.increments["runtype_batches_finished_total", (*key, "failure")] == 0.0
    assert delta.increments["runtype_records_abandoned_total", key] == 2.0
    assert [
        o.value for o in delta.observations["runtype_batch_duration_seconds", (*key, "success")]
    ] == [60.0]


@pytest.mark.parametrize(
    "times", [{"started": 10.0}, {"completed": 10.0}, {"started": 20.0, "completed": 10.0}]
)
def test_a_batch_without_two_good_times_has_no_duration(times):
    _, delta = lifecycle.close(replace(BATCH, **times), "failure", 0, 100.0)
    assert [o for observed in delta.observations.values() for o in observed] == []


def test_a_batch_that_ended_before_its_guard_is_remembered_not_counted():
    closed, delta = lifecycle.close(
        replace(BATCH, count_from=50.0, completed=49.0), "success", 3, 100.0
    )
    assert closed.closed == 100.0
    assert Delta() == delta


def test_a_batch_without_labels_cannot_close():
    with pytest.raises(ValueError, match="labels freeze before"):
        lifecycle.close(replace(BATCH, labels=None), "success", 0, 1.0)


def test_a_closed_batchs_change_counts_once_if_the_source_had_said_final():
    closed = replace(BATCH, probes={"run": DONE, "summary": RUNNING}, closed=1.0)
    settled, delta = lifecycle.changed_late(
        closed, {"run": ProbeReading(DONE), "summary": ProbeReading(DONE)}, STATUSES
    )
    assert delta.increments == {}
    changed, delta = lifecycle.changed_late(
        settled, {"run": ProbeReading(Probe("completed", 10, 10, 2))}, STATUSES
    )
    assert delta.increments == {
        ("runtype_batch_late_changes_total", ("acme", "nightly", "flow")): 1.0
    }
    again, delta = lifecycle.changed_late(
        changed, {"run": ProbeReading(Probe("completed", 10, 10, 2))}, STATUSES
    )
    assert changed is again
    assert delta.increments == {}
    _, delta = lifecycle.changed_late(changed, {"status": ProbeReading(RUNNING)}, STATUSES)
    assert delta.increments == {}


def test_a_batch_closed_uncounted_has_no_late_changes():
    ignored = replace(BATCH, labels=None, probes={"run": DONE}, closed=1.0)
    _, delta = lifecycle.changed_late(ignored, {"run": ProbeReading(RUNNING)}, STATUSES)
    assert delta.increments == {}


def test_a_view_takes_each_count_from_the_first_source_that_has_it():
    snapshot = SweepSnapshot(at=1.0, total=10, tally=SweepTally(distinct=10))
    batch = replace(
        BATCH,
        probes={"summary": Probe("running", 9, 4, 0), "run": Probe("queued", None, 3, None)},
        snapshot=snapshot,
        drift=2,
    )
    view = lifecycle.view(
        batch, STATUSES, name="import", configured=True, labels=Labels("nightly", "flow")
    )
    assert (view.state, view.total, view.processed, view.failed) == ("queued", 9, 3, 0)
    assert ("import", True, True, snapshot, 2) == (
        view.name,
        view.configured,
        view.open,
        view.snapshot,
        view.drift,
    )


def test_a_batch_never_probed_is_in_an_unknown_state():
    view = lifecycle.view(BATCH, STATUSES, name="b1", configured=False, labels=Labels("", ""))
    assert (view.state, view.total) == ("unknown", None)
