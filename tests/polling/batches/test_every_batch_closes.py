"""Whatever is read of a batch, fails or stays silent: it closes in time, and not before its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from runtype_exporter.limits import DAY, HOUR, MINUTE
from runtype_exporter.model import (
    GIVE_UP_REASONS,
    Batch,
    BatchRef,
    Labels,
    Probe,
    Source,
    SweepTally,
)
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.lifecycle import ProbeReading
from runtype_exporter.polling.batches.phase import Phase, ending, phase
from runtype_exporter.polling.batches.runs_without_batch import results_operation
from runtype_exporter.polling.failures import Reach
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.polling.sweeps.sweep import begin, finish
from runtype_exporter.runtype import NotFound, ServerError
from tests.support.closer import ClosingRig, SetTime, failed

STATUSES = StatusWords()
T = SetTime().at
SETTLE_TIME = HOUR / 2
LAST = 61 * DAY
"""A batch is closed after this time, in seconds, if the API does not change any more. With paused
rows its last change is noticed after up to 30 days, and waited for as long."""
ERRORS = {
    "denied": NotFound("results", "no such batch", code="404"),
    "broken": ServerError("results", "broken", code="500"),
}

Reading = Mapping[Source, Probe]


@dataclass(frozen=True)
class Sweep:
    """What a sweep does if one is due: it reads these rows, or fails."""

    kind: Literal["rows", "denied", "broken", "unreachable", "forbidden"]
    rows: SweepTally
    total: int
    others_answer: bool


@dataclass(frozen=True)
class Step:
    """A cycle after some time: what the lists show, and what a sweep would read."""

    seconds: float
    certain: bool
    reading: Reading
    sweep: Sweep


@st.composite
def tallies(draw: st.DrawFn) -> SweepTally:
    distinct = draw(st.integers(0, 4))
    unfinished = draw(st.integers(0, distinct))
    return SweepTally(distinct, unfinished, paused=draw(st.integers(0, unfinished)))


words = st.sampled_from(["running", "completed", "failed", "cancelled", "archived", "paused"])
counts = st.sampled_from([None, 0, 3, 2**53])
probes = st.builds(Probe, words, counts, st.none(), st.none())
readings = st.dictionaries(st.sampled_from(["run", "summary", "status"]), probes)
totals = st.sampled_from([0, 3, 4, 2**53])
sweeps = st.builds(
    Sweep,
    st.sampled_from(["rows", "denied", "broken", "unreachable", "forbidden"]),
    tallies(),
    totals,
    st.booleans(),
)
steps = st.builds(
    Step,
    st.sampled_from([MINUTE, HOUR, 6 * HOUR, 3 * DAY]),
    st.booleans(),
    readings,
    sweeps,
)
lasting = st.builds(
    Step,
    st.sampled_from([HOUR, 6 * HOUR]),
    st.just(value=True),
    readings,
    sweeps.filter(lambda sweep: sweep.kind != "unreachable"),
)
"""A state of the API that lasts. One that cannot be reached says nothing of a batch."""
batches = st.builds(
    Batch,
    ref=st.just(BatchRef("acme", "b1")),
    first_seen=st.sampled_from([T, T - 40 * DAY, T + DAY]),
    claims_left=st.integers(0, 2),
    run=st.sampled_from(["", "run_1"]),
    labels=st.just(Labels("nightly", "enrich")),
)


class Machine:
    """One batch with the closer of its account."""

    def __init__(self, batch: Batch) -> None:
        self.rig = ClosingRig((batch,), settle_time=SETTLE_TIME)
        self.tries = 0

    def take(self, step: Step) -> None:
        """Let time pass, and apply what a cycle and a sweep read then."""
        rig = self.rig
        rig.time.at += step.seconds
        rig.time.certain = step.certain
        rig.collectors.off = {"results", "run_results"} if step.sweep.kind == "forbidden" else set()
        if self.closed:
            return
        before = rig.batch()
        shown = {source: ProbeReading(probe) for source, probe in step.reading.items()}
        rig.ledger.update(
            "b1", lambda batch: lifecycle.observe(batch, shown, STATUSES, rig.time.at)
        )
        rig.closer.enforce_deadlines()
        if not self.closed and rig.closer.why_not_swept(rig.batch()) is None:
            before = rig.batch()
            self._sweep(step)
        if self.closed:
            self._check(before, step)

    @property
    def closed(self) -> bool:
        return phase(self.rig.batch()) is Phase.CLOSED

    def _sweep(self, step: Step) -> None:
        rig, sweep = self.rig, step.sweep
        if sweep.kind == "rows":
            self.tries = 0
            begun = begin(
                rig.batch(), rig.time.at, full=rig.batch().ended is not None, is_retry=True
            )
            assert begun.sweep is not None
            present = replace(begun.sweep, tally=sweep.rows, total=sweep.total)
            finished = finish(replace(begun, sweep=present), rig.time.at)
            rig.closer.after_sweep(finished, present, count=True)
            return
        self.tries += 1
        reach = Reach.ACCOUNT if sweep.kind == "unreachable" else Reach.ITEM
        failure = failed(
            ERRORS.get(sweep.kind, ERRORS["broken"]),
            collector=results_operation(rig.batch()),
            tries=self.tries,
            elapsed=step.seconds if self.tries > 1 else 0.0,
            reach=reach,
            answered=sweep.others_answer,
        )
        rig.closer.record_failure(failure)

    def _check(self, before: Batch, step: Step) -> None:
        """Check that the batch may have closed: `before` it was open, with the present probes."""
        outcome = self.rig.batch().outcome
        forced = outcome in GIVE_UP_REASONS
        assert step.certain or not forced, "given up while API time was not certain"
        assert forced or outcome == ending(before, STATUSES), (
            "closed while a source says unfinished"
        )
        abandoned = self.rig.ledger.counted("runtype_records_abandoned_total")
        finished = self.rig.ledger.counted("runtype_records_finished_total")
        assert not forced or not (abandoned or finished), "a forced end counts no records"
        given_up = self.rig.ledger.counted("runtype_batches_given_up_total")
        assert given_up == ({(outcome,): 1.0} if forced else {})


@settings(max_examples=200, deadline=None)
@given(batches, st.lists(steps, max_size=12), lasting)
def test_every_batch_closes_by_its_deadlines(batch, sequence, last):
    machine = Machine(batch)
    for step in sequence:
        machine.take(step)
    since = machine.rig.time.at
    while not machine.closed:
        assert machine.rig.time.at - since <= LAST, machine.rig.batch()
        machine.take(last)


@settings(max_examples=100, deadline=None)
@given(batches, st.lists(st.builds(replace, steps, certain=st.just(value=False)), max_size=30))
def test_while_api_time_is_not_certain_only_a_complete_sweep_closes_a_batch(batch, sequence):
    machine = Machine(replace(batch, claims_left=0))
    for step in sequence:
        machine.take(step)
    assert machine.rig.batch().outcome not in GIVE_UP_REASONS
    assert machine.rig.ledger.counted("runtype_records_abandoned_total") == {}
