"""The rules of a sweep: read every row of a batch once, whatever moves in the meantime. Pure.

A sweep can go on after any page, and after a restart. While a batch runs, it skips the final
prefix: the pages from the first on whose rows were all final.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from runtype_exporter.model import Batch, Picture, Prefix, Result, Seen, Sweep

MOST_WORDS = 40
"""Most status words tallied per batch: hostile answers must not grow the ledger."""
OTHER = "other"
"""The word under which all further status words are tallied."""


def begin(batch: Batch, now: float, *, full: bool, again: bool = False) -> Batch:
    """Return the batch with a new sweep.

    It begins at the first row, or at the last page of the final prefix, which it verifies first.
    """
    prefix = None if full else batch.prefix
    number = batch.sweeps + 1
    sweep = Sweep(
        number=number,
        full=prefix is None,
        again=again,
        offset=0 if prefix is None else prefix.offset,
        seen=Seen(),
        total=0,
        pages=0,
        before=batch.probes,
        began=now,
        growing=True,
    )
    return replace(batch, sweeps=number, sweep=sweep, prefix=prefix)


def digest(results: Sequence[Result]) -> str:
    """Return a digest of the identities and outcomes of these rows, in order."""
    lines = (f"{result.key}\0{result.record_key}\0{result.outcome}" for result in results)
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def prefix_unchanged(prefix: Prefix, results: Sequence[Result]) -> bool:
    """Return whether a page, read at the last page of the prefix, begins with the same rows."""
    rows = results[: prefix.end - prefix.offset]
    return digest(rows) == prefix.digest


def advance(batch: Batch, seen: Seen, results: Sequence[Result], total: int) -> Batch:
    """Return the batch after some more rows at the offset of its sweep.

    Raises:
        ValueError: the batch has no sweep.
    """
    sweep = current_sweep(batch)
    merged = merge_tallies(sweep.seen, seen)
    end = sweep.offset + len(results)
    growing = sweep.growing and all(result.outcome is not None for result in results)
    prefix = batch.prefix
    if growing and results:
        prefix = Prefix(offset=sweep.offset, end=end, digest=digest(results), seen=merged)
    advanced = replace(
        sweep, offset=end, seen=merged, total=max(sweep.total, total), growing=growing
    )
    return replace(batch, sweep=advanced, prefix=prefix)


def merge_tallies(first: Seen, second: Seen) -> Seen:
    """Return the sum of two tallies."""
    statuses = dict(first.statuses)
    for word, count in second.statuses.items():
        key = word if word in statuses or len(statuses) < MOST_WORDS else OTHER
        statuses[key] = statuses.get(key, 0) + count
    return Seen(
        distinct=first.distinct + second.distinct,
        unfinished=first.unfinished + second.unfinished,
        statuses=statuses,
        last_finished=_pick(max, first.last_finished, second.last_finished),
        oldest_unfinished=_pick(min, first.oldest_unfinished, second.oldest_unfinished),
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
    short = sweep.seen.distinct < sweep.total
    if short and not sweep.again:
        return replace(
            begin(replace(batch, prefix=None), now, full=True, again=True), drift=batch.drift
        )
    return replace(
        batch,
        sweep=None,
        swept={**(batch.swept or {}), **sweep.before},
        picture=batch.picture if short else Picture(at=now, total=sweep.total, seen=sweep.seen),
        drift=abs(sweep.total - sweep.seen.distinct),
        failures=0,
        retry_at=0.0,
        missing_since=None,
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
