"""Read batches that were given up again, once a day, and open those that can be read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from runtype_exporter.model import Batch
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.lifecycle import reading_of
from runtype_exporter.polling.batches.reopening import reopenable
from runtype_exporter.polling.batches.runs_without_batch import read_page, results_operation
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.runtype import Priority


@dataclass(frozen=True, slots=True)
class Rereads:
    """The reads of one account's batches that were given up."""

    context: AccountContext
    closer: BatchCloser

    async def read_due(self) -> list[Batch]:
        """Read each batch that is due. Return those that are open again.

        Stop at a failure of the account.

        Raises:
            LedgerError: an answer could not be stored; that batch stays due.
        """
        opened: list[Batch] = []
        for batch in self.closer.due_for_reread():
            if not self.context.collectors.is_enabled(results_operation(batch)):
                continue
            try:
                worth_it = await self._is_worth_it(batch)
            except ReadFailed as failure:
                if failure.reach is Reach.ACCOUNT:
                    break
                # It was known to be sick. That says nothing about the collector.
                self.context.collectors.forget(failure.collector, failure.item)
                worth_it = False
            if not worth_it:
                self._put_off(batch.ref.id)
            elif (after := self._open(batch.ref.id)) is not None:
                opened.append(after)
        return opened

    async def _is_worth_it(self, batch: Batch) -> bool:
        """Return whether a batch can be read and, if it was stale, has changed.

        The page is read at which its last sweep stopped: the others may have been good all along.

        Raises:
            ReadFailed: it cannot be read.
        """
        context = self.context
        page = await context.collectors.read(
            results_operation(batch),
            batch.ref.id,
            partial(
                read_page,
                context.client,
                batch,
                0 if batch.sweep is None else batch.sweep.offset,
                limit=batch.page_size or context.client.page_size,
                priority=Priority.EXTRA,
                status=None,
            ),
        )
        if batch.outcome != "stale":
            return True
        total = page.pagination.total
        if batch.snapshot is None or total != batch.snapshot.total:
            return True
        return not batch.run and await self._status_changed(batch)

    async def _status_changed(self, batch: Batch) -> bool:
        """Return whether the status read shows something else than before it was given up.

        A first answer of the status read is stored, so that the next one has something to compare.
        """
        context = self.context
        if not context.collectors.is_enabled("status"):
            return False
        status = await context.collectors.read(
            "status",
            batch.ref.id,
            partial(context.client.status, batch.ref.id, priority=Priority.EXTRA),
        )
        reading = reading_of(status, context.api_time.latest())
        now = context.now()
        after = context.ledger.update(
            batch.ref.id,
            lambda stored: (
                lifecycle.changed_late(
                    stored,
                    {"status": reading},
                    context.status_words,
                    now,
                    reopens=reopenable(stored, now, context.retention),
                )
                if stored.given_up
                else stored
            ),
        )
        return after is not None and after.closed is None

    def _open(self, batch_id: str) -> Batch | None:
        """Open a batch again. None if the ledger has forgotten it."""
        stored = self.context.ledger.batches((batch_id,)).get(batch_id)
        if stored is None or not stored.given_up:
            # A change that a list or its status showed has opened it already.
            return stored
        return self.closer.reopen(batch_id)

    def _put_off(self, batch_id: str) -> None:
        """Store that a batch was read again, so that the next try comes a day later."""
        now = self.context.now()
        self.context.ledger.update(
            batch_id, lambda batch: lifecycle.reread(batch, now) if batch.given_up else batch
        )
