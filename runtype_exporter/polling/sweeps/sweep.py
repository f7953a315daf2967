"""The rules of a sweep: read every row of a batch once, whatever moves in the meantime. Pure.

A sweep can go on after any page, and after a restart. While a batch runs, it skips the final
prefix: the pages from the first on whose rows were all final.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from runtype_exporter.model import Batch, FinalPrefix, Result, Sweep, SweepSnapshot, SweepTally

MOST_WORDS = 40
"""Most status words tallied per batch: hostile answers must not grow the ledger."""
OTHER = "other"
"""The word under which all further status words are tallied."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a page, which are committed together.

    `total` is what the page says, as far as it is believed.
    """

    results: Sequence[Result]
    total: int
    is_first: bool = True
    """Whether it is the first one of its page."""
    whole_page: bool = True
    """Whether every row of the page could be understood."""
    skipped: int = 0
    """The rows after the chunk that could not be understood."""


def begin(batch: Batch, now: float, *, full: bool, is_retry: bool = False) -> Batch:
    """Return the batch with a new sweep.

    It begins at the first row, or at the last page of the final prefix, which it verifies first.
    """
    prefix = None if full else batch.prefix
    number = batch.sweeps + 1
    sweep = Sweep(
        number=number,
        full=prefix is None,
        is_retry=is_retry,
        offset=0 if prefix is None else prefix.offset,
        tally=SweepTally(),
        total=0,
        pages=0,
        probes_at_start=batch.probes,
        began=now,
        prefix_grows=True,
    )
    return replace(batch, sweeps=number, sweep=sweep, prefix=prefix)


def resume_or_begin(batch: Batch, now: float, *, full: bool) -> Batch:
    """Return the batch with its present sweep or, if it has none, with a new one."""
    return batch if batch.sweep is not None else begin(batch, now, full=full)


def abort(batch: Batch) -> Batch:
    """Return the batch without its sweep and its final prefix. The next sweep reads every row."""
    return replace(batch, sweep=None, prefix=None)


def verify_prefix(batch: Batch, results: Sequence[Result], total: int, now: float) -> Batch:
    """Return the batch after the first page of a sweep that began at the final prefix.

    If the prefix is unchanged, the sweep goes on after it. Else a sweep of all rows begins.

    Raises:
        ValueError: the batch has no sweep.
    """
    prefix = batch.prefix
    if prefix is None or not prefix_unchanged(prefix, results):
        return begin(batch, now, full=True)
    verified = replace(
        current_sweep(batch), offset=prefix.end, tally=prefix.tally, pages=1, total=total
    )
    return replace(batch, sweep=verified)


def skip(batch: Batch, total: int, rows: int) -> Batch:
    """Return the batch after a page with no row that could be understood, and so many others.

    Raises:
        ValueError: the batch has no sweep.
    """
    sweep = current_sweep(batch)
    skipped = replace(
        sweep,
        offset=sweep.offset + rows,
        total=max(sweep.total, total),
        pages=sweep.pages + 1,
        prefix_grows=sweep.prefix_grows and not rows,
    )
    return replace(batch, sweep=skipped)


def digest(results: Sequence[Result]) -> str:
    """Return a digest of the identities and outcomes of these rows, in order."""
    lines = (f"{result.key}\0{result.record_key}\0{result.outcome}" for result in results)
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def prefix_unchanged(prefix: FinalPrefix, results: Sequence[Result]) -> bool:
    """Return whether a page, read at the last page of the prefix, begins with the same rows."""
    rows = results[: prefix.end - prefix.offset]
    return digest(rows) == prefix.digest


def advance(batch: Batch, seen: SweepTally, chunk: Chunk) -> Batch:
    """Return the batch after some more rows at the offset of its sweep.

    `seen` are the figures of those rows that the sweep has not read before. The final prefix ends
    before a page with rows that could not be understood: no digest shows whether they change.

    Raises:
        ValueError: the batch has no sweep.
    """
    sweep, results = current_sweep(batch), chunk.results
    merged = merge_tallies(sweep.tally, seen)
    end = sweep.offset + len(results)
    growing = (
        sweep.prefix_grows
        and chunk.whole_page
        and all(result.outcome is not None for result in results)
    )
    prefix = batch.prefix
    if growing and results:
        prefix = FinalPrefix(offset=sweep.offset, end=end, digest=digest(results), tally=merged)
    advanced = replace(
        sweep,
        offset=end + chunk.skipped,
        tally=merged,
        total=max(sweep.total, chunk.total),
        pages=sweep.pages + chunk.is_first,
        prefix_grows=growing,
    )
    return replace(batch, sweep=advanced, prefix=prefix)


def merge_tallies(first: SweepTally, second: SweepTally) -> SweepTally:
    """Return the sum of two tallies."""
    statuses = dict(first.statuses)
    for word, count in second.statuses.items():
        key = word if word in statuses or len(statuses) < MOST_WORDS else OTHER
        statuses[key] = statuses.get(key, 0) + count
    return SweepTally(
        distinct=first.distinct + second.distinct,
        unfinished=first.unfinished + second.unfinished,
        statuses=statuses,
        last_finished=_pick(max, first.last_finished, second.last_finished),
        oldest_unfinished=_pick(min, first.oldest_unfinished, second.oldest_unfinished),
        paused=first.paused + second.paused,
    )


def finish(batch: Batch, now: float) -> Batch:
    """Return the batch after its sweep reached the end.

    Rows may have moved past the sweep. If it read fewer rows than the API counts, it is repeated
    once. If the repetition is short too, the previous snapshot is kept and the difference is
    reported as drift.

    Raises:
        ValueError: the batch has no sweep.
    """
    sweep = current_sweep(batch)
    short = sweep.tally.distinct < sweep.total
    if short and not sweep.is_retry:
        return begin(batch, now, full=True, is_retry=True)
    return replace(
        batch,
        sweep=None,
        probes_at_last_sweep={**(batch.probes_at_last_sweep or {}), **sweep.probes_at_start},
        snapshot=batch.snapshot
        if short
        else SweepSnapshot(at=now, total=sweep.total, tally=sweep.tally),
        drift=abs(sweep.total - sweep.tally.distinct),
    )


def current_sweep(batch: Batch) -> Sweep:
    """Return the sweep of the batch.

    Raises:
        ValueError: the batch has no sweep.
    """
    if batch.sweep is None:
        message = "no sweep of this batch is under way"
        raise ValueError(message)
    return batch.sweep


def _pick(
    choose: Callable[[float, float], float], first: float | None, second: float | None
) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return choose(first, second)
