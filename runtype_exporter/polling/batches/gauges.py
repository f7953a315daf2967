"""Which batches of an account have gauges, under which name, and what they show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from runtype_exporter.model import Batch, Labels
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.phase import PRECEDENCE
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.protocols import BatchView

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BatchGauges:
    """The gauges of the batches of one account."""

    context: AccountContext
    closer: BatchCloser

    def show_all(self) -> None:
        """Show the newest closed batches, the configured ones and the open ones, and no others.

        What an earlier poller of the account showed of other batches is removed, and nothing else:
        a batch that stays has its gauges all the time.

        Raises:
            LedgerError: the ledger could not be read.
        """
        name, ledger = self.context.name, self.context.ledger
        entries = self.context.config.batches
        configured = ledger.batches(entry.id for entry in entries).values()
        batches = [
            *ledger.recently_closed(name, self.context.batches_per_schedule),
            *(batch for batch in configured if batch.ref.account == name),
            *ledger.open_batches(name),
        ]
        self.context.gauges.retain(
            name,
            batches={batch.ref for batch in batches if _has_gauges(batch)},
            found={entry.name or entry.id for entry in entries},
        )
        self.show(batches)

    def show(self, changed: Iterable[Batch]) -> None:
        """Set the gauges of these batches.

        Left out are batches that a run may still claim, batches that are never counted, and those
        of runs without a batch.
        """
        context = self.context
        names = {entry.id: entry.name or entry.id for entry in context.config.batches}
        for batch in changed:
            batch_id = batch.ref.id
            configured = batch_id in names
            name = names.get(batch_id, batch_id)
            missing = batch_id in self.closer.missing or batch.outcome == "lost"
            if configured and (missing or batch.probes or batch.probes_at_last_sweep is not None):
                context.gauges.set_found(context.name, name, found=not missing)
            if _has_gauges(batch):
                labels = context.labels.shown(batch)
                context.gauges.set_batch(
                    view(
                        batch,
                        context.status_words,
                        name=name,
                        configured=configured,
                        labels=labels,
                    )
                )

    def withdraw(self, collector: str) -> None:
        """Remove all gauges of a collector, because they are too old to be shown."""
        self.context.gauges.set_collector(self.context.name, collector, {})


def view(
    batch: Batch, status_words: StatusWords, *, name: str, configured: bool, labels: Labels
) -> BatchView:
    """Return what the per-batch gauges show.

    Each count comes from the first source in order of precedence that has it.
    """
    probes = [batch.probes[source] for source in PRECEDENCE if source in batch.probes]
    status = probes[0].status if probes else ""
    return BatchView(
        ref=batch.ref,
        name=name,
        labels=labels,
        configured=configured,
        open=batch.closed is None,
        state=status_words.state(status, ended=batch.completed is not None),
        total=_first(probe.total for probe in probes),
        processed=_first(probe.processed for probe in probes),
        failed=_first(probe.failed for probe in probes),
        started=batch.started,
        completed=batch.completed,
        closed=batch.closed,
        snapshot=batch.snapshot,
        drift=batch.drift,
        cost=batch.cost,
    )


def _has_gauges(batch: Batch) -> bool:
    uncounted = batch.closed is not None and batch.labels is None
    return not (batch.run or batch.claims_left or uncounted)


def _first(values: Iterable[_T | None]) -> _T | None:
    return next((value for value in values if value is not None), None)
