"""Which batches have gauges, and what they say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.metrics.gauges import Gauges
from runtype_exporter.metrics.status_labels import OTHERS
from runtype_exporter.model import BatchRef, Labels, Sample, Snapshot, SweepSnapshot, SweepTally
from runtype_exporter.protocols import BatchView

KNOWN = frozenset({"pending", "running", "completed", "failed"})


@pytest.fixture
def gauges():
    return Gauges(batches_per_schedule=1, known_words=KNOWN)


def view(id_="b1", *, account="a", schedule="s", flow="f", **more):
    given = {
        "ref": BatchRef(account, id_),
        "name": id_,
        "labels": Labels(schedule, flow),
        "configured": False,
        "open": True,
        "state": "running",
        "total": 10,
        "processed": 5,
        "failed": 1,
        "started": 100.0,
        "completed": None,
        "closed": None,
        "snapshot": None,
        "drift": 0,
    }
    return BatchView(**(given | more))


def closed(id_, at, **more):
    return view(id_, open=False, state="completed", closed=at, **more)


class Screen:
    """What is shown once a snapshot's changes are added to those before."""

    def __init__(self, gauges):
        self.gauges = gauges
        self.shown = {}

    def update(self):
        snapshot = self.gauges.snapshot()
        for name, family in snapshot.families.items():
            for labels, sample in family.items():
                if sample is None:
                    del self.shown[name, labels]
                else:
                    assert isinstance(sample, Sample)
                    assert sample.created is None
                    self.shown[name, labels] = sample.value
        return self

    def of(self, name):
        self.update()
        return {labels: value for (shown, labels), value in self.shown.items() if shown == name}

    def batches(self):
        return {labels[3] for labels in self.of("runtype_batch_total_records")}


@pytest.fixture
def screen(gauges):
    return Screen(gauges)


def test_an_open_batch_shows_the_api_s_counts_and_times(gauges, screen):
    gauges.set_batch(view(completed=200.0))
    screen.update()
    labels = ("a", "s", "f", "b1")
    expected = {
        "runtype_batch_total_records": 10.0,
        "runtype_batch_processed_records": 5.0,
        "runtype_batch_failed_records": 1.0,
        "runtype_batch_started_timestamp_seconds": 100.0,
        "runtype_batch_completed_timestamp_seconds": 200.0,
    }
    assert {
        name: value for (name, shown), value in screen.shown.items() if shown == labels
    } == expected


def test_what_is_not_known_has_no_series(gauges, screen):
    gauges.set_batch(view(total=None, processed=None, failed=None, started=None))
    screen.update()
    assert {name for name, _ in screen.shown} == {
        "runtype_batch_state",
        "runtype_batches_open",
        "runtype_reconciliation_drift_records",
    }


def test_a_snapshot_shows_records_by_status_and_its_times(gauges, screen):
    seen = SweepTally(
        10, 4, {"completed": 6, "pending": 4}, last_finished=150.0, oldest_unfinished=90.0
    )
    gauges.set_batch(view(snapshot=SweepSnapshot(160.0, 10, seen)))
    labels = ("a", "s", "f", "b1")
    assert screen.of("runtype_batch_records") == {
        (*labels, "completed"): 6.0,
        (*labels, "pending"): 4.0,
    }
    assert screen.of("runtype_batch_last_result_timestamp_seconds") == {labels: 150.0}
    assert screen.of("runtype_batch_oldest_unfinished_timestamp_seconds") == {labels: 90.0}
    assert screen.of("runtype_batch_last_sweep_timestamp_seconds") == {labels: 160.0}
    gauges.set_batch(view(snapshot=SweepSnapshot(170.0, 10, SweepTally(10, 0, {"completed": 10}))))
    assert screen.of("runtype_batch_records") == {(*labels, "completed"): 10.0}
    assert screen.of("runtype_batch_oldest_unfinished_timestamp_seconds") == {}


def test_the_state_is_one_of_a_closed_set_and_shown_of_open_and_configured_batches_only(
    gauges, screen
):
    gauges.set_batch(view("open"))
    gauges.set_batch(view("odd", state="unknown"))
    gauges.set_batch(closed("configured", 5.0, configured=True))
    gauges.set_batch(closed("closed", 5.0))
    states = screen.of("runtype_batch_state")
    assert {(labels[3], labels[4]) for labels, value in states.items() if value} == {
        ("open", "running"),
        ("odd", "unknown"),
        ("configured", "completed"),
    }
    assert len(states) == 18
    assert set(states.values()) == {0.0, 1.0}


