"""What batches cost: asked for once each, after they closed, until the API tells it or that is given up.

What is still due stands in the ledger, so a restart forgets none; the cost and the mark that it was
counted are committed together.
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
"""For how long a closed batch's cost is asked for, seconds."""

_EVERYBODYS = (Unauthorised, Throttled, NetworkError)
"""Failures that say nothing about the batch that was asked for."""

_log = structlog.get_logger()


def with_cost_due(closed: Batch, delta: Delta) -> tuple[Batch, Delta]:
    """A batch whose closing adds `delta`, with its cost due, unless nothing of it is counted or the API cannot know its cost."""
    if not delta.increments or closed.labels is None or closed.run or closed.outcome == "lost":
        return closed, delta
    series = (COST.name, (closed.ref.account, *closed.labels))
    due = replace(closed, cost_due=True, failures=0, retry_at=0.0)
    return due, replace(delta, increments={**delta.increments, series: 0.0})


def with_cost(batch: Batch, dollars: float) -> tuple[Batch, Delta]:
    """A batch that owes its cost once that is known, and what that adds."""
    labels = batch.labels
    if not batch.cost_due or labels is None:
        message = "a batch's cost is counted once"
        raise ValueError(message)
    has_timestamp = replace(batch, cost=dollars, cost_due=False, failures=0, retry_at=0.0)
    return has_timestamp, Delta(increments={(COST.name, (batch.ref.account, *labels)): dollars})


@dataclass(slots=True)
class CostReads:
    """One account's. `show` is given the batches whose cost was learned."""

    account: str
    client: Client
    ledger: Ledger
    collectors: CollectorStates
    clock: Clock
    show: Callable[[Iterable[Batch]], None]

    async def read(self) -> None:
        """Ask for every cost that is due and not backing off, until a failure that may be everybody's.

        Raises:
            LedgerError: what was told could not be kept; it stays due.
        """
        for batch in self.ledger.costs_due(self.account):
            if backing_off(batch, self.clock.now()):
                continue
            error = await self.collectors.read_in_background(
                "cost", partial(self._read, batch.ref.id)
            )
            if isinstance(error, _EVERYBODYS) or not self.collectors.is_enabled("cost"):
                break

    async def _read(self, batch_id: str) -> None:
        try:
            answer = await self.client.cost(batch_id)
        except _EVERYBODYS:
            raise
        except ApiError as error:
            self._failed(batch_id, error)
            if isinstance(error, NotFound):
                return  # an answer, about this batch alone
            raise
        if (batch := self._due(batch_id)) is not None:
            has_timestamp, delta = with_cost(batch, answer.total_cost_usd)
            self.ledger.settle(delta, batches=(has_timestamp,))
            self.show((has_timestamp,))

    def _failed(self, batch_id: str, error: ApiError) -> None:
        """The cost of this batch cannot be had.

        It backs off alone, and after a day it is given up.
        """
        now = self.clock.now()
        if (batch := self._due(batch_id)) is None:
            return
        if batch.closed is not None and now - batch.closed >= GIVEN_UP_AFTER:
            _log.warning("cost given up", account=self.account, batch=batch_id, error=str(error))
            self.ledger.save(replace(batch, cost_due=False))
        else:
            self.ledger.save(failed(batch, now, missing=False))

    def _due(self, batch_id: str) -> Batch | None:
        """The batch as it stands after a wait, None if its cost is not due any more."""
        batch = self.ledger.lookup((batch_id,)).get(batch_id)
        return batch if batch is not None and batch.cost_due else None
