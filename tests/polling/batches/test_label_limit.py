"""The labels of batches and runs within and beyond the series limit."""

from __future__ import annotations

import pytest

from runtype_exporter import catalogue
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import OVERFLOW, Batch, BatchRef, Delta, Labels
from runtype_exporter.polling.batches import labels as labels_module
from runtype_exporter.polling.batches.labels import LabelTable


class Few:
    """A series limit that allows so many more label sets."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.overflows = 0

    def allows_more(self, promised: int = 0) -> bool:
        return self.left > promised

    def overflowed(self) -> None:
        self.overflows += 1


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db", clock=SystemClock(), boundaries={})
    yield ledger
    ledger.close()


def a_batch(id_="b1", schedule="s1", flow="f1") -> Batch:
    return Batch(ref=BatchRef("acme", id_), first_seen=1.0, schedule=schedule, flow_id=flow)


def counted(ledger, labels) -> None:
    ledger.commit(Delta(increments={(catalogue.RECORDS_ABANDONED.name, ("acme", *labels)): 0.0}))


def ran(ledger, label) -> None:
    ledger.commit(
        Delta(increments={(catalogue.SCHEDULE_RUNS_FINISHED.name, ("acme", label, "success")): 0.0})
    )


def test_a_label_set_within_the_limit_is_its_own(ledger):
    series_limit = Few(1)
    assert LabelTable("acme", ledger, series_limit).freeze(a_batch()).labels == Labels("s1", "f1")
    assert series_limit.overflows == 0


def test_beyond_the_limit_a_new_label_set_freezes_as_the_shared_one(ledger):
    frozen = LabelTable("acme", ledger, Few(0)).freeze(a_batch())
    assert frozen.labels == Labels(OVERFLOW, OVERFLOW)
    assert (frozen.schedule, frozen.flow_id) == ("s1", "f1")


def test_a_label_set_that_is_counted_already_keeps_its_own(ledger):
    counted(ledger, ("s1", "f1"))
    table = LabelTable("acme", ledger, Few(0))
    assert table.freeze(a_batch()).labels == Labels("s1", "f1")
    assert table.freeze(a_batch(flow="f2")).labels == Labels(OVERFLOW, OVERFLOW)


def test_each_label_set_beyond_the_limit_is_reported_once(ledger):
    series_limit = Few(0)
    table = LabelTable("acme", ledger, series_limit)
    for number, flow in enumerate(("f1", "f1", "f2", "f1")):
        table.freeze(a_batch(f"b{number}", flow=flow))
    assert series_limit.overflows == 2


def test_how_many_are_remembered_as_reported_is_bounded(ledger, monkeypatch):
    monkeypatch.setattr(labels_module, "MOST_REMEMBERED", 2)
    series_limit = Few(0)
    table = LabelTable("acme", ledger, series_limit)
    for flow in ("f1", "f2", "f3", "f3", "f1"):
        table.freeze(a_batch(flow=flow))
    assert series_limit.overflows == 4
    assert len(table._overflowed) == 2


def test_runs_of_one_page_share_what_is_left_of_the_limit(ledger):
    table = LabelTable("acme", ledger, Few(2))
    promised: set[str] = set()
    labels = [
        table.run(schedule, None, promised) for schedule in ("s1", "s2", "s1", "s3", "s3", "s2")
    ]
    assert labels == ["s1", "s2", "s1", OVERFLOW, OVERFLOW, "s2"]


def test_runs_of_a_schedule_that_is_counted_already_keep_its_label(ledger):
    series_limit = Few(0)
    table = LabelTable("acme", ledger, series_limit)
    ran(ledger, "nightly")
    assert table.run("s1", "nightly", set()) == "nightly"
    assert table.run("s2", "hourly", set()) == OVERFLOW
    assert series_limit.overflows == 1


def test_the_labels_of_listed_schedules_are_those_that_were_fixed(ledger):
    table = LabelTable("acme", ledger, Few(1))
    table.schedule("s1", "nightly")
    assert table.listed(["s1", "s2"]) == {"nightly"}
