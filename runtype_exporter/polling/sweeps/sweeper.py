"""Read the result pages of a batch and commit them as they come: the I/O half of a sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, Result, Sweep
from runtype_exporter.polling.batches import runs_without_batch
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.polling.sweeps.sweep import (
    abort,
    advance,
    current_sweep,
    finish,
    raise_total,
    resume_or_begin,
    verify_prefix,
)
from runtype_exporter.runtype import Client, PagingError, Priority, ResultsPage, next_offset

CHUNK = 200
"""Rows applied between two yields to the event loop: a scrape waits for one chunk at most."""


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Reads the result pages of one account's batches and commits them."""

    client: Client
    ledger: Ledger
    labels: LabelTable
    status_words: StatusWords
    clock: Clock

    async def sweep(
        self, batch_id: str, priority: Priority, *, full: bool, status: str | None
    ) -> tuple[Batch, Sweep] | None:
        """Sweep a batch to the end. Go on with its present sweep if it has one.

        Return the batch with its sweep finished, and that sweep; None if the batch was closed or
        dropped in the meantime. The batch is not committed: the caller must do it before its next
        await. `status` filters the rows; such a sweep counts nothing.

        Raises:
            ApiError: a page could not be read. The next sweep goes on after the last committed one.
            LedgerError: a page could not be committed.
        """
        while True:
            now = self.clock.now()
            batch = self._update(batch_id, partial(resume_or_begin, now=now, full=full))
            if batch is None:
                return None
            try:
                last = await self._read_page(batch, priority, status)
            except PagingError:
                # The same offset would only give the same error again.
                self._update(batch_id, abort)
                raise
            if last and (finished := self._finish(batch_id)) is not None:
                return finished

    async def _read_page(self, asked: Batch, priority: Priority, status: str | None) -> bool:
        """Read one page and apply it chunk by chunk. Return whether it was the last one.

        `asked` is the batch before the page: it says what to read, and is never stored.
        """
        batch_id, sweep = asked.ref.id, current_sweep(asked)
        page = await runs_without_batch.read_page(
            self.client, asked, sweep.offset, priority=priority, status=status
        )
        # Rows before the first page of a sweep were read by an earlier sweep.
        known = sweep.tally.distinct if sweep.pages else sweep.offset
        following = next_offset(page, sweep.offset, known=known, pages=sweep.pages)
        results = self.status_words.results(page.data)
        total = page.pagination.total
        if not sweep.full and sweep.pages == 0:
            now = self.clock.now()
            verify = partial(verify_prefix, results=results, total=total, now=now)
            verified = self._update(batch_id, verify)
            if verified is None or current_sweep(verified).full:
                return False
            results = results[current_sweep(verified).offset - sweep.offset :]
        elif not results:
            # No chunk will commit the page's total.
            self._update(batch_id, partial(raise_total, total=total))
        for start in range(0, len(results), CHUNK):
            chunk = results[start : start + CHUNK]
            if not self._apply(batch_id, page, chunk, first=start == 0, count=status is None):
                return False
            await asyncio.sleep(0)
        after = self._open(batch_id)
        return following is None or (
            after is not None and runs_without_batch.repeats_first_page(after, sweep)
        )

    def _apply(
        self,
        batch_id: str,
        page: ResultsPage,
        results: Sequence[Result],
        *,
        first: bool,
        count: bool,
    ) -> bool:
        """Commit one chunk of a page. Return whether the batch is still open."""
        batch = self._open(batch_id)
        if batch is None:
            return False
        if batch.labels is None:
            batch = self.labels.freeze(batch, page.data)
        sweep, total = current_sweep(batch), page.pagination.total
        batch = replace(batch, sweep=replace(sweep, pages=sweep.pages + first))
        self.ledger.apply(
            batch,
            results,
            lambda tally: advance(batch, tally, results, total),
            now=self.clock.now(),
            count=count,
        )
        return True

    def _finish(self, batch_id: str) -> tuple[Batch, Sweep] | None:
        """Return the batch with its sweep finished, not committed, and that sweep.

        None if the sweep was short and is repeated, or if the batch was closed or dropped.
        """
        batch = self._open(batch_id)
        if batch is None:
            return None
        finished = finish(batch, self.clock.now())
        if finished.sweep is None:
            return finished, current_sweep(batch)
        self.ledger.save(finished)
        return None

    def _update(self, batch_id: str, change: Callable[[Batch], Batch]) -> Batch | None:
        """Change a batch as it is stored now. None if it was closed or dropped."""
        after = self.ledger.update(
            batch_id, lambda batch: change(batch) if batch.closed is None else batch
        )
        return after if after is not None and after.closed is None else None

    def _open(self, batch_id: str) -> Batch | None:
        """Return a batch as it is stored now. None if it was closed or dropped."""
        batch = self.ledger.batches((batch_id,)).get(batch_id)
        return batch if batch is not None and batch.closed is None else None
