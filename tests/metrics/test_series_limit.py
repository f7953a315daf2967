"""The number of lines in a scrape stays within the limit.

What is least important is left out first.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtype_exporter import catalogue
from runtype_exporter.metrics.gauges import Gauges
from runtype_exporter.metrics.publish import Publisher
from runtype_exporter.metrics.series_limit import UNKNOWN_PROCESS, MaxSeries, label_set_lines
from runtype_exporter.model import (
    BatchRef,
    HistogramValue,
    Labels,
    Sample,
    Snapshot,
    SweepSnapshot,
    SweepTally,
)
from runtype_exporter.protocols import BatchView

FORMATS = ("text", "openmetrics")


class Clock:
    def now(self):
        return 1000.0


class FakeProcess:
    """Process metrics with a given number of lines, half of them counters."""

    def __init__(self):
        self.changed = True
        self.lines = 0
        self.created_lines = 0

    def refresh(self, lines):
        self.created_lines = self.lines // 2
        return lines + self.lines

    def chunk(self, format_):
        return b"process 1\n" * (
            self.lines + (self.created_lines if format_ == "openmetrics" else 0)
        )


class Harness:
    def __init__(self, limit, label_set=0):
        self.durable = {}
        self.changes = {}
        self.dropped = []
        self.series_limit = MaxSeries(
            limit,
            label_set=label_set,
            durable=lambda: sum(2 if name.endswith("_total") else 6 for name, _ in self.durable),
            on_dropped=lambda kind, count: self.dropped.append((kind, count)),
        )
        self.gauges = Gauges(
            batches_per_schedule=2,
            known_words=frozenset({"completed"}),
            series_limit=self.series_limit,
        )
        self.process = FakeProcess()
        self.publisher = Publisher(
            ledger=self.snapshot,
            gauges=self.gauges.snapshot,
            process=self.process,
            clock=Clock(),
            gate=False,
            series_limit=self.series_limit,
        )

    def count(self, name, labels, value):
        self.durable[name, labels] = value
        self.changes.setdefault(name, {})[labels] = Sample(value, 1.0)

    def snapshot(self):
        changes, self.changes = self.changes, {}
        return Snapshot(1, changes)

    def scrape(self, format_="text"):
        self.publisher.publish_now()
        _, body = self.publisher.body((format_, "identity"))
        return [
            line for line in b"".join(body.chunks).decode().splitlines() if not line.startswith("#")
        ]

    def batches(self):
        lines = self.scrape()
        return {line.split('batch="')[1].split('"')[0] for line in lines if 'batch="' in line}


def view(number, *, schedule="s", open_=True, configured=False, words=0):
    """A batch of 11 lines, if it is open, and one more a word."""
    snapshot = (
        SweepSnapshot(5.0, 1, SweepTally(1, 0, {f"w{word}": 1 for word in range(words)}))
        if words
        else None
    )
    return BatchView(
        ref=BatchRef("a", f"b{number}"),
        name=f"b{number}",
        labels=Labels(schedule, "f"),
        configured=configured,
        open=open_,
        state="running",
        total=3,
        processed=2,
        failed=1,
        started=float(number),
        completed=9.0,
        closed=None if open_ else float(number),
        snapshot=snapshot,
        drift=0,
    )


NUMBERS = st.integers(0, 60)
STEPS = st.one_of(
    st.tuples(
        st.just("show"),
        NUMBERS,
        st.booleans(),
        st.booleans(),
        st.integers(0, 30),
        st.sampled_from("stu"),
    ),
    st.tuples(st.just("burst"), NUMBERS, st.integers(1, 60)),
    st.tuples(st.just("count"), st.integers(0, 99)),
    st.tuples(st.just("process"), st.integers(0, 60)),
    st.tuples(st.just("forget")),
    st.tuples(st.just("scrape"), st.sampled_from(FORMATS)),
)


@settings(max_examples=150, deadline=None)
@given(st.integers(300, 700), st.lists(STEPS, min_size=5, max_size=40))
def test_a_scrape_has_no_more_lines_than_it_may(limit, steps):  # noqa: C901  # a case for each step
    harness = Harness(limit, label_set=8)
    for step in steps:
        match step:
            case ("show", number, open_, configured, words, schedule):
                harness.gauges.set_batch(
                    view(number, schedule=schedule, open_=open_, configured=configured, words=words)
                )
            case ("burst", first, count):
                for number in range(first, first + count):
                    harness.gauges.set_batch(view(number))
            case ("count", number):
                labels = ("a", f"schedule {number}", "f")
                if (
                    catalogue.COST.name,
                    labels,
                ) in harness.durable or harness.series_limit.allows_more():
                    harness.count(catalogue.COST.name, labels, 1.0)
                    value = HistogramValue((1.0, 2.0), (1, 0, 0), 1.0)
                    harness.count(catalogue.SCHEDULE_RUN_QUEUE.name, labels[:2], value)
            case ("process", lines):
                harness.process.lines, harness.process.changed = lines, True
            case ("forget",):
                harness.gauges.forget("a")
            case ("scrape", format_):
                assert len(harness.scrape(format_)) <= limit
    for format_ in FORMATS:
        assert len(harness.scrape(format_)) <= limit


def harness_for(batches):
    """Return a harness with space for so many open batches of one schedule."""
    return Harness(2 + 11 * batches)


def test_closed_batches_give_way_before_open_ones_the_oldest_first():
    # A closed one takes 5 lines.
    harness = Harness(2 + 3 * 11)
    for number in (1, 2):
        harness.gauges.set_batch(view(number, open_=False))
    harness.gauges.set_batch(view(3))
    harness.gauges.set_batch(view(4))
    assert harness.batches() == {"b1", "b2", "b3", "b4"}
    harness.gauges.set_batch(view(4, words=5))
    assert harness.batches() == {"b2", "b3", "b4"}
    harness.gauges.set_batch(view(4))
    harness.gauges.set_batch(view(5))
    assert harness.batches() == {"b3", "b4", "b5"}
    harness.gauges.set_batch(view(6))
    assert harness.batches() == {"b4", "b5", "b6"}


def test_configured_batches_are_the_last_to_go():
    harness = harness_for(1)
    harness.gauges.set_batch(view(1, configured=True))
    harness.gauges.set_batch(view(2))
    assert harness.batches() == {"b1"}


def test_a_batch_that_waits_for_its_start_is_the_newest():
    harness = harness_for(1)
    harness.gauges.set_batch(replace(view(0), started=None, completed=9.0, total=None))
    harness.gauges.set_batch(view(1))
    harness.scrape()
    assert harness.batches() == {"b0"}


def test_all_are_counted_whatever_is_shown():
    harness = harness_for(2)
    for number in range(300):
        harness.gauges.set_batch(view(number))
    lines = harness.scrape()
    assert 'runtype_batches_open{account="a",flow="f",schedule="s"} 300.0' in lines
    assert len(harness.batches()) == 2


def test_lost_lines_come_back_when_capacity_is_free_and_nothing_flaps():
    harness = harness_for(100)
    for number in range(100):
        harness.gauges.set_batch(view(number))
    assert len(harness.batches()) == 100
    harness.process.lines, harness.process.changed = 1, True
    assert harness.batches() == {f"b{number}" for number in range(1, 100)}
    for lines in (0, 1) * 10:
        harness.process.lines, harness.process.changed = lines, True
        assert harness.batches() == {f"b{number}" for number in range(1, 100)}
    assert harness.dropped == [("batch", 1)]
    harness.process.lines, harness.process.changed = 0, True
    harness.gauges.set_batch(view(50, open_=False))
    harness.gauges.set_batch(view(51, open_=False))
    harness.gauges.set_batch(view(52, open_=False))
    harness.gauges.set_batch(view(53, open_=False))
    assert "b0" in harness.batches()


def test_a_batch_that_ends_while_it_has_no_lines_is_not_counted_again():
    harness = harness_for(1)
    for number in (1, 2):
        harness.gauges.set_batch(view(number))
    harness.scrape()
    for words in (1, 2, 3):
        harness.gauges.set_batch(view(1, words=words))
        harness.scrape()
    assert harness.dropped == [("batch", 1)]


def test_a_lower_limit_takes_effect_with_the_next_publication():
    harness = harness_for(50)
    for number in range(50):
        harness.gauges.set_batch(view(number))
    assert len(harness.batches()) == 50
    harness.series_limit.configure(2 + 11 * 10, label_set=0)
    harness.process.changed = True
    assert len(harness.batches()) == 10


def test_capacity_ends_near_the_limit_and_counts_what_was_promised():
    durable = 0
    series_limit = MaxSeries(1000, label_set=100, durable=lambda: durable)
    series_limit.take(500, process=0)
    assert [series_limit.allows_more(promised) for promised in (0, 3, 4)] == [True, True, False]
    durable = 300
    assert [series_limit.allows_more(promised) for promised in (0, 1)] == [True, False]
    series_limit.take(800, process=100)
    assert not series_limit.allows_more()


def test_until_they_are_read_the_process_s_own_numbers_are_reckoned_with():
    assert MaxSeries(UNKNOWN_PROCESS * 10 // 9 + 1).allows_more()
    assert not MaxSeries(UNKNOWN_PROCESS * 10 // 9 - 1).allows_more()
    assert MaxSeries().allows_more()


def test_what_was_dropped_is_reported_by_kind():
    dropped = []
    series_limit = MaxSeries(1000, on_dropped=lambda kind, count: dropped.append((kind, count)))
    series_limit.overflowed()
    series_limit.dropped(3)
    assert dropped == [("overflow", 1), ("batch", 3)]


@pytest.mark.parametrize("slos", [0, 3])
def test_a_label_set_takes_no_more_lines_than_it_is_reckoned_to(slos):
    """Made of the catalogue: 14 + 1 lines of the latency of each of four outcomes, and so on."""
    bounds = {**catalogue.boundaries(), catalogue.RECORD_LATENCY.name: (1.0,)}
    grown = label_set_lines(
        {**bounds, catalogue.RECORD_LATENCY.name: (1.0, 2.0)}, slos
    ) - label_set_lines(bounds, slos)
    assert grown == len(catalogue.OUTCOMES)
    assert label_set_lines(bounds, slos) - label_set_lines(bounds, 0) == slos * 4
