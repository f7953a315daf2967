"""Read the result pages of a batch and commit them as they come: the I/O half of a sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, Result, Sweep
from runtype_exporter.polling.batches import runs_without_batch
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.polling.sweeps.sweep import (
    advance,
    begin,
    current_sweep,
    finish,
    prefix_unchanged,
)
from runtype_exporter.runtype import Client, PagingError, Priority, next_offset

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

        Return the batch with its sweep finished, not yet committed, and that sweep; None if the
        batch was closed or dropped in the meantime. `status` filters the rows; such a sweep counts
        nothing.

        Raises:
            ApiError: a page could not be read. The next sweep goes on after the last committed one.
            LedgerError: a page could not be committed.
        """
        while (batch := self._current(batch_id)) is not None:
            if batch.sweep is None:
                self.ledger.save(batch := begin(batch, self.clock.now(), full=full))
            try:
                last = await self._page(batch, current_sweep(batch), priority, status)
            except PagingError:
                if (batch := self._current(batch_id)) is not None:
                    # The same offset would only give the same error again.
                    self.ledger.save(replace(batch, sweep=None, prefix=None))
                raise
            if not last:
                continue
            if (batch := self._current(batch_id)) is None:
                break
            swept = current_sweep(batch)
            if (finished := finish(batch, self.clock.now())).sweep is None:
                return finished, swept
            # The sweep was short: it is repeated once.
            self.ledger.save(finished)
        return None

    async def _page(
        self, asked: Batch, sweep: Sweep, priority: Priority, status: str | None
    ) -> bool:
        """Read one page and apply it chunk by chunk. Return whether it was the last one."""
        batch_id = asked.ref.id
        page = await runs_without_batch.read_page(
            self.client, asked, sweep.offset, priority=priority, status=status
        )
        count = status is None
        # Rows before the first page of a sweep were read by an earlier sweep.
        known = sweep.tally.distinct if sweep.pages else sweep.offset
        following = next_offset(page, sweep.offset, known=known, pages=sweep.pages)
        results = self.status_words.results(page.data)
        batch = self._current(batch_id)
        if batch is None:
            return False
        if not sweep.full and sweep.pages == 0:
            # The first page verifies the final prefix: skip it if it is unchanged, else begin again
            # at the first row.
            prefix = batch.prefix
            if prefix is None or not prefix_unchanged(prefix, results):
                self.ledger.save(begin(replace(batch, prefix=None), self.clock.now(), full=True))
                return False
            verified = replace(
                sweep, offset=prefix.end, tally=prefix.tally, pages=1, total=page.pagination.total
            )
            self.ledger.save(replace(batch, sweep=verified))
            results = results[prefix.end - prefix.offset :]
        elif not results:
            # No chunk will commit the page's total.
            total = page.pagination.total
            self.ledger.save(replace(batch, sweep=replace(sweep, total=max(sweep.total, total))))
        for start in range(0, len(results), CHUNK):
            # Looked up again for each chunk: the yield below is an await.
            if (batch := self._current(batch_id)) is None:
                return False
            chunk = results[start : start + CHUNK]
            if batch.labels is None:
                batch = self.labels.freeze(batch, page.data)
            self._apply(batch, chunk, page.pagination.total, first=start == 0, count=count)
            await asyncio.sleep(0)
        after = self._current(batch_id)
        return following is None or (
            after is not None and runs_without_batch.repeats_first_page(after, sweep)
        )

    def _apply(
        self, batch: Batch, results: Sequence[Result], total: int, *, first: bool, count: bool
    ) -> None:
        sweep = current_sweep(batch)
        batch = replace(batch, sweep=replace(sweep, pages=sweep.pages + first))
        self.ledger.apply(
            batch, results, lambda seen: advance(batch, seen, results, total), count=count
        )

    def _current(self, batch_id: str) -> Batch | None:
        """Look a batch up again after an await. None if it was closed or dropped."""
        batch = self.ledger.batches((batch_id,)).get(batch_id)
        return batch if batch is not None and batch.closed is None else None
