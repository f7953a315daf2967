"""The status read of single batches.

Those that are followed although no list of the cycle showed them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, Probe, Source
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.lifecycle import ProbeReading, backing_off, wants_sweep
from runtype_exporter.polling.collectors import CollectorStates
from runtype_exporter.polling.status_words import normalise, parse_time
from runtype_exporter.runtype import (
    ApiError,
    Client,
    Forbidden,
    NetworkError,
    NotFound,
    Throttled,
    Unauthorised,
)

ProbeReadings = dict[str, dict[Source, ProbeReading]]
"""What a cycle read of each batch, by source."""


@dataclass(frozen=True, slots=True)
class StatusProbe:
    """One account's."""

    account: str
    client: Client
    ledger: Ledger
    collectors: CollectorStates
    closer: BatchCloser
    clock: Clock

    async def read(self, readings: ProbeReadings, changed: dict[str, Batch]) -> int:
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
            closing = batch.ended is not None and wants_sweep(batch, self.closer.settle_time, now)
            waits = batch.run or batch.ref.id in readings or backing_off(batch, now) or closing
            if not waits:
                requests += self.collectors.is_enabled("status")
                await self.collectors.read(
                    "status", partial(self._probe, batch.ref.id, readings, changed)
                )
        return requests

    async def _probe(
        self, batch_id: str, readings: ProbeReadings, changed: dict[str, Batch]
    ) -> None:
        try:
            status = await self.client.status(batch_id)
        except (Unauthorised, Forbidden, Throttled, NetworkError):
            raise
        except ApiError as error:
            missing = isinstance(error, NotFound)
            if (
                batch := self.closer.record_failure(
                    batch_id, error.reason, str(error), missing=missing
                )
            ) is not None:
                changed[batch_id] = batch
            if not missing:
                self.collectors.record_single_failure("status", error)
            return
        probe = Probe(
            normalise(status.status),
            status.total_records,
            status.processed_records,
            status.failed_records,
        )
        readings[batch_id] = {
            "status": ProbeReading(
                probe, parse_time(status.started_at), parse_time(status.completed_at)
            )
        }
        batch = self.ledger.lookup((batch_id,))[batch_id]
        if status.flow_id and not batch.flow_id:
            self.ledger.save(replace(batch, flow_id=status.flow_id))
