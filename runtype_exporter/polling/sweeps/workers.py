"""The workers that sweep: which batch is next, and what each kind of failure means for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from runtype_exporter.ledger import LedgerError
from runtype_exporter.model import Batch
from runtype_exporter.polling import ledger_failures
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.gauges import BatchGauges
from runtype_exporter.polling.batches.runs_without_batch import results_operation
from runtype_exporter.polling.batches.status_filter import configured_filter, status_filter
from runtype_exporter.polling.batches.sweep_wait import SweepWait
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.polling.streaks import back_off
from runtype_exporter.polling.sweeps.queue import SweepClass, SweepQueue
from runtype_exporter.polling.sweeps.sweeper import Sweeper
from runtype_exporter.runtype import Priority

LEDGER_PAUSE = 5.0
"""A worker pauses for this time after the ledger failed, in seconds. The pause doubles up to
`LONGEST_LEDGER_PAUSE` while the ledger keeps failing."""
LONGEST_LEDGER_PAUSE = 60.0
"""In seconds."""
ACCOUNT_PAUSE = 1.0
"""A worker pauses for this time after a failure of the account, in seconds. The budget pauses too,
but a key that cannot be read fails before any request."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Workers:
    """The workers of one account.

    With `retry`, a sweep that failed because of the ledger or the account is tried again. Without
    it nothing is swept any more after such a failure.
    """

    context: AccountContext
    sweeper: Sweeper
    closer: BatchCloser
    gauges: BatchGauges
    wake_costs: Callable[[], None]
    """Called when a batch closed whose cost is due."""
    retry: bool = True
    last_error: str = field(default="", init=False)
    """The last error of a sweep, "" for none since the last successful cycle."""
    queue: SweepQueue = field(init=False)
    _ledger_pause: float = field(default=LEDGER_PAUSE, init=False)
    _stopped: bool = field(default=False, init=False)
    """Whether nothing is swept any more."""
    _broken: dict[str, tuple[int, float]] = field(default_factory=dict, init=False)
    """The batches whose last sweep ended in a bug: how often in a row, and the monotonic moment of
    the next try."""
    _warned: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Start with an empty queue."""
        self.queue = SweepQueue(self.context.poll.max_concurrency, self._class_of)

    def enqueue(self) -> list[str]:
        """Queue every batch that is to be swept. Return the ids that were not queued before."""
        batches = self.context.ledger.open_batches(self.context.name)
        wanted = sorted(filter(self._wants_sweep, batches), key=_last_sweep)
        now = self.context.clock.now()
        added = [batch.ref.id for batch in wanted if self.queue.add(batch.ref.id, now)]
        self._report_pending()
        return added

    async def work(self) -> NoReturn:
        """Sweep one batch after another, until cancelled."""
        while True:
            batch_id = await self.queue.take()
            again = None
            try:
                self._report_pending()
                if self.retry:
                    await self.context.collectors.wait_for_account()
                if not self._stopped and await self._sweep(batch_id):
                    again = self.context.clock.now()
            finally:
                self.queue.done(batch_id, again)

    def _wants_sweep(self, batch: Batch) -> bool:
        """Return whether the batch is to be swept now."""
        wait = self.closer.why_not_swept(batch)
        if wait is SweepWait.COLLECTOR_OFF and not self.retry:
            self.last_error = f"{results_operation(batch)}: the key may not read this"
        _, retry_at = self._broken.get(batch.ref.id, (0, 0.0))
        return wait is None and self.context.clock.monotonic() >= retry_at

    def _class_of(self, batch_id: str) -> SweepClass:
        """Return what a batch that waits is to be swept for."""
        try:
            batch = self._stored(batch_id)
        except LedgerError:
            # The sweep of the batch will fail in the same way and handle it.
            batch = None
        if batch is None:
            return SweepClass.CLOSING
        failures = self.context.collectors.failures(results_operation(batch), batch_id)
        if failures or batch_id in self._broken:
            return SweepClass.FAILING
        return SweepClass.RUNNING if batch.ended is None else SweepClass.CLOSING

    async def _sweep(self, batch_id: str) -> bool:
        """Sweep one batch and handle its failure. Return whether to queue it again."""
        try:
            try:
                if await self._sweep_and_conclude(batch_id):
                    self.context.telemetry.sweep(self.context.name, "")
            except ReadFailed as failure:
                return await self._handle_failed_read(failure)
        except LedgerError as error:
            return await self._handle_ledger_error(error)
        # A bug in one batch must not stop the others.
        except Exception as error:  # noqa: BLE001
            self._handle_bug(batch_id, error)
        return False

    async def _sweep_and_conclude(self, batch_id: str) -> bool:
        """Sweep a batch to the end, then commit it or close it. Return whether it was swept.

        Raises:
            ReadFailed: a page could not be read.
            LedgerError: something could not be stored.
        """
        context = self.context
        batch = self._stored(batch_id)
        if batch is None or not context.collectors.may_read(results_operation(batch), batch_id):
            return False
        ended = batch.ended is not None
        status = self._filter(batch)
        priority = Priority.CLOSING if ended else Priority.RUNNING
        swept = await self.sweeper.sweep(batch_id, priority, full=ended, status=status)
        if swept is None:
            return False
        concluded = self.closer.after_sweep(*swept, count=status is None)
        self._ledger_pause = LEDGER_PAUSE
        self._broken.pop(batch_id, None)
        self.gauges.show((concluded,))
        if concluded.cost_due:
            self.wake_costs()
        return True

    async def _handle_failed_read(self, failure: ReadFailed) -> bool:
        """Handle a page that could not be read. Return whether to queue the batch again.

        A batch whose collector is forbidden is queued by a later cycle, as one that backs off.

        Raises:
            LedgerError: what follows for the batch could not be stored.
        """
        self.context.telemetry.sweep(self.context.name, failure.error.reason)
        self.last_error = str(failure.error)
        if failure.reach is Reach.ACCOUNT:
            return await self._may_retry(ACCOUNT_PAUSE)
        if failure.reach is Reach.ITEM:
            batch = self.closer.record_failure(failure)
            self.gauges.show(() if batch is None else (batch,))
        return False

    async def _handle_ledger_error(self, error: LedgerError) -> bool:
        """Pause after the ledger failed. Return whether to queue the batch again."""
        self.context.telemetry.sweep(self.context.name, "ledger")
        ledger_failures.warn("polling pauses: the ledger failed", self.context.name, error)
        self.last_error = str(error)
        pause = self._ledger_pause
        self._ledger_pause = min(2 * pause, LONGEST_LEDGER_PAUSE)
        return await self._may_retry(pause)

    async def _may_retry(self, pause: float) -> bool:
        """Return whether to try again after a failure that concerns all batches, after a pause."""
        if not self.retry:
            self._stopped = True
            return False
        await asyncio.sleep(pause)
        return True

    def _handle_bug(self, batch_id: str, error: Exception) -> None:
        """Log a bug and let the batch back off."""
        self.context.telemetry.sweep(self.context.name, "internal")
        self.last_error = type(error).__name__
        _log.exception("sweep failed", account=self.context.name, batch=batch_id)
        tries = self._broken.get(batch_id, (0, 0.0))[0] + 1
        self._broken[batch_id] = tries, self.context.clock.monotonic() + back_off(tries)

    def _filter(self, batch: Batch) -> str | None:
        """Return the status filter with which a batch is swept, None for no filter."""
        entries, batch_id = self.context.config.batches, batch.ref.id
        status = status_filter(batch, entries)
        ignored = status is None and configured_filter(batch, entries) is not None
        if ignored and batch_id not in self._warned:
            self._warned.add(batch_id)
            _log.warning(
                "status filter ignored: the batch is also discovered",
                account=self.context.name,
                batch=batch_id,
            )
        return status

    def _stored(self, batch_id: str) -> Batch | None:
        """Return a batch that is open, None if it was closed or dropped."""
        batch = self.context.ledger.batches((batch_id,)).get(batch_id)
        return batch if batch is not None and batch.closed is None else None

    def _report_pending(self) -> None:
        self.context.telemetry.pending(self.context.name, len(self.queue), self.queue.oldest)


def _last_sweep(batch: Batch) -> float:
    """Return when a batch was last swept to the end, 0 for never."""
    return 0.0 if batch.snapshot is None else batch.snapshot.at
