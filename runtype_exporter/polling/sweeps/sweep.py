"""Walking a batch's result pages so that every row is met, whatever moves meanwhile, and committing the way as it goes.

The rules at the top are pure; `Sweeper` at the bottom does the reading and the committing. It must
not know why a batch is swept.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, Picture, Prefix, Result, Seen, Sweep
from runtype_exporter.polling.batches import runs_without_batch
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.runtype import Client, PagingError, Priority, next_offset

CHUNK = 200
"""Rows applied between two yields to the event loop: a scrape waits no longer than one chunk takes.
"""
MOST_WORDS = 40
"""Status words that one batch's tally tells apart; hostile answers must not grow the ledger."""
OTHER = "other"


def begin(batch: Batch, now: float, *, full: bool, again: bool = False) -> Batch:
    """The batch with a new walk.

    From the first row, or from the last page of its final prefix, which is then to be verified
    first.
    """
    prefix = None if full else batch.prefix
    number = batch.sweeps + 1
    walk = Sweep(
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
    return replace(batch, sweeps=number, sweep=walk, prefix=prefix)


def digest(results: Sequence[Result]) -> str:
    """What tells whether these rows are still the same, in the same order and all final."""
    lines = (f"{result.key}\0{result.record_key}\0{result.outcome}" for result in results)
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def stands(prefix: Prefix, results: Sequence[Result]) -> bool:
    """Whether a page read at the prefix's last page still begins with the rows that stood there."""
    rows = results[: prefix.end - prefix.offset]
    return digest(rows) == prefix.digest


def advance(batch: Batch, seen: Seen, results: Sequence[Result], total: int) -> Batch:
    """The batch after some more rows at its sweep's offset."""
    sweep = _under_way(batch)
    merged = merge(sweep.seen, seen)
    end = sweep.offset + len(results)
    growing = sweep.growing and all(result.outcome is not None for result in results)
    prefix = batch.prefix
    if growing and results:
        prefix = Prefix(offset=sweep.offset, end=end, digest=digest(results), seen=merged)
    walk = replace(sweep, offset=end, seen=merged, total=max(sweep.total, total), growing=growing)
    return replace(batch, sweep=walk, prefix=prefix)


def merge(first: Seen, second: Seen) -> Seen:
    """Both together."""
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
    """The batch after its walk reached the end.

    Rows that moved while it walked may have slipped past it: a walk that met fewer rows than the
    API counts is walked once more, and if that one lacks rows too, the picture stays what it was
    and the drift tells.
    """
    sweep = _under_way(batch)
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


def _under_way(batch: Batch) -> Sweep:
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


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Reads pages and commits them."""

    client: Client
    ledger: Ledger
    labels: LabelTable
    status_words: StatusWords
    clock: Clock

    async def walk(
        self, batch_id: str, priority: Priority, *, full: bool, status: str | None
    ) -> tuple[Batch, Sweep] | None:
        """Walk a batch to the end, resuming a walk under way, and hand back the batch (its walk finished, not yet committed) and that walk.

        `status` filters the rows; such a walk counts nothing. None if the batch closed or left
        meanwhile.

        Raises:
            ApiError: a page could not be had; what was committed stays, and the walk resumes there.
            LedgerError: a page could not be committed.
        """
        while (batch := self._current(batch_id)) is not None:
            if batch.sweep is None:
                self.ledger.save(batch := begin(batch, self.clock.now(), full=full))
            try:
                last = await self._page(batch, _under_way(batch), priority, status)
            except PagingError:
                if (batch := self._current(batch_id)) is not None:
                    # Going on from there would only meet it again.
                    self.ledger.save(replace(batch, sweep=None, prefix=None))
                raise
            if not last:
                continue
            if (batch := self._current(batch_id)) is None:
                break
            walked = _under_way(batch)
            if (ended := finish(batch, self.clock.now())).sweep is None:
                return ended, walked
            self.ledger.save(ended)
        return None

    async def _page(
        self, asked: Batch, walk: Sweep, priority: Priority, status: str | None
    ) -> bool:
        """Read one page and apply it chunk by chunk. Whether it was the last one."""
        batch_id = asked.ref.id
        page = await runs_without_batch.read_page(
            self.client, asked, walk.offset, priority=priority, status=status
        )
        count = status is None
        # What lies before a walk's first page was met by the walk before.
        known = walk.seen.distinct if walk.pages else walk.offset
        following = next_offset(page, walk.offset, known=known, pages=walk.pages)
        results = self.status_words.results(page.data)
        batch = self._current(batch_id)
        if batch is None:
            return False
        if not walk.full and walk.pages == 0:
            prefix = batch.prefix
            if prefix is None or not stands(prefix, results):
                self.ledger.save(begin(replace(batch, prefix=None), self.clock.now(), full=True))
                return False
            verified = replace(
                walk, offset=prefix.end, seen=prefix.seen, pages=1, total=page.pagination.total
            )
            self.ledger.save(replace(batch, sweep=verified))
            results = results[prefix.end - prefix.offset :]
        elif not results:
            total = page.pagination.total
            self.ledger.save(replace(batch, sweep=replace(walk, total=max(walk.total, total))))
        for start in range(0, len(results), CHUNK):
            if (batch := self._current(batch_id)) is None:
                return False
            chunk = results[start : start + CHUNK]
            if batch.labels is None:
                batch = self.labels.freeze(batch, page.data)
            self._apply(batch, chunk, page.pagination.total, first=start == 0, count=count)
            await asyncio.sleep(0)
        after = self._current(batch_id)
        return following is None or (
            after is not None and runs_without_batch.repeats_first_page(after, walk)
        )

    def _apply(
        self, batch: Batch, results: Sequence[Result], total: int, *, first: bool, count: bool
    ) -> None:
        walk = _under_way(batch)
        batch = replace(batch, sweep=replace(walk, pages=walk.pages + first))
        self.ledger.apply(
            batch, results, lambda seen: advance(batch, seen, results, total), count=count
        )

    def _current(self, batch_id: str) -> Batch | None:
        batch = self.ledger.lookup((batch_id,)).get(batch_id)
        return batch if batch is not None and batch.closed is None else None
