"""Close batches: after a sweep, by a deadline, or because they were never found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from runtype_exporter.model import GIVE_UP_REASONS, Batch, GiveUpReason, Sweep, SweepSnapshot
from runtype_exporter.polling.batches import ends, lifecycle
from runtype_exporter.polling.batches.costs import with_cost_due
from runtype_exporter.polling.batches.deadlines import (
    LOST,
    REREAD,
    UNREADABLE,
    UNREADABLE_TRIES,
    overdue,
)
from runtype_exporter.polling.batches.ends import End
from runtype_exporter.polling.batches.phase import ending, found, never_found
from runtype_exporter.polling.batches.reopening import reopenable, reopened
from runtype_exporter.polling.batches.runs_without_batch import results_operation
from runtype_exporter.polling.batches.status_filter import status_filter
from runtype_exporter.polling.batches.sweep_wait import SweepWait, why_not_swept
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.runtype import NotFound

_log = structlog.get_logger()


@dataclass(slots=True)
class BatchCloser:
    """What closes the batches of one account.

    `configured` are the ids of batches that are followed even if the API does not know them.
    `schedule_unknown` returns whether a batch must wait until the list of schedules was read.
    """

    context: AccountContext
    configured: frozenset[str]
    schedule_unknown: Callable[[Batch], bool]
    missing: set[str] = field(default_factory=set, init=False)
    """Open batches whose last read returned 404."""
    _tried: set[str] = field(default_factory=set, init=False)
    """Open batches whose results could not be read by the last try of this process."""
    _failed_at: dict[str, float] = field(default_factory=dict, init=False)
    """When any read of a batch last failed, in monotonic seconds."""

    def why_not_swept(self, batch: Batch) -> SweepWait | None:
        """Return why a batch is not to be swept now, None if it is."""
        collectors = self.context.collectors
        operation = results_operation(batch)
        return why_not_swept(
            batch,
            now=self.context.deadline_time(),
            settle_time=self.context.poll.settle_time,
            collector_on=collectors.may_read(operation, batch.ref.id),
            backing_off=not collectors.due(operation, batch.ref.id),
            schedule_unknown=self.schedule_unknown(batch),
        )

    def after_sweep(self, batch: Batch, sweep: Sweep, *, count: bool) -> Batch:
        """Commit a batch whose sweep reached the end, and close it if it is done.

        `batch` is what `Sweeper.sweep` returned, and nothing was awaited since. With `count` False
        the batch closes without being counted.

        Raises:
            LedgerError: nothing was committed; the sweep can go on where it stopped.
        """
        context, now, settle_time = self.context, self.context.now(), self.context.poll.settle_time
        before = context.ledger.batches((batch.ref.id,)).get(batch.ref.id, batch)
        batch = lifecycle.swept(before, batch, now)
        self.missing.discard(batch.ref.id)
        self._tried.discard(batch.ref.id)
        self._failed_at.pop(batch.ref.id, None)
        end = ends.end_after_sweep(
            batch,
            sweep,
            context.status_words,
            counted=count,
            settle_time=settle_time,
            now=self.context.deadline_time(),
        )
        if ends.settled(batch, sweep, settle_time, self.context.deadline_time()):
            # What is missing now is not waited for any more, so the gauges show what there is.
            batch = replace(batch, snapshot=SweepSnapshot(now, sweep.total, sweep.tally))
        if end is not None and end.outcome in GIVE_UP_REASONS:
            return self._close(batch, end if count else replace(end, uncounted=0))
        if end is not None and count:
            return self._close(batch, end)
        if end is not None:
            batch = lifecycle.closed(batch, end.outcome, now)
        context.ledger.save(batch)
        return batch

    def record_failure(self, failure: ReadFailed) -> Batch | None:
        """Add a failed read of a batch to its deadlines, and give it up if one has passed.

        A configured batch that was never found is not given up: it may still appear. Return the
        batch as it stands then, None if it was closed before.

        Raises:
            LedgerError: the change could not be stored.
        """
        batch_id, context = failure.item, self.context
        batch = context.ledger.batches((batch_id,)).get(batch_id)
        if batch is None or batch.closed is not None:
            return None
        if failure.reach is Reach.ACCOUNT:
            return batch
        self._log_failure(failure)
        if self._waits_to_be_found(batch, failure):
            self.missing.add(batch_id)
            return context.ledger.update(
                batch_id, lambda stored: lifecycle.missing(stored, context.now(), 0.0)
            )
        if failure.collector == results_operation(batch):
            self._tried.add(batch_id)
        waited = self._waited(failure)
        if isinstance(failure.error, NotFound):
            self.missing.add(batch_id)
            waited = waited if failure.others_answered else 0.0
            after = lifecycle.missing(batch, context.now(), waited)
        else:
            waited = waited if failure.same_read_answered else 0.0
            after = lifecycle.unreadable(batch, context.now(), waited)
        reason = self._reason(after, failure.tries)
        if reason is not None:
            return self._give_up(after, reason)
        context.ledger.save(after)
        return after

    def enforce_deadlines(self) -> list[Batch]:
        """Apply the deadlines that no read of a batch notices. Return the changed batches.

        A batch that is overdue was swept once more, or could not be: the failed read was the try.
        While the account does not answer, nothing is given up, and failures before that are no try.

        Raises:
            LedgerError: some changes could not be stored.
        """
        now = self.context.deadline_time()
        if not self.context.collectors.up:
            self._tried.clear()
            return []
        if not now:
            return []
        changed: list[Batch] = []
        for before in self.context.ledger.open_batches(self.context.name):
            batch = lifecycle.enforce_claim(lifecycle.within(before, now), now)
            if self._is_over(batch, now):
                changed.append(self._give_up(batch, "stale"))
            elif batch != before:
                self.context.ledger.save(batch)
                changed.append(batch)
        return changed

    def due_for_reread(self) -> list[Batch]:
        """Return the batches that were given up and are to be read again today.

        Raises:
            LedgerError: the ledger could not be read.
        """
        now = self.context.deadline_time()
        return [
            batch
            for batch in self.context.ledger.given_up_batches(self.context.name)
            if reopenable(batch, now, self.context.retention) and REREAD.passed(batch, now, 0.0)
        ]

    def reopen(self, batch_id: str) -> Batch | None:
        """Open a batch that was given up again. None if the ledger does not have it.

        Raises:
            ReopenRefused: it was not given up, or its results may be forgotten already.
            LedgerError: the change could not be stored.
        """
        context = self.context
        opened = context.ledger.update(
            batch_id, lambda batch: reopened(batch, context.now(), context.retention)
        )
        if opened is not None:
            self._forget(opened)
            _log.info("batch opened again", account=context.name, batch=batch_id)
        return opened

    def drop_never_found(self) -> None:
        """Drop batches that were never found and are no longer configured. Nothing is counted.

        Raises:
            LedgerError: the remaining ones could not be dropped.
        """
        for batch in self.context.ledger.open_batches(self.context.name):
            if batch.ref.id not in self.configured and never_found(batch):
                self.context.ledger.drop(batch.ref.id)
                self._forget(batch)
                _log.info(
                    "batch dropped: never found, no longer configured",
                    account=self.context.name,
                    batch=batch.ref.id,
                )

    def _waited(self, failure: ReadFailed) -> float:
        """Return the seconds since a read of the batch failed before.

        Its status and its results may fail at the same time. That time counts once.
        """
        now = self.context.clock.monotonic()
        before = self._failed_at.get(failure.item, now)
        self._failed_at[failure.item] = now
        return min(failure.elapsed, now - before)

    def _waits_to_be_found(self, batch: Batch, failure: ReadFailed) -> bool:
        return (
            isinstance(failure.error, NotFound)
            and batch.ref.id in self.configured
            and not found(batch)
        )

    def _reason(self, batch: Batch, tries: int) -> GiveUpReason | None:
        now = self.context.deadline_time()
        if LOST.passed(batch, now, 0.0):
            return "lost"
        if UNREADABLE.passed(batch, now, 0.0) and tries >= UNREADABLE_TRIES:
            return "unreadable"
        return "stale" if self._is_over(batch, now) else None

    def _is_over(self, batch: Batch, now: float) -> bool:
        """Return whether a batch is overdue and one more sweep was tried or cannot be."""
        if not overdue(batch, now, self.context.poll.settle_time):
            return False
        if batch.ref.id in self.configured and not found(batch):
            return False
        readable = self.context.collectors.is_enabled(results_operation(batch))
        return batch.ref.id in self._tried or not readable

    def _give_up(self, batch: Batch, reason: GiveUpReason) -> Batch:
        entries = self.context.config.batches
        counted = status_filter(batch, entries) is None
        end = ends.forced_end(batch, reason, counted=counted)
        return self._close(batch, end)

    def _close(self, batch: Batch, end: End) -> Batch:
        context = self.context
        if batch.labels is None:
            batch = context.labels.freeze(batch)
        closed, delta = ends.close(batch, end, context.now())
        if context.collectors.is_enabled("cost"):
            closed, delta = with_cost_due(closed, delta)
        context.ledger.commit(delta, batches=(closed,))
        self._log_end(closed, end)
        self._forget(closed)
        return closed

    def _forget(self, batch: Batch) -> None:
        """Forget the failures of a batch that is not read any more."""
        batch_id = batch.ref.id
        self.missing.discard(batch_id)
        self._tried.discard(batch_id)
        self._failed_at.pop(batch_id, None)
        for collector in (results_operation(batch), "status"):
            self.context.collectors.forget(collector, batch_id)

    def _log_failure(self, failure: ReadFailed) -> None:
        collectors = self.context.collectors
        next_try = collectors.next_try(failure.collector, failure.item)
        wait = 0.0 if next_try is None else next_try - self.context.clock.monotonic()
        log = _log.warning if failure.tries <= 1 else _log.info
        log(
            "batch cannot be read",
            account=self.context.name,
            batch=failure.item,
            reason=failure.error.reason,
            error=str(failure.error),
            again_in_seconds=round(max(0.0, wait)),
        )

    def _log_end(self, batch: Batch, end: End) -> None:
        whose = {"account": self.context.name, "batch": batch.ref.id}
        if batch.given_up:
            _log.warning(
                "batch given up",
                **whose,
                reason=end.outcome,
                uncounted_records=end.uncounted,
                run_ended=batch.run_ended_since is not None,
                status=ending(batch, self.context.status_words) or "unfinished",
            )
        if end.abandoned:
            _log.warning("records abandoned", **whose, records=end.abandoned)
