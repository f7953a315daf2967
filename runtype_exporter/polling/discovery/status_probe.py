"""The status read of single batches.

Those that are followed although no list of the cycle showed them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, Probe, Source
from runtype_exporter.polling.batches.closing import Endings
from runtype_exporter.polling.batches.lifecycle import Reading, backing_off, wants_sweep
from runtype_exporter.polling.collectors import Collectors
from runtype_exporter.polling.status_words import fold, time
from runtype_exporter.runtype import (
    ApiError,
    Client,
    Forbidden,
    NetworkError,
    NotFound,
    Throttled,
    Unauthorised,
)

Readings = dict[str, dict[Source, Reading]]
"""What a cycle read of each batch, by source."""


@dataclass(frozen=True, slots=True)
class Probes:
    """One account's."""

    account: str
    client: Client
    ledger: Ledger
    collectors: Collectors
    endings: Endings
    clock: Clock

    async def read(self, readings: Readings, touched: dict[str, Batch]) -> int:
        """Probe each open batch that has no reading yet and does not wait for its closing sweep.

        How many requests that took.

        What was read then stands in `readings`, or what became of the batch in `touched`.

        Raises:
            ApiError: nothing else can be asked for now.
            LedgerError: what was read could not be kept.
        """
        requests = 0
        for batch in self.ledger.open_batches(self.account):
            now = self.clock.now()
            # Of one that ended, what comes next is its closing sweep: while that waits for budget,
            # a probe would only take some of it.
            closing = batch.ended is not None and wants_sweep(batch, self.endings.settle_time, now)
            waits = batch.run or batch.ref.id in readings or backing_off(batch, now) or closing
            if not waits:
                requests += self.collectors.open("status")
                await self.collectors.read(
                    "status", partial(self._probe, batch.ref.id, readings, touched)
                )
        return requests

    async def _probe(self, batch_id: str, readings: Readings, touched: dict[str, Batch]) -> None:
        try:
            status = await self.client.status(batch_id)
        except (Unauthorised, Forbidden, Throttled, NetworkError):
            raise
        except ApiError as error:
            missing = isinstance(error, NotFound)
            if (
                batch := self.endings.failed(batch_id, error.reason, str(error), missing=missing)
            ) is not None:
                touched[batch_id] = batch
            if not missing:
                self.collectors.failed_alone("status", error)
            return
        probe = Probe(
            fold(status.status),
            status.total_records,
            status.processed_records,
            status.failed_records,
        )
        readings[batch_id] = {
            "status": Reading(probe, time(status.started_at), time(status.completed_at))
        }
        batch = self.ledger.lookup((batch_id,))[batch_id]
        if status.flow_id and not batch.flow_id:
            self.ledger.save(replace(batch, flow_id=status.flow_id))
