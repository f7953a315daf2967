"""Read what each batch cost, once, after it closed.

Which costs are due is stored in the ledger, so a restart forgets none. The cost and the mark that
it was counted are committed together. A cost that cannot be read backs off alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import structlog

from runtype_exporter.catalogue import COST, series
from runtype_exporter.model import GIVE_UP_REASONS, Batch, Delta
from runtype_exporter.polling.batches.deadlines import COST as COST_DEADLINE
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.failures import Reach, ReadFailed

_log = structlog.get_logger()


def with_cost_due(closed: Batch, delta: Delta) -> tuple[Batch, Delta]:
    """Mark the cost of a closed batch as due, and add its cost series to what closing it adds.

    Change nothing if nothing of the batch is counted, or if the API cannot know its cost.
    """
    given_up = closed.outcome in GIVE_UP_REASONS
    if not delta.increments or closed.labels is None or closed.run or given_up:
        return closed, delta
    cost = series(COST, account=closed.ref.account, **closed.labels._asdict())
    due = replace(closed, cost_due=True)
    return due, replace(delta, increments={**delta.increments, cost: 0.0})


def with_cost(batch: Batch, dollars: float) -> tuple[Batch, Delta]:
    """Return the batch with its cost, and what the cost adds to the totals.

    Raises:
        ValueError: the cost of this batch is not due.
    """
    labels = batch.labels
    if not batch.cost_due or labels is None:
        message = "a batch's cost is counted once"
        raise ValueError(message)
    settled = replace(batch, cost=dollars, cost_due=False)
    cost = series(COST, account=batch.ref.account, **labels._asdict())
    return settled, Delta(increments={cost: dollars})


@dataclass(frozen=True, slots=True)
class CostReads:
    """The cost reads of one account. `show` is called with each batch whose cost became known."""

    context: AccountContext
    show: Callable[[Iterable[Batch]], None]

    async def read_due(self) -> None:
        """Read every cost that is due and does not back off. Stop at a failure of the account.

        Raises:
            LedgerError: an answer could not be stored; that cost stays due.
        """
        collectors = self.context.collectors
        for batch in self.context.ledger.costs_due(self.context.name):
            if not collectors.is_enabled("cost"):
                break
            if not collectors.due("cost", batch.ref.id):
                continue
            try:
                await self._read(batch.ref.id)
            except ReadFailed as failure:
                if failure.reach is Reach.ACCOUNT:
                    break
                self._record_failure(failure)

    async def _read(self, batch_id: str) -> None:
        answer = await self.context.collectors.read(
            "cost", batch_id, partial(self.context.client.cost, batch_id)
        )
        dollars = answer.total_cost_usd
        settled = self.context.ledger.update(
            batch_id, lambda batch: with_cost(batch, dollars) if batch.cost_due else batch
        )
        if settled is not None:
            self.show((settled,))

    def _record_failure(self, failure: ReadFailed) -> None:
        """Give the cost of a batch up if its deadline has passed."""
        now = self.context.deadline_time()

        def after_failure(batch: Batch) -> Batch:
            over = batch.cost_due and COST_DEADLINE.passed(batch, now, 0.0)
            return replace(batch, cost_due=False) if over else batch

        before = self.context.ledger.batches((failure.item,)).get(failure.item)
        after = self.context.ledger.update(failure.item, after_failure)
        if after != before:
            self.context.collectors.forget("cost", failure.item)
            _log.warning(
                "cost given up",
                account=self.context.name,
                batch=failure.item,
                error=str(failure.error),
            )
