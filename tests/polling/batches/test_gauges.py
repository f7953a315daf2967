"""Which batches have gauges, and what they show."""

from __future__ import annotations

from dataclasses import replace

from runtype_exporter.config import ConfiguredBatch
from runtype_exporter.metrics.gauges import Gauges
from runtype_exporter.model import Batch, BatchRef, Labels, Probe, SweepSnapshot, SweepTally
from runtype_exporter.polling.batches.gauges import BatchGauges, view
from runtype_exporter.polling.status_words import StatusWords
from tests.support.closer import ClosingRig

STATUSES = StatusWords()
RUNNING = Probe("running", 3, 1, 0)
BATCH = Batch(
    ref=BatchRef("acme", "b1"), first_seen=0.0, labels=Labels("nightly", "flow"), started=1.0
)
STATE, FOUND, USAGE = "runtype_batch_state", "runtype_batch_found", "runtype_usage_at_limit"


def gauges() -> Gauges:
    return Gauges(batches_per_schedule=1, known_words=STATUSES.known)


def shown(sink: Gauges, held: dict[str, set[tuple[str, ...]]]) -> set[str]:
    """Return the names of the shown batches. `held` keeps the series between two calls."""
    for name, samples in sink.snapshot().families.items():
        for labels, sample in samples.items():
            if sample is None:
                held.setdefault(name, set()).discard(labels)
            else:
                held.setdefault(name, set()).add(labels)
    return {labels[3] for labels in held.get(STATE, set())}


def numbered(number: int, **changes: object) -> Batch:
    return replace(BATCH, ref=BatchRef("acme", f"b{number}"), **changes)  # type: ignore[arg-type]


def test_a_view_takes_each_count_from_the_first_source_that_has_it():
    snapshot = SweepSnapshot(at=1.0, total=10, tally=SweepTally(distinct=10))
    batch = replace(
        BATCH,
        probes={"summary": Probe("running", 9, 4, 0), "run": Probe("queued", None, 3, None)},
        snapshot=snapshot,
        drift=2,
    )
    seen = view(batch, STATUSES, name="import", configured=True, labels=Labels("nightly", "flow"))
    assert (seen.state, seen.total, seen.processed, seen.failed) == ("queued", 9, 3, 0)
    assert ("import", True, True, snapshot, 2) == (
        seen.name,
        seen.configured,
        seen.open,
        seen.snapshot,
        seen.drift,
    )


def test_a_batch_never_probed_is_in_an_unknown_state():
    seen = view(BATCH, STATUSES, name="b1", configured=False, labels=Labels("", ""))
    assert (seen.state, seen.total) == ("unknown", None)


def test_the_open_the_configured_and_the_newest_closed_batches_have_gauges():
    closed = {"closed": 5.0, "outcome": "success"}
    rig = ClosingRig(
        (
            BATCH,
            numbered(2, **closed),
            numbered(3, closed=6.0, outcome="success"),
            numbered(4, claims_left=1),
            numbered(5, run="run_1"),
            numbered(6, closed=9.0, labels=None),
        ),
        configured=(ConfiguredBatch(id="b2", name="import"),),
        gauges=(sink := gauges()),
    )
    closed = [rig.batch("b3"), rig.batch("b6")]
    rig.ledger.recently_closed = lambda *_: closed  # type: ignore[method-assign]
    of_account = BatchGauges(rig.context, rig.closer)
    of_account.show_all()
    assert shown(sink, {}) == {"b1", "import"}


def test_showing_all_batches_replaces_those_of_an_earlier_poller_without_a_gap():
    rig = ClosingRig((BATCH, numbered(2)), gauges=(sink := gauges()))
    rig.ledger.save(numbered(3))
    other = replace(BATCH, ref=BatchRef("other", "x1"))
    sink.set_batch(view(other, STATUSES, name="x1", configured=False, labels=Labels("", "")))
    sink.set_found("acme", "import", found=True)
    sink.set_collector("acme", "usage", {(USAGE, ("acme", "daily")): 1.0})
    held: dict[str, set[tuple[str, ...]]] = {}
    BatchGauges(rig.context, rig.closer).show_all()
    assert shown(sink, held) == {"b1", "b2", "b3", "x1"}
    rig.ledger.drop("b2")
    BatchGauges(rig.context, rig.closer).show_all()
    changes = sink.snapshot().families
    assert {labels[3] for labels in changes[STATE]} == {"b2"}
    assert FOUND not in held
    assert held[USAGE] == {("acme", "daily")}


def test_a_configured_batch_shows_whether_the_api_knows_it():
    rig = ClosingRig(
        (BATCH,), configured=(ConfiguredBatch(id="b1", name="import"),), gauges=(sink := gauges())
    )
    of_account = BatchGauges(rig.context, rig.closer)
    of_account.show((BATCH,))
    assert FOUND not in sink.snapshot().families
    for changes, missing, found in (
        ({"probes": {"status": RUNNING}}, False, 1.0),
        ({"probes": {"status": RUNNING}}, True, 0.0),
        ({"probes_at_last_sweep": {}}, False, 1.0),
        ({"closed": 5.0, "outcome": "lost"}, False, 0.0),
    ):
        rig.closer.missing = {"b1"} if missing else set()
        of_account.show((replace(BATCH, **changes),))
        (sample,) = sink.snapshot().families[FOUND].values()
        assert sample is not None
        assert sample.value == found


def test_a_collector_that_is_too_old_loses_its_gauges():
    rig = ClosingRig(gauges=(sink := gauges()))
    sink.set_collector("acme", "usage", {(USAGE, ("acme", "daily")): 1.0})
    assert USAGE in sink.snapshot().families
    BatchGauges(rig.context, rig.closer).withdraw("usage")
    assert sink.snapshot().families[USAGE] == {("acme", "daily"): None}