def test_only_changes_are_in_a_snapshot(gauges):
    gauges.set_batch(view())
    first = gauges.snapshot()
    gauges.set_batch(view(processed=6))
    second = gauges.snapshot()
    assert second.families == {
        "runtype_batch_processed_records": {("a", "s", "f", "b1"): Sample(6.0)}
    }
    gauges.set_batch(view(processed=6))
    third = gauges.snapshot()
    assert third.families == {}
    assert [first.version, second.version, third.version] == [1, 2, 2]


def test_of_closed_batches_the_newest_of_each_schedule_are_kept(gauges, screen):
    gauges.set_batch(closed("old", 10.0))
    gauges.set_batch(closed("new", 20.0))
    gauges.set_batch(closed("elsewhere", 5.0, schedule="t"))
    assert screen.batches() == {"new", "elsewhere"}
    gauges.set_batch(closed("newer", 30.0))
    gauges.set_batch(view("open"))
    gauges.set_batch(closed("configured", 1.0, configured=True))
    assert screen.batches() == {"newer", "elsewhere", "open", "configured"}
    gauges.set_batch(closed("old", 10.0))
    assert screen.batches() == {"newer", "elsewhere", "open", "configured"}


def test_batches_that_fall_out_are_let_go(gauges):
    for number in range(50):
        gauges.set_batch(closed(f"b{number:02}", float(number)))
        gauges.snapshot()
    assert len(gauges._group_of) == 1
    assert len(gauges._groups["a", "s"].batches) == 1


def test_closed_batches_without_a_time_are_the_oldest(gauges, screen):
    gauges.set_batch(closed("b", None))
    gauges.set_batch(closed("a", 1.0))
    assert screen.batches() == {"a"}


def test_open_batches_are_counted_by_flow_and_0_stays_while_the_flow_is_shown(gauges, screen):
    gauges.set_batch(view("b1"))
    gauges.set_batch(view("b2"))
    gauges.set_batch(view("b3", flow="g"))
    assert screen.of("runtype_batches_open") == {("a", "s", "f"): 2.0, ("a", "s", "g"): 1.0}
    gauges.set_batch(closed("b1", 10.0))
    gauges.set_batch(closed("b2", 11.0))
    gauges.set_batch(closed("b3", 9.0, flow="g"))
    assert screen.of("runtype_batches_open") == {("a", "s", "f"): 0.0}


def test_drift_is_summed_over_what_is_shown(gauges, screen):
    gauges.set_batch(view("b1", drift=2))
    gauges.set_batch(view("b2", drift=3))
    gauges.set_batch(view("b3", schedule="t"))
    assert screen.of("runtype_reconciliation_drift_records") == {("a", "s"): 5.0, ("a", "t"): 0.0}


def test_of_two_batches_under_one_name_the_newer_wins_in_whatever_order_they_come():
    older, newer = (
        view("b1", name="n", total=1, started=1.0),
        view("b2", name="n", total=2, started=2.0),
    )
    for order in ((older, newer), (newer, older)):
        gauges = Gauges(batches_per_schedule=1, known_words=KNOWN)
        for shown in order:
            gauges.set_batch(shown)
        screen = Screen(gauges)
        assert screen.of("runtype_batch_total_records") == {("a", "s", "f", "n"): 2.0}
        assert screen.of("runtype_batches_open") == {("a", "s", "f"): 2.0}


def test_when_the_newer_of_two_under_one_name_goes_the_older_shows_again(gauges, screen):
    gauges.set_batch(view("b1", name="n", total=1, started=1.0))
    gauges.set_batch(closed("b2", 5.0, name="n", total=2, started=2.0, completed=4.0))
    assert screen.of("runtype_batch_total_records") == {("a", "s", "f", "n"): 2.0}
    assert screen.of("runtype_batch_state") == {}
    gauges.set_batch(closed("b3", 6.0))
    assert screen.of("runtype_batch_total_records") == {
        ("a", "s", "f", "n"): 1.0,
        ("a", "s", "f", "b3"): 10.0,
    }
    assert len(screen.of("runtype_batch_state")) == 6
    assert screen.of("runtype_batch_completed_timestamp_seconds") == {}


