"""What a batch shows: its phase, its end and its counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.model import Batch, BatchRef, Labels, Probe
from runtype_exporter.polling.batches import phase as phases
from runtype_exporter.polling.batches.phase import Phase, dirty, phase
from runtype_exporter.polling.status_words import StatusWords
from tests.support.counted import SWEEP

STATUSES = StatusWords()
RUNNING = Probe("running", 10, 3, 0)
DONE = Probe("completed", 10, 10, 1)
BATCH = Batch(ref=BatchRef("acme", "b1"), first_seen=0.0)
CLEAN = replace(BATCH, probes={"run": DONE}, probes_at_last_sweep={"run": DONE})


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (replace(BATCH, claims_left=1), Phase.UNCLAIMED),
        (replace(BATCH, claims_left=1, ended=1.0), Phase.UNCLAIMED),
        (BATCH, Phase.OPEN),
        (replace(CLEAN, sweep=SWEEP), Phase.OPEN),
        (replace(CLEAN, ended=1.0), Phase.ENDED),
        (replace(CLEAN, ended=1.0, sweep=SWEEP), Phase.CLOSING),
        (replace(CLEAN, ended=1.0, probes={"run": RUNNING}), Phase.CLOSING),
        (replace(CLEAN, ended=1.0, closed=2.0), Phase.CLOSED),
        (replace(BATCH, claims_left=1, closed=2.0), Phase.CLOSED),
    ],
)
def test_a_batch_is_in_exactly_one_phase(batch, expected):
    assert expected is phase(batch)


def test_the_run_lists_word_for_the_end_goes_before_the_others():
    batch = replace(
        BATCH, probes={"summary": DONE, "run": Probe("failed", 1, 1, 1), "status": DONE}
    )
    assert phases.ending(batch, STATUSES) == "failure"
    assert phases.ending(BATCH, STATUSES) is None
    assert phases.ending(replace(batch, probes={**batch.probes, "status": RUNNING}), STATUSES) is (
        None
    )


def test_an_unknown_word_is_an_end_once_the_api_gives_its_time():
    strange = replace(BATCH, probes={"run": Probe("archived", 1, 1, 0)})
    assert phases.ending(strange, STATUSES) is None
    assert phases.ending(replace(strange, completed=50.0), STATUSES) == "unknown"


def test_earlier_probes_show_whether_the_batch_had_ended_then():
    assert phases.ended_by({"run": DONE}, BATCH, STATUSES)
    assert not phases.ended_by({"run": RUNNING}, BATCH, STATUSES)
    assert not phases.ended_by({}, BATCH, STATUSES)


def test_a_batch_is_dirty_until_swept_and_when_a_source_reads_otherwise_than_before_that_sweep():
    assert dirty(replace(BATCH, probes={"run": RUNNING}))
    assert not dirty(CLEAN)
    assert dirty(replace(CLEAN, probes={"run": RUNNING}))
    assert dirty(replace(CLEAN, probes={"run": DONE, "status": DONE}))
    assert dirty(replace(CLEAN, probes={}))


def test_a_batch_of_which_only_404_was_ever_read_was_never_found():
    denied = replace(BATCH, missing_since=1.0)
    assert phases.never_found(denied)
    assert not phases.never_found(BATCH)
    for trace in (
        {"probes": {"status": RUNNING}},
        {"probes_at_last_sweep": {}},
        {"labels": Labels("", "f")},
        {"schedule": "s1"},
    ):
        assert phases.found(replace(denied, **trace))
        assert not phases.never_found(replace(denied, **trace))


@pytest.mark.parametrize(
    ("total", "believed"), [(None, None), (0, 0), (50_000, 50_000), (50_001, None), (2**53, None)]
)
def test_a_total_that_no_batch_can_have_is_not_believed(total, believed):
    assert believed == phases.believed(total)


def test_as_many_records_are_expected_as_the_largest_believed_total_says():
    probes = {
        "run": Probe("running", 2**53, 1, 0),
        "summary": Probe("running", 7, 1, 0),
        "status": Probe("running", None, None, None),
    }
    assert phases.expected(replace(BATCH, probes=probes)) == 7
    assert phases.expected(replace(BATCH, probes={"run": probes["run"]})) is None
    assert phases.expected(BATCH) is None
