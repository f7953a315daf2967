"""The status reads of single batches: those that no list of the cycle showed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Probe
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.lifecycle import ProbeReading, backing_off, wants_sweep
from runtype_exporter.polling.collectors import CollectorStates
from runtype_exporter.polling.discovery.findings import CycleFindings
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


@dataclass(frozen=True, slots=True)
class StatusProbe:
    """The status reads of one account."""

    account: str
    client: Client
    ledger: Ledger
    collectors: CollectorStates
    closer: BatchCloser
    clock: Clock

    async def read(self, findings: CycleFindings) -> int:
        """Read the status of each open batch that has no reading in this cycle.

        Left out are batches that back off or wait for their closing sweep. The readings, and the
        batches whose read failed, are added to the findings. Return the number of requests.

        Raises:
            ApiError: no other request makes sense now.
            LedgerError: a change could not be stored.
        """
        requests = 0
        for batch in self.ledger.open_batches(self.account):
            now = self.clock.now()
            # The closing sweep of a batch that ended comes next. While it waits for budget, a
            # status read would only take some of that.
            closing = batch.ended is not None and wants_sweep(batch, self.closer.settle_time, now)
            waits = (
                batch.run or batch.ref.id in findings.readings or backing_off(batch, now) or closing
            )
            if not waits:
                requests += self.collectors.is_enabled("status")
                await self.collectors.read("status", partial(self._probe, batch.ref.id, findings))
        return requests

    async def _probe(self, batch_id: str, findings: CycleFindings) -> None:
        try:
            status = await self.client.status(batch_id)
        except (Unauthorised, Forbidden, Throttled, NetworkError):
            raise
        except ApiError as error:
            missing = isinstance(error, NotFound)
            failed = self.closer.record_failure(batch_id, error.reason, str(error), missing=missing)
            if failed is not None:
                findings.add_changed((failed,))
            if not missing:
                self.collectors.record_single_failure("status", error)
            return
        probe = Probe(
            normalise(status.status),
            status.total_records,
            status.processed_records,
            status.failed_records,
        )
        findings.readings[batch_id] = {
            "status": ProbeReading(
                probe, parse_time(status.started_at), parse_time(status.completed_at)
            )
        }
        flow_id = status.flow_id
        if flow_id:
            self.ledger.update(
                batch_id, lambda batch: replace(batch, flow_id=batch.flow_id or flow_id)
            )
