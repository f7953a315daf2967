"""Close batches: after a sweep, after a day of 404, or because they were never found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, BatchOutcome, Sweep, SweepSnapshot
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.costs import with_cost_due
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.status_words import StatusWords

_log = structlog.get_logger()


@dataclass(slots=True)
class BatchCloser:
    """What closes the batches of one account.

    `configured` are the ids of batches that are followed even if the API does not know them.
    """

    account: str
    configured: frozenset[str]
    settle_time: float
    ledger: Ledger
    labels: LabelTable
    status_words: StatusWords
    clock: Clock
    costs: Callable[[], bool]
    """Whether the costs of batches can be read."""
    missing: set[str] = field(default_factory=set, init=False)
    """Open batches whose last read returned 404."""

    def after_sweep(self, batch: Batch, sweep: Sweep, *, count: bool) -> Batch:
        """Commit a batch whose sweep reached the end, and close it if it is done.

        `batch` is what `Sweeper.sweep` returned, and nothing was awaited since.
        Only a sweep over all rows that began after the end of the batch can close it. It closes
        the batch if every record was there and final, or if `settle_time` had passed when the
        sweep began. In the second case the records that are missing or not final are abandoned.
        With `count` False the batch closes without being counted.

        Raises:
            LedgerError: nothing was committed; the sweep can go on where it stopped.
        """
        now = self.clock.now()
        self.missing.discard(batch.ref.id)
        outcome = lifecycle.ending(batch, self.status_words)
        if (
            outcome is not None
            and sweep.full
            and lifecycle.ended_by(sweep.probes_at_start, batch, self.status_words)
        ):
            seen = sweep.tally
            if not count:
                batch = lifecycle.close_uncounted(batch, now, outcome)
            elif lifecycle.complete(batch, seen.distinct, seen.unfinished, sweep.total):
                return self._close(batch, outcome, 0)
            elif lifecycle.settling(batch, self.settle_time, sweep.began):
                never_appeared = max(0, max(sweep.total, lifecycle.expected(batch)) - seen.distinct)
                snapshot = SweepSnapshot(at=now, total=sweep.total, tally=seen)
                return self._close(
                    replace(batch, snapshot=snapshot), outcome, seen.unfinished + never_appeared
                )
        self.ledger.save(batch)
        return batch

    def record_failure(
        self, batch_id: str, reason: str, text: str, *, missing: bool
    ) -> Batch | None:
        """Let a batch back off after a read of it failed, or close it as lost after a day of 404.

        A configured batch that was never found is not lost: it may still appear. Return the batch
        as it stands then, None if it was closed before.

        Raises:
            LedgerError: the change could not be stored.
        """
        now = self.clock.now()
        batch = self.ledger.batches((batch_id,)).get(batch_id)
        if batch is None or batch.closed is not None:
            return None
        fail = partial(lifecycle.failed, now=now, missing=missing)
        if missing:
            self.missing.add(batch_id)
            found_once = bool(batch.probes) or batch.probes_at_last_sweep is not None
            if lifecycle.lost(batch, now) and (found_once or batch_id not in self.configured):
                return self._lose(fail(batch))
        log = _log.warning if batch.failures == 0 else _log.info
        log(
            "batch cannot be read",
            account=self.account,
            batch=batch_id,
            reason=reason,
            error=text,
            again_in_seconds=round(lifecycle.next_back_off(batch)),
        )
        return self.ledger.update(batch_id, fail)

    def drop_never_found(self) -> None:
        """Drop batches that were never found and are no longer configured. Nothing is counted.

        Raises:
            LedgerError: the remaining ones could not be dropped.
        """
        for batch in self.ledger.open_batches(self.account):
            if batch.ref.id not in self.configured and lifecycle.never_found(batch):
                self.ledger.drop(batch.ref.id)
                self.missing.discard(batch.ref.id)
                _log.info(
                    "batch let go: never found, no longer configured",
                    account=self.account,
                    batch=batch.ref.id,
                )

    def _lose(self, batch: Batch) -> Batch:
        distinct, unfinished = 0, 0
        if batch.snapshot is not None:
            distinct, unfinished = batch.snapshot.tally.distinct, batch.snapshot.tally.unfinished
        _log.warning(
            "batch closed as lost: the API has denied it for a day",
            account=self.account,
            batch=batch.ref.id,
        )
        return self._close(batch, "lost", unfinished + max(0, lifecycle.expected(batch) - distinct))

    def _close(self, batch: Batch, outcome: BatchOutcome, abandoned: int) -> Batch:
        self.missing.discard(batch.ref.id)
        if batch.labels is None:
            batch = self.labels.freeze(batch)
        closed, delta = lifecycle.close(batch, outcome, abandoned, self.clock.now())
        if self.costs():
            closed, delta = with_cost_due(closed, delta)
        self.ledger.commit(delta, batches=(closed,))
        if abandoned:
            _log.warning(
                "records abandoned", account=self.account, batch=batch.ref.id, records=abandoned
            )
        return closed
