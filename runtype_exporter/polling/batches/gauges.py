"""What of an account's batches is shown, and under which name.

It must not know why a batch changed, nor how gauges look.
"""

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
from runtype_exporter.protocols import Pictures


@dataclass(frozen=True, slots=True)
class BatchGauges:
    """One account's."""

    config: Account
    batches_per_schedule: int
    ledger: Ledger
    labels: LabelTable
    status_words: StatusWords
    closer: BatchCloser
    pictures: Pictures

    def show_all(self) -> None:
        """Show what the ledger holds.

        The newest closed batches, the configured ones and the open ones.

        Raises:
            LedgerError: it could not be read.
        """
        name = self.config.name
        configured = self.ledger.lookup(entry.id for entry in self.config.batches).values()
        self.show(self.ledger.recently_closed(name, self.batches_per_schedule))
        self.show(
            batch for batch in configured if batch.ref.account == name and batch.closed is not None
        )
        self.show(self.ledger.open_batches(name))

    def show(self, changed: Iterable[Batch]) -> None:
        """Show these batches as they stand.

        Those that may still turn out to be a schedule's are not shown, nor are those never counted.
        """
        names = {entry.id: entry.name or entry.id for entry in self.config.batches}
        for batch in changed:
            batch_id = batch.ref.id
            configured = batch_id in names
            name = names.get(batch_id, batch_id)
            missing = batch_id in self.closer.missing or batch.outcome == "lost"
            if configured and (missing or batch.probes or batch.swept is not None):
                self.pictures.found(self.config.name, name, found=not missing)
            if batch.run or batch.unclaimed or (batch.closed is not None and batch.labels is None):
                continue
            labels = self.labels.shown(batch)
            self.pictures.show(
                lifecycle.view(
                    batch, self.status_words, name=name, configured=configured, labels=labels
                )
            )

    def withdraw(self, collector: str) -> None:
        """A collector's gauges are no longer to be trusted."""
        self.pictures.family(self.config.name, collector, {})
