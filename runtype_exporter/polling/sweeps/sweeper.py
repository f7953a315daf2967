"""Read the result pages of a batch and commit them as they come: the I/O half of a sweep.

Nothing is awaited between the look-up of a batch and its commit. Each chunk of a page is one
transaction, and everything else gets its turn between two of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from runtype_exporter.model import Batch, Result, Sweep
from runtype_exporter.polling.batches import runs_without_batch
from runtype_exporter.polling.batches.phase import believed
from runtype_exporter.polling.chunks import CHUNK
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.paged_read import read_page
from runtype_exporter.polling.sweeps.sweep import (
    Chunk,
    abort,
    advance,
    current_sweep,
    finish,
    resume_or_begin,
    skip,
    verify_prefix,
)
from runtype_exporter.runtype import (
    OffsetPagination,
    PagingError,
    Priority,
    ResultRow,
    ResultsPage,
    next_offset,
)


@dataclass(frozen=True, slots=True)
class _ReadPage:
    """A page of results that was read, and whether it is the last one of the sweep."""

    rows: Sequence[ResultRow]
    rejected: int
    """The rows that could not be understood. They are not among `rows`."""
    total: int
    """0 if it is not believed."""
    is_last: bool


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Reads the result pages of one account's batches and commits them."""

    context: AccountContext

    async def sweep(
        self, batch_id: str, priority: Priority, *, full: bool, status: str | None
    ) -> tuple[Batch, Sweep] | None:
        """Sweep a batch to the end. Go on with its present sweep if it has one.

        Return the batch with its sweep finished, and that sweep; None if the batch was closed or
        dropped in the meantime. The batch is not committed: the caller must do it before its next
        await. `status` filters the rows; such a sweep counts nothing.

        Raises:
            ReadFailed: a page could not be read. The next sweep goes on after the last committed
                one.
            LedgerError: a page could not be committed.
        """
        while True:
            now = self.context.now()
            batch = self._update(batch_id, partial(resume_or_begin, now=now, full=full))
            if batch is None:
                return None
            page = await self._read(batch, priority, status)
            ended = await self._commit(batch, page, count=status is None)
            if ended is not None and (finished := self._finish(ended)) is not None:
                operation = runs_without_batch.results_operation(batch)
                self.context.collectors.complete(operation, batch_id)
                return finished

    async def _read(self, asked: Batch, priority: Priority, status: str | None) -> _ReadPage:
        """Read the page at the offset of the sweep.

        `asked` is the batch before the page: it says what to read, and is never stored.
        """
        collectors, sweep = self.context.collectors, current_sweep(asked)
        operation, batch_id = runs_without_batch.results_operation(asked), asked.ref.id
        page = await read_page(
            collectors,
            operation,
            batch_id,
            self.context.page_sizes,
            partial(self._request, asked, priority, status),
            page=str(sweep.offset),
        )
        # Rows before the first page of a sweep were read by an earlier sweep.
        known = sweep.tally.distinct if sweep.pages else sweep.offset
        total = believed(page.pagination.total) or 0
        try:
            following = next_offset(
                _with_total(page, total), sweep.offset, known=known, pages=sweep.pages
            )
        except PagingError as error:
            # The same offset would only give the same error again.
            self._update(batch_id, abort)
            failure = collectors.fail(operation, batch_id, error)
        else:
            return _ReadPage(page.data, len(page.rejected), total, is_last=following is None)
        raise failure

    async def _request(
        self, asked: Batch, priority: Priority, status: str | None, limit: int
    ) -> ResultsPage:
        return await runs_without_batch.read_page(
            self.context.client,
            asked,
            current_sweep(asked).offset,
            limit=limit,
            priority=priority,
            status=status,
        )

    async def _commit(self, asked: Batch, page: _ReadPage, *, count: bool) -> Batch | None:
        """Apply a page chunk by chunk.

        Return the batch as it is stored now if that was the last page of its sweep, else None.
        """
        first = self._begin_page(asked, page)
        if first is None:
            return None
        for start in range(first, len(page.rows), CHUNK):
            if not self._apply(asked, page, start, is_first=start == first, count=count):
                return None
            await asyncio.sleep(0)
        after = self._current(asked)
        if after is None:
            return None
        repeats = runs_without_batch.repeats_first_page(after, current_sweep(asked))
        return after if page.is_last or repeats else None

    def _begin_page(self, asked: Batch, page: _ReadPage) -> int | None:
        """Store what a page says apart from its rows.

        Return the first row that is to be applied, None if the sweep does not go on.
        """
        batch, sweep = self._current(asked), current_sweep(asked)
        if batch is None:
            return None
        if not sweep.full and sweep.pages == 0:
            # The prefix ends with one chunk, so only so many rows are compared.
            results = self._results(page.rows[:CHUNK])
            verified = verify_prefix(batch, results, page.total, self.context.now())
            self.context.ledger.save(verified)
            after = current_sweep(verified)
            return None if after.full else after.offset - sweep.offset
        if not page.rows:
            # No chunk will commit what the page says.
            self.context.ledger.save(skip(batch, page.total, page.rejected))
        return 0

    def _apply(
        self, asked: Batch, page: _ReadPage, start: int, *, is_first: bool, count: bool
    ) -> bool:
        """Commit the chunk of a page from row `start` on. Return whether the sweep goes on."""
        batch = self._current(asked)
        if batch is None:
            return False
        if batch.labels is None:
            batch = self.context.labels.freeze(batch, page.rows)
        chunk = Chunk(
            self._results(page.rows[start : start + CHUNK]),
            page.total,
            is_first=is_first,
            whole_page=not page.rejected,
            skipped=page.rejected if start + CHUNK >= len(page.rows) else 0,
        )
        self.context.ledger.apply(
            batch,
            chunk.results,
            lambda seen: advance(batch, seen, chunk),
            now=self.context.now(),
            count=count,
        )
        return True

    def _finish(self, batch: Batch) -> tuple[Batch, Sweep] | None:
        """Return the batch with its sweep finished, not committed, and that sweep.

        None if the sweep was short and is repeated.
        """
        finished = finish(batch, self.context.now())
        if finished.sweep is None:
            return finished, current_sweep(batch)
        self.context.ledger.save(finished)
        return None

    def _results(self, rows: Sequence[ResultRow]) -> list[Result]:
        return self.context.status_words.results(rows, latest=self.context.api_time.latest())

    def _update(self, batch_id: str, change: Callable[[Batch], Batch]) -> Batch | None:
        """Change an open batch and return it. None if it was closed or dropped."""
        after = self.context.ledger.update(
            batch_id, lambda batch: change(batch) if batch.closed is None else batch
        )
        return after if after is not None and after.closed is None else None

    def _current(self, asked: Batch) -> Batch | None:
        """Return a batch as it is stored now. None if its sweep does not go on.

        The batch was closed or dropped then, or another sweep of it has begun.
        """
        batch = self.context.ledger.batches((asked.ref.id,)).get(asked.ref.id)
        if batch is None or batch.closed is not None or batch.sweep is None:
            return None
        return batch if batch.sweep.number == current_sweep(asked).number else None


def _with_total(page: ResultsPage, total: int) -> ResultsPage:
    """Return the page with the total that is believed."""
    where = page.pagination
    pagination = OffsetPagination(total=total, has_more=where.has_more, offset=where.offset)
    return ResultsPage(page.data, pagination, rejected=page.rejected)
