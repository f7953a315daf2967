"""What is shown of a durable series before and after a scrape was served with it."""

from __future__ import annotations

from runtype_exporter.metrics.first_scrape import PATIENCE, FirstScrapeGate
from runtype_exporter.model import Exemplar, HistogramValue, Sample, Snapshot

NAME = "runtype_records_finished_total"
A, B = ("account", "schedule", "flow", "success"), ("account", "schedule", "flow", "failure")


def counter(value, created=100.0):
    return Sample(value, created)


def hold(gate, families, version, now=0.0):
    return [
        (labels, sample)
        for _, labels, sample in gate.hold(Snapshot(version, {NAME: families}), version, now)
    ]


def release(gate, now=0.0):
    return [(labels, sample) for _, labels, sample in gate.release(now)]


def started():
    """A gate whose process began with an empty ledger."""
    gate = FirstScrapeGate()
    hold(gate, {}, 1)
    return gate


def test_a_new_series_shows_0_until_a_scrape_was_served_with_it():
    gate = started()
    assert hold(gate, {A: counter(5.0)}, 2) == [(A, counter(0.0))]
    gate.served(1)
    assert release(gate) == []
    gate.served(2)
    assert release(gate) == [(A, counter(5.0))]
    assert release(gate) == []
    assert hold(gate, {A: counter(6.0)}, 4) == [(A, counter(6.0))]


def test_what_a_series_gains_while_it_is_held_back_shows_afterwards_at_once():
    gate = started()
    hold(gate, {A: counter(5.0)}, 2)
    assert hold(gate, {A: counter(7.0)}, 3) == []
    gate.served(3)
    assert release(gate) == [(A, counter(7.0))]


def test_serving_an_older_version_than_one_served_before_changes_nothing():
    gate = started()
    hold(gate, {A: counter(5.0)}, 2)
    gate.served(2)
    gate.served(1)
    assert release(gate) == [(A, counter(5.0))]


def test_a_series_that_nobody_scrapes_shows_after_two_minutes():
    gate = started()
    hold(gate, {A: counter(5.0)}, 2, now=1000.0)
    assert release(gate, 1000.0 + PATIENCE - 0.1) == []
    assert release(gate, 1000.0 + PATIENCE) == [(A, counter(5.0))]


def test_a_series_held_back_before_the_clock_was_set_back_shows_at_once():
    gate = started()
    hold(gate, {A: counter(5.0)}, 2, now=1000.0)
    assert release(gate, 1000.0 - 3600.0) == [(A, counter(5.0))]


def test_each_series_waits_for_a_version_that_shows_it():
    gate = started()
    hold(gate, {A: counter(1.0)}, 2)
    hold(gate, {B: counter(2.0)}, 3)
    gate.served(2)
    assert release(gate) == [(A, counter(1.0))]
    gate.served(3)
    assert release(gate) == [(B, counter(2.0))]


def test_a_restored_series_shows_its_old_value_until_a_scrape_was_served_with_it():
    gate = FirstScrapeGate()
    assert hold(gate, {A: counter(40.0)}, 1) == [(A, counter(40.0))]
    assert hold(gate, {A: counter(44.0)}, 2) == []
    gate.served(1)
    assert release(gate) == [(A, counter(44.0))]


def test_a_restored_series_that_nothing_is_added_to_stays_as_it_is():
    gate = FirstScrapeGate()
    hold(gate, {A: counter(40.0)}, 1)
    gate.served(1)
    assert release(gate) == [(A, counter(40.0))]
    assert hold(gate, {A: counter(41.0)}, 2) == [(A, counter(41.0))]


def test_a_new_histogram_shows_its_boundaries_with_nothing_in_them():
    gate = started()
    exemplar = Exemplar({"batch_id": "b"}, 0.5, 99.0)
    value = HistogramValue((1.0, 2.0), (3, 2, 1), 9.5, {0: exemplar})
    [(_, shown)] = hold(gate, {A: Sample(value, 100.0)}, 2)
    assert shown == Sample(HistogramValue((1.0, 2.0), (0, 0, 0), 0.0), 100.0)
    gate.served(2)
    assert release(gate) == [(A, Sample(value, 100.0))]


def test_a_series_that_began_again_is_held_back_like_a_new_one():
    gate = FirstScrapeGate()
    hold(gate, {A: counter(40.0, created=100.0)}, 1)
    assert hold(gate, {A: counter(2.0, created=200.0)}, 2) == [(A, counter(0.0, created=200.0))]
    gate.served(1)
    assert release(gate) == [], "the version that was served showed the former series"
    gate.served(2)
    assert release(gate) == [(A, counter(2.0, created=200.0))]


def test_a_series_that_ended_is_taken_away_at_once_and_is_new_when_it_comes_again():
    gate = started()
    hold(gate, {A: counter(5.0)}, 2)
    assert hold(gate, {A: None}, 3) == [(A, None)]
    gate.served(3)
    assert release(gate) == []
    assert hold(gate, {A: counter(1.0)}, 4) == [(A, counter(0.0))]


def test_gauges_pass():
    gate = started()
    assert hold(gate, {A: Sample(5.0)}, 2) == [(A, Sample(5.0))]
    assert release(gate, 1e9) == []


def test_an_open_gate_holds_nothing_back():
    gate = FirstScrapeGate(open_=True)
    hold(gate, {}, 1)
    assert hold(gate, {A: counter(5.0), B: None}, 2) == [(A, counter(5.0)), (B, None)]
