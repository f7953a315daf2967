"""Read what each batch cost, once, after it closed.

Which costs are due is stored in the ledger, so a restart forgets none. The cost and the mark that
it was counted are committed together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import structlog

from runtype_exporter.catalogue import COST, series
from runtype_exporter.clock import Clock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, Delta
from runtype_exporter.polling.batches.lifecycle import backing_off, failed
from runtype_exporter.polling.collectors import CollectorStates
from runtype_exporter.runtype import (
    ApiError,
    Client,
    NetworkError,
    NotFound,
    Throttled,
    Unauthorised,
)

GIVEN_UP_AFTER = 24 * 3600.0
"""A cost that could not be read this long after the close is given up, in seconds."""

_ACCOUNT_FAILURES = (Unauthorised, Throttled, NetworkError)
"""Failures of the whole account: they say nothing about the batch that was read."""

_log = structlog.get_logger()


def with_cost_due(closed: Batch, delta: Delta) -> tuple[Batch, Delta]:
    """Mark the cost of a closed batch as due, and add its cost series to what closing it adds.

    Change nothing if nothing of the batch is counted, or if the API cannot know its cost.
    """
    if not delta.increments or closed.labels is None or closed.run or closed.outcome == "lost":
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


@dataclass(slots=True)
class CostReads:
    """The cost reads of one account. `show` is called with each batch whose cost became known."""

    account: str
    client: Client
    ledger: Ledger
    collectors: CollectorStates
    clock: Clock
    show: Callable[[Iterable[Batch]], None]

    async def read(self) -> None:
        """Read every cost that is due and does not back off. Stop at a failure of the account.

        Raises:
            LedgerError: an answer could not be stored; that cost stays due.
        """
        for batch in self.ledger.costs_due(self.account):
            if backing_off(batch, self.clock.now()):
                continue
            error = await self.collectors.read_in_background(
                "cost", partial(self._read, batch.ref.id)
            )
            if isinstance(error, _ACCOUNT_FAILURES) or not self.collectors.is_enabled("cost"):
                break

    async def _read(self, batch_id: str) -> None:
        try:
            answer = await self.client.cost(batch_id)
        except _ACCOUNT_FAILURES:
            raise
        except ApiError as error:
            self._record_failure(batch_id, error)
            if isinstance(error, NotFound):
                # The API answered: only the cost of this batch is missing.
                return
            raise
        dollars = answer.total_cost_usd
        settled = self.ledger.update(
            batch_id, lambda batch: with_cost(batch, dollars) if batch.cost_due else batch
        )
        if settled is not None:
            self.show((settled,))

    def _record_failure(self, batch_id: str, error: ApiError) -> None:
        """Let the cost of this batch back off. Give it up a day after the close."""
        now = self.clock.now()

        def after_failure(batch: Batch) -> Batch:
            if not batch.cost_due:
                return batch
            if batch.closed is not None and now - batch.closed >= GIVEN_UP_AFTER:
                return replace(batch, cost_due=False)
            return failed(batch, now, missing=False)

        after = self.ledger.update(batch_id, after_failure)
        if after is not None and not after.cost_due and after.cost is None:
            _log.warning("cost given up", account=self.account, batch=batch_id, error=str(error))
