"""The transitions of a batch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.limits import DAY
from runtype_exporter.model import Batch, BatchRef, Labels, Probe, Run, SweepSnapshot, SweepTally
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.lifecycle import ProbeReading
from runtype_exporter.polling.status_words import StatusWords

STATUSES = StatusWords()
RUNNING = Probe("running", 10, 3, 0)
DONE = Probe("completed", 10, 10, 1)
BATCH = Batch(ref=BatchRef("acme", "b1"), first_seen=1.0, labels=Labels("nightly", "flow"))
RUN = Run(account="acme", id="run_1", schedule="schedule_1")


def readings(**shown: Probe | ProbeReading) -> dict[str, ProbeReading]:
    return {
        source: r if isinstance(r, ProbeReading) else ProbeReading(r) for source, r in shown.items()
    }


def observed(batch: Batch, now: float = 100.0, **shown: Probe | ProbeReading) -> Batch:
    return lifecycle.observe(batch, readings(**shown), STATUSES, now)  # type: ignore[arg-type]


# --- open and ended ---
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
    assert observed(ended, now=50.0, run=DONE).ended == 50.0


def test_an_ended_batch_is_open_again_when_a_source_calls_it_unfinished():
    ended = observed(BATCH, run=DONE, summary=DONE)
    again = observed(ended, now=200.0, summary=RUNNING)
    assert again.ended is None
    assert observed(again, now=300.0, summary=DONE).ended == 300.0


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


def test_the_first_start_and_the_latest_completion_stand():
    batch = observed(
        BATCH, run=ProbeReading(RUNNING, started=10.0), summary=ProbeReading(RUNNING, started=11.0)
    )
    batch = observed(batch, run=ProbeReading(DONE, started=12.0, completed=90.0))
    batch = observed(batch, run=ProbeReading(DONE, started=12.0, completed=95.0))
    assert (batch.started, batch.completed) == (10.0, 95.0)


def test_a_batch_changes_when_a_source_shows_something_else():
    batch = observed(BATCH, summary=RUNNING)
    assert batch.changed == 100.0
    assert observed(batch, now=200.0, summary=RUNNING).changed == 100.0
    assert observed(batch, now=200.0, summary=DONE).changed == 200.0
    assert observed(batch, now=50.0, summary=RUNNING).changed == 50.0


def test_sources_that_show_a_batch_by_turns_are_no_change():
    batch = replace(
        observed(BATCH, summary=RUNNING),
        probes_at_last_sweep={"summary": RUNNING, "status": RUNNING},
    )
    by_turns = observed(observed(batch, now=200.0, status=RUNNING), now=300.0, summary=RUNNING)
    assert by_turns.changed == 100.0
    assert observed(batch, now=200.0, run=RUNNING).changed == 100.0
    assert observed(batch, now=200.0, status=DONE).changed == 200.0


def test_a_batch_of_an_earlier_format_has_changed_when_it_is_first_read():
    old = replace(BATCH, probes={"run": RUNNING})
    assert observed(old, run=RUNNING).changed == 100.0


def test_since_when_the_run_of_a_batch_is_final():
    batch = observed(BATCH, run=RUNNING, summary=RUNNING)
    assert batch.run_ended_since is None
    batch = observed(batch, now=200.0, run=DONE, summary=RUNNING)
    assert (batch.run_ended_since, batch.ended) == (200.0, None)
    assert observed(batch, now=300.0, run=DONE, summary=RUNNING).run_ended_since == 200.0
    unlisted = observed(batch, now=300.0, summary=RUNNING)
    assert unlisted.run_ended_since == 200.0
    assert observed(unlisted, now=400.0, summary=RUNNING).run_ended_since == 200.0
    assert observed(unlisted, now=400.0, run=RUNNING, summary=RUNNING).run_ended_since is None


def test_a_batch_with_an_end_of_its_own_has_just_changed():
    ended = lifecycle.end(BATCH, 9.0)
    assert (ended.ended, ended.changed) == (9.0, 9.0)


def test_a_sweep_that_counts_otherwise_is_a_change():
    before = replace(BATCH, changed=5.0, probes_at_last_sweep={}, missing_for=3.0)
    snapshot = SweepSnapshot(at=1.0, total=10, tally=SweepTally(distinct=9, statuses={"x": 9}))
    same = replace(before, snapshot=replace(snapshot, at=7.0))
    assert lifecycle.swept(replace(before, snapshot=snapshot), same, 90.0) == replace(
        same, missing_for=0.0
    )
    for after in (
        replace(before, snapshot=replace(snapshot, total=11)),
        replace(
            before, snapshot=replace(snapshot, tally=SweepTally(distinct=9, statuses={"y": 9}))
        ),
        replace(before, snapshot=snapshot, drift=1),
    ):
        assert lifecycle.swept(replace(before, snapshot=snapshot), after, 90.0).changed == 90.0
    first = replace(before, probes_at_last_sweep=None)
    assert lifecycle.swept(first, before, 90.0).changed == 90.0


# --- unclaimed ---
def test_a_batch_waits_for_a_run_that_claims_it_and_then_counts_as_ad_hoc():
    waiting = replace(BATCH, claims_left=2)
    once = lifecycle.expire_claim(waiting, at_once=False)
    assert once == replace(BATCH, claims_left=1)
    assert lifecycle.expire_claim(once, at_once=False) == BATCH
    assert lifecycle.expire_claim(waiting, at_once=True) == BATCH


def test_a_batch_that_no_run_claims_is_ad_hoc_after_a_day():
    waiting = replace(BATCH, claims_left=2)
    assert lifecycle.enforce_claim(waiting, DAY) == waiting
    assert lifecycle.enforce_claim(waiting, DAY + 1.0) == BATCH
    assert lifecycle.enforce_claim(BATCH, DAY + 1.0) is BATCH


@pytest.mark.parametrize(
    ("flow_id", "created", "expected"),
    [("flow_1", 60.0, ("flow_1", 60.0, None)), ("", None, ("flow_0", 40.0, 50.0))],
)
def test_a_run_that_claims_a_batch_gives_what_it_knows_of_it(flow_id, created, expected):
    batch = replace(
        BATCH, flow_id="flow_0", flow_name="f", created=40.0, count_from=50.0, claims_left=2
    )
    claimed = lifecycle.claim(batch, replace(RUN, created=created), flow_id)
    assert (claimed.schedule, claimed.claims_left, claimed.flow_name) == ("schedule_1", 0, "f")
    assert (claimed.flow_id, claimed.created, claimed.count_from) == expected


def test_the_flow_of_an_agents_batch_is_the_agent():
    batch = replace(BATCH, flow_name="a name from the summary")
    claimed = lifecycle.claim(batch, RUN, "flow_1", agent_id="agent_1")
    assert (claimed.flow_id, claimed.flow_name) == ("agent_1", "")


# --- reads that fail ---
def test_the_time_without_an_answer_adds_up_until_the_results_are_read():
    batch = lifecycle.missing(BATCH, 1000.0, 0.0)
    batch = lifecycle.missing(batch, 2000.0, 900.0)
    batch = lifecycle.unreadable(batch, 3000.0, 60.0)
    batch = lifecycle.unreadable(batch, 2500.0, 1e9)
    assert (batch.missing_since, batch.missing_for) == (1000.0, 900.0)
    assert (batch.unreadable_since, batch.unreadable_for) == (2500.0, 60.0 + lifecycle.MOST_WAITED)
    assert lifecycle.recovered(batch) == BATCH


def test_a_batch_that_is_listed_again_is_not_found_while_its_results_are_to_be_read():
    batch = lifecycle.missing(BATCH, 1000.0, 500.0)
    assert observed(batch, run=RUNNING).missing_for == 500.0
    clean = replace(batch, probes_at_last_sweep={"run": RUNNING})
    assert (
        observed(clean, run=RUNNING).missing_since,
        observed(clean, run=RUNNING).missing_for,
    ) == (
        None,
        0.0,
    )
    ended = replace(batch, probes_at_last_sweep={"run": DONE})
    assert observed(ended, run=DONE).missing_for == 500.0, "the settle time asks for another sweep"


# --- closed ---
def test_a_closed_batch_keeps_nothing_of_its_reads():
    batch = replace(lifecycle.missing(BATCH, 1.0, 5.0), run_ended_since=3.0)
    assert lifecycle.closed(batch, "success", 9.0) == replace(BATCH, closed=9.0, outcome="success")
    assert lifecycle.closed(batch, None, 9.0) == replace(BATCH, closed=9.0)
    lost = lifecycle.closed(batch, "lost", 9.0)
    assert lost == replace(batch, closed=9.0, outcome="lost")


def test_only_a_batch_that_was_given_up_opens_again():
    given_up = replace(
        lifecycle.closed(lifecycle.missing(BATCH, 1.0, 5.0), "stale", 9.0),
        probes={"run": RUNNING},
        probes_at_last_sweep={"run": RUNNING},
        ended=4.0,
    )
    assert lifecycle.reread(given_up, 50.0).reread_at == 50.0
    opened = lifecycle.reopen(lifecycle.reread(given_up, 50.0), 60.0)
    assert opened == replace(
        BATCH, probes={"run": RUNNING}, probes_at_last_sweep={}, ended=4.0, changed=60.0
    )
    unswept = lifecycle.reopen(replace(given_up, probes_at_last_sweep=None), 60.0)
    assert unswept.probes_at_last_sweep is None
    for batch in (BATCH, lifecycle.closed(BATCH, "success", 9.0)):
        with pytest.raises(ValueError, match="given up"):
            lifecycle.reopen(batch, 60.0)


def late(
    batch: Batch, *, reopens: bool = True, **shown: Probe
) -> tuple[Batch, dict[object, float]]:
    read = readings(**shown)  # type: ignore[arg-type]
    after, delta = lifecycle.changed_late(batch, read, STATUSES, 500.0, reopens=reopens)
    return after, dict(delta.increments)


CHANGES = {("runtype_batch_late_changes_total", ("acme", "nightly", "flow")): 1.0}


def test_a_closed_batchs_change_counts_once_if_the_source_had_said_final():
    closed = replace(BATCH, probes={"run": DONE, "summary": RUNNING}, closed=1.0, outcome="success")
    settled, added = late(closed, run=DONE, summary=DONE)
    assert added == {}
    changed, added = late(settled, run=Probe("completed", 10, 10, 2))
    assert added == CHANGES
    again, added = late(changed, run=Probe("completed", 10, 10, 2))
    assert changed is again
    assert added == {}
    assert late(changed, status=RUNNING)[1] == {}


def test_a_batch_closed_uncounted_has_no_late_changes():
    ignored = replace(BATCH, labels=None, probes={"run": DONE}, closed=1.0)
    assert late(ignored, run=RUNNING)[1] == {}


def test_a_stale_batch_that_changes_is_open_again():
    stale = replace(BATCH, probes={"summary": RUNNING}, closed=1.0, outcome="stale")
    assert late(stale, summary=RUNNING) == (stale, {})
    opened, added = late(stale, summary=DONE)
    assert (opened.closed, opened.ended, opened.changed, added) == (None, 500.0, 500.0, {})
    closed, added = late(stale, reopens=False, summary=DONE)
    assert (closed.closed, closed.probes, added) == (1.0, {"summary": DONE}, {})


def test_a_lost_batch_stays_closed_whatever_the_lists_show():
    lost = replace(BATCH, probes={"summary": DONE}, closed=1.0, outcome="lost")
    after, added = late(lost, summary=RUNNING)
    assert (after.closed, after.probes, added) == (1.0, {"summary": RUNNING}, {})


# --- times ---
def test_no_moment_of_a_batch_stays_in_the_future():
    ahead = replace(
        BATCH, first_seen=9e9, ended=9e9, changed=9e9, run_ended_since=9e9, reread_at=9e9
    )
    assert lifecycle.within(ahead, 50.0) == replace(
        BATCH, first_seen=50.0, ended=50.0, changed=50.0, run_ended_since=50.0, reread_at=50.0
    )
    assert lifecycle.within(BATCH, 50.0) == BATCH
