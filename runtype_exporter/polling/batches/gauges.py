"""Which batches of an account have gauges, and under which name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runtype_exporter.config import Account
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.protocols import GaugeSink


@dataclass(frozen=True, slots=True)
class BatchGauges:
    """The gauges of the batches of one account."""

    config: Account
    batches_per_schedule: int
    ledger: Ledger
    labels: LabelTable
    status_words: StatusWords
    closer: BatchCloser
    gauges: GaugeSink

    def show_all(self) -> None:
        """Set the gauges of the newest closed batches, the configured ones and the open ones.

        Raises:
            LedgerError: the ledger could not be read.
        """
        name = self.config.name
        configured = self.ledger.batches(entry.id for entry in self.config.batches).values()
        self.show(self.ledger.recently_closed(name, self.batches_per_schedule))
        self.show(
            batch for batch in configured if batch.ref.account == name and batch.closed is not None
        )
        self.show(self.ledger.open_batches(name))

    def show(self, changed: Iterable[Batch]) -> None:
        """Set the gauges of these batches.

        Left out are batches that a run may still claim, batches that are never counted, and those
        of runs without a batch.
        """
        names = {entry.id: entry.name or entry.id for entry in self.config.batches}
        for batch in changed:
            batch_id = batch.ref.id
            configured = batch_id in names
            name = names.get(batch_id, batch_id)
            missing = batch_id in self.closer.missing or batch.outcome == "lost"
            if configured and (missing or batch.probes or batch.probes_at_last_sweep is not None):
                self.gauges.set_found(self.config.name, name, found=not missing)
            if (
                batch.run
                or batch.claims_left
                or (batch.closed is not None and batch.labels is None)
            ):
                continue
            labels = self.labels.shown(batch)
            self.gauges.set_batch(
                lifecycle.view(
                    batch, self.status_words, name=name, configured=configured, labels=labels
                )
            )

    def withdraw(self, collector: str) -> None:
        """Remove all gauges of a collector, because they are too old to be shown."""
        self.gauges.set_collector(self.config.name, collector, {})