def test_a_batch_that_moves_to_another_schedule_leaves_the_former_one(gauges, screen):
    gauges.set_batch(view())
    screen.update()
    gauges.set_batch(view(schedule="t"))
    assert screen.of("runtype_batches_open") == {("a", "t", "f"): 1.0}
    assert {labels[1] for _, labels in screen.shown} == {"t"}


def test_words_beyond_the_cap_are_pooled(gauges, screen):
    words = {f"word{number:02}": 1 for number in range(OTHERS + 5)}
    gauges.set_batch(
        view(
            snapshot=SweepSnapshot(
                1.0, 30, SweepTally(30, 0, {**words, "completed": 3, "other": 2})
            )
        )
    )
    shown = {labels[4]: value for labels, value in screen.of("runtype_batch_records").items()}
    assert shown == {"completed": 3.0, "other": 7.0} | {
        f"word{number:02}": 1.0 for number in range(OTHERS)
    }


def test_a_word_that_has_a_series_keeps_it(gauges, screen):
    gauges.set_batch(view(snapshot=SweepSnapshot(1.0, 1, SweepTally(1, 0, {"needs_review": 1}))))
    words = {f"word{number}": 1 for number in range(OTHERS)}
    gauges.set_batch(
        view("b2", snapshot=SweepSnapshot(1.0, 21, SweepTally(21, 0, {**words, "needs_review": 1})))
    )
    shown = {labels[3:]: value for labels, value in screen.of("runtype_batch_records").items()}
    assert shown["b1", "needs_review"] == 1.0
    assert shown["b2", "needs_review"] == 1.0
    assert shown["b2", "other"] == 1.0


def test_a_reloaded_configuration_changes_words_and_how_many_are_kept(gauges, screen):
    words = {f"word{number}": 1 for number in range(OTHERS)}
    gauges.set_batch(view(snapshot=SweepSnapshot(1.0, 21, SweepTally(21, 0, {**words, "late": 1}))))
    gauges.set_batch(closed("c1", 1.0))
    gauges.set_batch(closed("c2", 2.0))
    assert ("a", "s", "f", "b1", "other") in screen.of("runtype_batch_records")
    gauges.configure(batches_per_schedule=0, known_words=KNOWN | {"late"})
    shown = screen.of("runtype_batch_records")
    assert ("a", "s", "f", "b1", "other") not in shown
    assert shown["a", "s", "f", "b1", "late"] == 1.0
    assert screen.batches() == {"b1"}


def test_configured_batches_tell_whether_they_are_found(gauges, screen):
    gauges.set_found("a", "backfill", found=False)
    gauges.set_found("a", "nightly", found=True)
    assert screen.of("runtype_batch_found") == {("a", "backfill"): 0.0, ("a", "nightly"): 1.0}
    gauges.set_found("a", "backfill", found=True)
    assert gauges.snapshot().families == {"runtype_batch_found": {("a", "backfill"): Sample(1.0)}}


def test_an_account_that_is_forgotten_takes_everything_with_it(gauges, screen):
    for account in ("a", "b"):
        gauges.set_batch(view(f"{account}1", account=account))
        gauges.set_batch(closed(f"{account}2", 1.0, account=account, schedule="t"))
        gauges.set_found(account, "backfill", found=True)
    screen.update()
    gauges.forget("a")
    screen.update()
    assert {labels[0] for _, labels in screen.shown} == {"b"}
    assert {group[0] for group in gauges._groups} == {"b"}
    assert {ref.account for ref in gauges._group_of} == {"b"}


def test_of_an_account_only_what_is_retained_stays(gauges, screen):
    for account in ("a", "b"):
        for number in (1, 2):
            gauges.set_batch(view(f"{account}{number}", account=account))
            gauges.set_found(account, f"n{number}", found=True)
    gauges.set_collector("a", "usage", {USED: 1.0})
    screen.update()
    gauges.retain("a", batches={BatchRef("a", "a1")}, found={"n2"})
    changes = gauges.snapshot().families
    assert {labels[3] for labels in changes["runtype_batch_state"]} == {"a2"}
    assert changes["runtype_batch_found"] == {("a", "n1"): None}
    assert {ref.id for ref in gauges._group_of} == {"a1", "b1", "b2"}
    assert USED[0] not in changes


