"""The status reads of single batches: those that no list shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from runtype_exporter.model import Batch
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.deadlines import last_change
from runtype_exporter.polling.batches.lifecycle import reading_of
from runtype_exporter.polling.batches.phase import Phase, phase
from runtype_exporter.polling.batches.sweep_wait import quiet_interval
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.discovery.cycle import CycleResult
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.polling.share import Share
from runtype_exporter.runtype import BatchStatus

PROBE_SHARE = 0.1
"""Status reads take at most this share of the request budget."""


@dataclass(slots=True)
class StatusProbes:
    """The status reads of one account."""

    context: AccountContext
    closer: BatchCloser
    share: Share
    """What the status reads may take of the budget."""
    show: Callable[[Iterable[Batch]], None]
    """Called with each batch whose status was read."""
    _probed: dict[str, float] = field(default_factory=dict, init=False)
    """When the status of each open batch was last read, in monotonic seconds."""
    _shown: frozenset[str] = field(default=frozenset(), init=False)
    """The batches that a list showed in the last cycle."""
    _may_read: bool = field(default=False, init=False)

    def add_cycle(self, result: CycleResult) -> None:
        """Take over which batches the lists of a cycle showed."""
        self._shown = result.shown
        # If both lists fail, do not send one request for each batch as well, unless they go on to
        # fail while the account answers other reads. Then nothing else shows how a batch stands.
        failure = result.failure
        self._may_read = (
            failure is None or bool(result.answered) or failure.reach is Reach.COLLECTOR
        )

    async def read(self) -> None:
        """Read the status of each open batch that no list shows and that is due.

        Raises:
            LedgerError: a change could not be stored.
        """
        context = self.context
        open_ids = [batch.ref.id for batch in context.ledger.open_batches(context.name)]
        self._probed = {
            batch_id: at for batch_id in open_ids if (at := self._probed.get(batch_id)) is not None
        }
        for batch_id in open_ids:
            if not (self._may_read and context.collectors.is_enabled("status")):
                return
            if self._is_due(batch_id):
                await self.share.take()
                await context.collectors.wait_for_account()
                if not await self._probe(batch_id):
                    return

    def _is_due(self, batch_id: str) -> bool:
        """Return whether the status of a batch is to be read now."""
        context = self.context
        batch = context.ledger.batches((batch_id,)).get(batch_id)
        if batch is None or batch.closed is not None or batch.run or batch_id in self._shown:
            return False
        # The closing sweep of a batch that ended shows more than its status.
        if phase(batch) is Phase.CLOSING:
            return False
        if not context.collectors.due("status", batch_id):
            return False
        probed = self._probed.get(batch_id)
        age = context.now() - last_change(batch)
        return probed is None or context.clock.monotonic() - probed >= quiet_interval(age)

    async def _probe(self, batch_id: str) -> bool:
        """Read the status of one batch. Return whether to go on with other batches."""
        context = self.context
        try:
            status = await context.collectors.read(
                "status", batch_id, partial(context.client.status, batch_id)
            )
        except ReadFailed as failure:
            if failure.reach is Reach.ITEM:
                failed = self.closer.record_failure(failure)
                self.show(() if failed is None else (failed,))
            return failure.reach is Reach.ITEM
        self._probed[batch_id] = context.clock.monotonic()
        self._store(batch_id, status)
        return True

    def _store(self, batch_id: str, status: BatchStatus) -> None:
        """Apply a status to its batch."""
        context = self.context
        reading, now = reading_of(status, context.api_time.latest()), context.now()
        self.closer.missing.discard(batch_id)

        def change(batch: Batch) -> Batch:
            if batch.closed is not None:
                return batch
            after = lifecycle.observe(batch, {"status": reading}, context.status_words, now)
            return replace(after, flow_id=after.flow_id or status.flow_id or "")

        after = context.ledger.update(batch_id, change)
        self.show(() if after is None else (after,))
