"""Read what each batch cost, once, after it closed.

Which costs are due is stored in the ledger, so a restart forgets none. The cost and the mark that
it was counted are committed together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import structlog

from runtype_exporter.catalogue import COST
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
    series = (COST.name, (closed.ref.account, *closed.labels))
    due = replace(closed, cost_due=True, failures=0, retry_at=0.0)
    return due, replace(delta, increments={**delta.increments, series: 0.0})


def with_cost(batch: Batch, dollars: float) -> tuple[Batch, Delta]:
    """Return the batch with its cost, and what the cost adds to the totals.

    Raises:
        ValueError: the cost of this batch is not due.
    """
    labels = batch.labels
    if not batch.cost_due or labels is None:
        message = "a batch's cost is counted once"
        raise ValueError(message)
    settled = replace(batch, cost=dollars, cost_due=False, failures=0, retry_at=0.0)
    return settled, Delta(increments={(COST.name, (batch.ref.account, *labels)): dollars})


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
        if (batch := self._due(batch_id)) is not None:
            settled, delta = with_cost(batch, answer.total_cost_usd)
            self.ledger.settle(delta, batches=(settled,))
            self.show((settled,))

    def _record_failure(self, batch_id: str, error: ApiError) -> None:
        """Let the cost of this batch back off. Give it up a day after the close."""
        now = self.clock.now()
        if (batch := self._due(batch_id)) is None:
            return
        if batch.closed is not None and now - batch.closed >= GIVEN_UP_AFTER:
            _log.warning("cost given up", account=self.account, batch=batch_id, error=str(error))
            self.ledger.save(replace(batch, cost_due=False))
        else:
            self.ledger.save(failed(batch, now, missing=False))

    def _due(self, batch_id: str) -> Batch | None:
        """Look the batch up again after an await. None if its cost is not due any more."""
        batch = self.ledger.lookup((batch_id,)).get(batch_id)
        return batch if batch is not None and batch.cost_due else None