def test_an_account_that_is_forgotten_and_shown_again_at_once_does_not_flicker(gauges, screen):
    gauges.set_batch(view())
    screen.update()
    gauges.forget("a")
    gauges.set_batch(replace(view(), processed=7))
    assert gauges.snapshot().families == {
        "runtype_batch_processed_records": {("a", "s", "f", "b1"): Sample(7.0)}
    }


def test_counters_that_ended_take_the_closed_batches_of_their_schedule_and_flow_with_them(
    gauges, screen
):
    gauges.set_batch(view("open"))
    gauges.set_batch(closed("configured", 1.0, configured=True))
    gauges.set_batch(closed("elsewhere", 1.0, schedule="t"))
    gauges.set_batch(closed("gone", 9.0))
    assert screen.batches() == {"open", "configured", "elsewhere", "gone"}
    name, other = "runtype_records_abandoned_total", "runtype_batches_finished_total"
    gauges.retire(
        Snapshot(
            1,
            {
                name: {
                    ("a", "s", "g"): None,
                    ("a", "u", "f"): None,
                    ("a", "t", "f"): Sample(1.0, 1.0),
                }
            },
        )
    )
    gauges.retire(Snapshot(2, {other: {("a", "t", "f", "success"): None}}))
    assert screen.batches() == {"open", "configured", "elsewhere", "gone"}
    gauges.retire(Snapshot(3, {name: {("a", "s", "f"): None, ("a", "t", "f"): None}}))
    assert screen.batches() == {"open", "configured"}
    assert set(gauges._groups) == {("a", "s")}


USED = ("runtype_usage_executions", ("a", "daily"))
LIMIT = ("runtype_usage_execution_limit", ("a", "daily"))
OTHER = ("runtype_usage_executions", ("b", "daily"))


def test_a_collectors_gauges_replace_those_before_and_leave_others_alone(gauges):
    screen = Screen(gauges)
    gauges.set_collector("a", "usage", {USED: 1.0, LIMIT: 50.0})
    gauges.set_collector("b", "usage", {OTHER: 7.0})
    gauges.set_collector("a", "sparklines", {("runtype_schedule_recent_runs", ("a", "s")): 3.0})
    screen.update()
    assert len(screen.shown) == 4
    gauges.set_collector("a", "usage", {USED: 2.0})
    screen.update()
    assert screen.shown == {
        USED: 2.0,
        OTHER: 7.0,
        ("runtype_schedule_recent_runs", ("a", "s")): 3.0,
    }


def test_a_collectors_gauges_are_withdrawn(gauges):
    screen = Screen(gauges)
    gauges.set_collector("a", "usage", {USED: 1.0})
    screen.update()
    gauges.set_collector("a", "usage", {})
    screen.update()
    assert screen.shown == {}
    gauges.set_collector("a", "usage", {USED: 1.0})
    screen.update()
    assert screen.shown == {USED: 1.0}


def test_a_forgotten_account_shows_nothing_of_its_collectors(gauges):
    screen = Screen(gauges)
    gauges.set_collector("a", "usage", {USED: 1.0})
    gauges.set_collector("b", "usage", {OTHER: 7.0})
    screen.update()
    gauges.forget("a")
    screen.update()
    assert screen.shown == {OTHER: 7.0}


def test_the_same_gauges_again_change_nothing(gauges):
    gauges.set_collector("a", "usage", {USED: 1.0})
    version = gauges.snapshot().version
    gauges.set_collector("a", "usage", {USED: 1.0})
    snapshot = gauges.snapshot()
    assert (snapshot.version, snapshot.families) == (version, {})


def test_what_a_batch_cost_is_shown_once_it_is_known(gauges):
    screen = Screen(gauges)
    gauges.set_batch(closed("b1", 10.0))
    screen.update()
    cost = ("runtype_batch_cost_dollars", ("a", "s", "f", "b1"))
    assert cost not in screen.shown
    gauges.set_batch(closed("b1", 10.0, cost=0.0))
    screen.update()
    assert screen.shown[cost] == 0.0
