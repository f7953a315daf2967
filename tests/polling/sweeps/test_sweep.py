"""The rules of a sweep: its prefix, its tally, its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.model import Batch, BatchRef, Labels, Probe, Result, SweepSnapshot, SweepTally
from runtype_exporter.polling.batches.phase import dirty
from runtype_exporter.polling.sweeps import sweep
from runtype_exporter.polling.sweeps.sweep import Chunk

BATCH = Batch(
    ref=BatchRef("acme", "b1"),
    first_seen=0.0,
    labels=Labels("", "flow"),
    probes={"run": Probe("running", 9, 1, 0)},
)


def result(key: str, outcome: str | None = "success") -> Result:
    return Result(
        key,
        f"record {key}",
        "completed" if outcome else "running",
        outcome,
        1.0,
        2.0 if outcome else None,
        "",
    )


def results(word: str, outcome: str | None = "success") -> list[Result]:
    return [result(letter, outcome) for letter in word]


def seen_of(rows: list[Result]) -> SweepTally:
    return SweepTally(distinct=len(rows), unfinished=sum(row.outcome is None for row in rows))


def advanced(batch: Batch, *pages: list[Result], total: int) -> Batch:
    for page in pages:
        batch = sweep.advance(batch, seen_of(page), Chunk(page, total))
    return batch


def test_the_final_prefix_grows_until_the_first_row_that_is_not_final():
    batch = advanced(
        sweep.begin(BATCH, 5.0, full=False),
        results("ab"),
        results("cd"),
        [*results("e"), result("f", None)],
        total=8,
    )
    assert (batch.prefix.offset, batch.prefix.end, batch.prefix.tally.distinct) == (2, 4, 4)
    batch = advanced(batch, results("gh"), total=8)
    assert batch.prefix.end == 4
    assert (batch.sweep.offset, batch.sweep.tally.distinct, batch.sweep.prefix_grows) == (
        8,
        8,
        False,
    )


def test_an_empty_page_leaves_the_prefix_as_it_is():
    batch = advanced(sweep.begin(BATCH, 5.0, full=False), results("ab"), [], total=2)
    assert (batch.prefix.offset, batch.prefix.end) == (0, 2)


def test_the_next_sweep_begins_at_the_prefixs_last_page_and_a_full_one_at_the_first_row():
    batch = advanced(sweep.begin(BATCH, 5.0, full=False), results("ab"), results("cd"), total=4)
    ended = sweep.finish(batch, 6.0)
    following = sweep.begin(ended, 8.0, full=False).sweep
    assert (following.full, following.offset, following.number, following.probes_at_start) == (
        False,
        2,
        2,
        BATCH.probes,
    )
    full = sweep.begin(ended, 8.0, full=True)
    assert (full.sweep.full, full.sweep.offset, full.prefix) == (True, 0, None)


def test_a_prefix_stands_while_its_last_page_begins_with_the_same_final_rows():
    prefix = advanced(sweep.begin(BATCH, 5.0, full=False), results("ab"), total=2).prefix
    assert sweep.prefix_unchanged(prefix, [*results("ab"), result("c", None)])
    assert not sweep.prefix_unchanged(prefix, results("ba"))
    assert not sweep.prefix_unchanged(prefix, results("a"))
    assert not sweep.prefix_unchanged(prefix, [result("a"), result("b", "failure")])
    assert not sweep.prefix_unchanged(prefix, [result("a"), result("b", None)])


def test_a_sweep_goes_on_after_an_unchanged_prefix_else_it_reads_every_row():
    ended = sweep.finish(
        advanced(sweep.begin(BATCH, 5.0, full=False), results("ab"), results("cd"), total=4), 6.0
    )
    begun = sweep.resume_or_begin(ended, 7.0, full=False)
    assert sweep.resume_or_begin(begun, 8.0, full=True) is begun
    page = [*results("cd"), result("e", None)]
    verified = sweep.verify_prefix(begun, page, 5, 8.0)
    assert (verified.sweep.offset, verified.sweep.tally.distinct) == (4, 4)
    assert (verified.sweep.pages, verified.sweep.total, verified.prefix) == (1, 5, ended.prefix)
    full = sweep.begin(begun, 8.0, full=True)
    assert sweep.verify_prefix(begun, results("dc"), 5, 8.0) == full
    assert sweep.verify_prefix(replace(begun, prefix=None), page, 5, 8.0) == full
    assert (full.sweep.full, full.sweep.offset, full.prefix) == (True, 0, None)


def test_a_page_without_rows_only_raises_the_total():
    batch = advanced(sweep.begin(BATCH, 5.0, full=True), results("ab"), total=2)
    raised = sweep.skip(batch, 3, rows=0)
    assert raised == replace(batch, sweep=replace(batch.sweep, total=3, pages=2))
    assert sweep.skip(raised, 2, rows=0).sweep.total == 3


def test_rows_that_cannot_be_understood_are_skipped_and_end_the_prefix():
    begun = sweep.begin(BATCH, 5.0, full=False)
    only = sweep.skip(begun, 9, rows=4)
    assert (only.sweep.offset, only.sweep.total, only.sweep.pages) == (4, 9, 1)
    assert not only.sweep.prefix_grows
    # A page of three rows, one of which cannot be understood, in two chunks.
    first = Chunk(results("a"), 9, whole_page=False)
    last = Chunk(results("b"), 9, is_first=False, whole_page=False, skipped=1)
    batch = sweep.advance(begun, seen_of(results("a")), first)
    batch = sweep.advance(batch, seen_of(results("b")), last)
    assert (batch.sweep.offset, batch.sweep.pages, batch.sweep.tally.distinct) == (3, 1, 2)
    assert (batch.prefix, batch.sweep.prefix_grows) == (None, False)


def test_an_aborted_sweep_is_followed_by_one_of_all_rows():
    batch = advanced(sweep.begin(BATCH, 5.0, full=False), results("ab"), total=3)
    following = sweep.resume_or_begin(sweep.abort(batch), 6.0, full=False)
    assert (following.sweep.full, following.sweep.offset, following.sweep.number) == (True, 0, 2)


def test_status_words_beyond_the_cap_are_pooled():
    many = SweepTally(statuses={f"word {number}": 1 for number in range(sweep.MOST_WORDS)})
    merged = sweep.merge_tallies(many, SweepTally(statuses={"word 0": 2, "new": 3, "newer": 4}))
    assert len(merged.statuses) == sweep.MOST_WORDS + 1
    assert (merged.statuses["word 0"], merged.statuses[sweep.OTHER]) == (3, 7)


def test_what_two_pages_showed_adds_up():
    first = SweepTally(2, 1, {"a": 2}, last_finished=5.0, oldest_unfinished=None)
    second = SweepTally(3, 2, {"a": 1, "b": 2}, last_finished=4.0, oldest_unfinished=3.0)
    assert sweep.merge_tallies(first, second) == SweepTally(5, 3, {"a": 3, "b": 2}, 5.0, 3.0)
    assert sweep.merge_tallies(SweepTally(), SweepTally()) == SweepTally()
    assert sweep.merge_tallies(second, SweepTally(oldest_unfinished=2.0)).oldest_unfinished == 2.0


def test_a_sweep_that_lacks_rows_is_repeated_once_and_keeps_the_old_snapshot():
    old = SweepSnapshot(at=1.0, total=2, tally=SweepTally(distinct=2))
    batch = Batch(
        ref=BATCH.ref,
        first_seen=0.0,
        snapshot=old,
        drift=7,
        probes=BATCH.probes,
    )
    again = sweep.finish(advanced(sweep.begin(batch, 5.0, full=False), results("ab"), total=3), 6.0)
    assert (
        again.sweep.full,
        again.sweep.is_retry,
        again.sweep.began,
        again.drift,
        again.prefix,
    ) == (
        True,
        True,
        6.0,
        7,
        None,
    )
    ended = sweep.finish(advanced(again, results("ab"), total=3), 7.0)
    assert (ended.sweep, ended.snapshot, ended.drift, ended.probes_at_last_sweep) == (
        None,
        old,
        1,
        BATCH.probes,
    )


def test_a_complete_sweep_is_the_new_snapshot():
    batch = sweep.begin(
        Batch(
            ref=BATCH.ref,
            first_seen=0.0,
            probes_at_last_sweep={"summary": Probe("running", 1, 1, 0)},
            probes=BATCH.probes,
        ),
        5.0,
        full=True,
    )
    ended = sweep.finish(advanced(batch, results("abc"), total=2), 6.0)
    assert (ended.snapshot, ended.drift) == (
        SweepSnapshot(at=6.0, total=2, tally=SweepTally(distinct=3)),
        1,
    )
    assert ended.probes_at_last_sweep == {"summary": Probe("running", 1, 1, 0), **BATCH.probes}


def test_what_a_cycle_reads_during_a_sweep_is_not_taken_for_swept():
    batch = sweep.begin(BATCH, 5.0, full=True)
    read_since = replace(batch, probes={"run": Probe("running", 9, 5, 0)})
    ended = sweep.finish(advanced(read_since, results("abc"), total=3), 6.0)
    assert ended.probes_at_last_sweep == BATCH.probes
    assert dirty(ended)


def test_only_a_batch_with_a_sweep_can_finish_one():
    with pytest.raises(ValueError, match="no sweep of this batch is under way"):
        sweep.finish(BATCH, 1.0)
