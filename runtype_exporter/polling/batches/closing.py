"""What becomes of a batch after a walk over its results, and after reads of it that failed.

It stays open, closes, or is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, BatchOutcome, Picture, Sweep
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.costs import with_cost_due
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.status_words import StatusWords

_log = structlog.get_logger()


@dataclass(slots=True)
class BatchCloser:
    """One account's.

    `configured` are the ids of batches that are followed whether the API knows them or not.
    """

    account: str
    configured: frozenset[str]
    settle_time: float
    ledger: Ledger
    labels: LabelTable
    status_words: StatusWords
    clock: Clock
    costs: Callable[[], bool]
    """Whether the costs of batches can be asked for."""
    missing: set[str] = field(default_factory=set, init=False)
    """Open batches that the API denied when last asked."""

    def after_sweep(self, batch: Batch, walk: Sweep, *, count: bool) -> Batch:
        """Commit a batch whose walk reached the end, closed where nothing more can come or is waited for.

        It closes when a walk over all its rows that began after its end met every record, each
        final; or when `settle_time` had passed by then: what never became final or never appeared
        is abandoned.

        Raises:
            LedgerError: nothing was committed; the walk stands where it stood.
        """
        now = self.clock.now()
        self.missing.discard(batch.ref.id)
        outcome = lifecycle.ending(batch, self.status_words)
        if (
            outcome is not None
            and walk.full
            and lifecycle.ended_by(walk.before, batch, self.status_words)
        ):
            seen = walk.seen
            if not count:
                batch = replace(batch, closed=now, outcome=outcome)
            elif lifecycle.complete(batch, seen.distinct, seen.unfinished, walk.total):
                return self._close(batch, outcome, 0)
            elif lifecycle.settling(batch, self.settle_time, walk.began):
                never_appeared = max(0, max(walk.total, lifecycle.expected(batch)) - seen.distinct)
                picture = Picture(at=now, total=walk.total, seen=seen)
                return self._close(
                    replace(batch, picture=picture), outcome, seen.unfinished + never_appeared
                )
        self.ledger.save(batch)
        return batch

    def record_failure(
        self, batch_id: str, reason: str, text: str, *, missing: bool
    ) -> Batch | None:
        """A read of this batch failed: it backs off alone, and a day of 404 makes it lost.

        The batch as it stands then, None if closed.

        A configured batch that was never found is not lost: it may yet come.

        Raises:
            LedgerError: that could not be kept.
        """
        now = self.clock.now()
        batch = self.ledger.lookup((batch_id,)).get(batch_id)
        if batch is None or batch.closed is not None:
            return None
        batch = lifecycle.failed(batch, now, missing=missing)
        if missing:
            self.missing.add(batch_id)
        found_once = bool(batch.probes) or batch.swept is not None
        if lifecycle.lost(batch, now) and (found_once or batch_id not in self.configured):
            return self._lose(batch)
        log = _log.warning if batch.failures == 1 else _log.info
        wait = round(batch.retry_at - now)
        log(
            "batch cannot be read",
            account=self.account,
            batch=batch_id,
            reason=reason,
            error=text,
            again_in_seconds=wait,
        )
        self.ledger.save(batch)
        return batch

    def drop_never_found(self) -> None:
        """Let go, uncounted, of batches that were configured once and never found, and are not configured any more.

        Raises:
            LedgerError: the rest are still held.
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
        if batch.picture is not None:
            distinct, unfinished = batch.picture.seen.distinct, batch.picture.seen.unfinished
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
        self.ledger.settle(delta, batches=(closed,))
        if abandoned:
            _log.warning(
                "records abandoned", account=self.account, batch=batch.ref.id, records=abandoned
            )
        return closed
