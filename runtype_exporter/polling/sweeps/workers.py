"""The workers that sweep: which batch is next, and what each kind of failure means for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.config import Account
from runtype_exporter.ledger import Ledger, LedgerError
from runtype_exporter.model import Batch
from runtype_exporter.polling import ledger_failures
from runtype_exporter.polling.api_key_state import ApiKeyState
from runtype_exporter.polling.batches import lifecycle, runs_without_batch
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.gauges import BatchGauges
from runtype_exporter.polling.collectors import CollectorStates
from runtype_exporter.polling.sweeps.queue import SweepQueue
from runtype_exporter.polling.sweeps.sweeper import Sweeper
from runtype_exporter.protocols import Telemetry
from runtype_exporter.runtype import (
    ApiError,
    Forbidden,
    NetworkError,
    NotFound,
    Priority,
    Throttled,
    Unauthorised,
)

LEDGER_PAUSE = 5.0
"""A worker pauses for this time after the ledger failed, in seconds. The pause doubles up to
`LONGEST_LEDGER_PAUSE` while the ledger keeps failing."""
LONGEST_LEDGER_PAUSE = 60.0
"""In seconds."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Workers:
    """The workers of one account.

    With `retry`, a sweep that a failing ledger or a refused key held up is tried again.
    """

    config: Account
    settle_time: float
    ledger: Ledger
    sweeper: Sweeper
    closer: BatchCloser
    collectors: CollectorStates
    key_state: ApiKeyState
    gauges: BatchGauges
    telemetry: Telemetry
    clock: Clock
    wake_background: Callable[[], None]
    """Called when a batch closed whose cost is due."""
    retry: bool = True
    last_error: str = field(default="", init=False)
    """The last error of a sweep, "" for none since the last successful cycle."""
    queue: SweepQueue = field(init=False)
    _ledger_pause: float = field(default=LEDGER_PAUSE, init=False)
    _warned: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Start with an empty queue."""
        self.queue = SweepQueue(self._urgency)

    def enqueue(self) -> list[str]:
        """Queue every batch that wants a sweep. Return the ids that were not queued before."""
        now = self.clock.now()
        added = []
        if self.key_state.accepted.is_set():
            for batch in self.ledger.open_batches(self.config.name):
                wanted = lifecycle.wants_sweep(batch, self.settle_time, now)
                if (
                    wanted
                    and self.collectors.is_enabled(runs_without_batch.results_operation(batch))
                    and self.queue.add(batch.ref.id, now)
                ):
                    added.append(batch.ref.id)
        self._report_pending()
        return added

    async def work(self) -> NoReturn:
        """Sweep one batch after another, until cancelled."""
        while True:
            batch_id = await self.queue.take()
            try:
                self._report_pending()
                if self.retry:
                    await self.key_state.accepted.wait()
                again = self.key_state.accepted.is_set() and await self._sweep(batch_id)
            finally:
                self.queue.done(batch_id)
            if again:
                self.queue.add(batch_id, self.clock.now())

    def _urgency(self, batch_id: str) -> tuple[float, ...]:
        """Return the sort key of the queue: ended batches first, then the oldest snapshot."""
        try:
            batch = self.ledger.batches((batch_id,)).get(batch_id)
        except LedgerError:
            # The sweep of the batch will fail in the same way and handle it.
            batch = None
        if batch is None:
            return (0.0, 0.0)
        return (
            float(batch.ended is None),
            batch.snapshot.at if batch.snapshot is not None else 0.0,
        )

    async def _sweep(self, batch_id: str) -> bool:
        """Sweep one batch and pause if the ledger fails.

        Return whether to queue the batch again at once. The pause of the budget or of the ledger
        then delays the next try.
        """
        try:
            return await self._try_sweep(batch_id)
        except LedgerError as error:
            self.telemetry.sweep(self.config.name, "ledger")
            ledger_failures.warn("polling pauses: the ledger failed", self.config.name, error)
            pause, self._ledger_pause = (
                self._ledger_pause,
                min(2 * self._ledger_pause, LONGEST_LEDGER_PAUSE),
            )
            self.last_error = str(error)
            await asyncio.sleep(pause if self.retry else 0.0)
            return self.retry
        # A bug in handling a failure must not end the worker.
        except Exception as error:  # noqa: BLE001
            self.last_error = type(error).__name__
            _log.exception(
                "a failed sweep could not be met", account=self.config.name, batch=batch_id
            )
            return False

    async def _try_sweep(self, batch_id: str) -> bool:
        """Sweep one batch and handle its failure. Return whether to queue it again at once."""
        name = self.config.name
        try:
            if await self._sweep_and_conclude(batch_id):
                self.telemetry.sweep(name, "")
        except ApiError as error:
            self.telemetry.sweep(name, error.reason)
            if isinstance(error, Throttled):
                return True
            self.last_error = str(error)
            self._handle_api_error(batch_id, error)
        except LedgerError:
            raise
        # A bug in one batch must not stop the others.
        except Exception as error:  # noqa: BLE001
            self.last_error = type(error).__name__
            self.telemetry.sweep(name, "internal")
            _log.exception("sweep failed", account=name, batch=batch_id)
            self.closer.record_failure(batch_id, "internal", type(error).__name__, missing=False)
        return False

    async def _sweep_and_conclude(self, batch_id: str) -> bool:
        """Sweep a batch to the end, then commit it or close it. Return whether it was swept."""
        batch = self.ledger.batches((batch_id,)).get(batch_id)
        if batch is None or batch.closed is not None:
            return False
        operation = runs_without_batch.results_operation(batch)
        if not self.collectors.is_enabled(operation):
            return False
        ended = batch.ended is not None
        status = self._filter(batch)
        priority = Priority.CLOSING if ended else Priority.RUNNING
        swept = await self.sweeper.sweep(batch_id, priority, full=ended, status=status)
        if swept is not None:
            self.collectors.record_answer(operation)
            concluded = self.closer.after_sweep(*swept, count=status is None)
            self._ledger_pause = LEDGER_PAUSE
            self.gauges.show((concluded,))
            if concluded.cost_due:
                self.wake_background()
        return swept is not None

    def _handle_api_error(self, batch_id: str, error: ApiError) -> None:
        """Handle a failed page: the key, the collector or the batch is the cause."""
        if isinstance(error, Unauthorised):
            self.key_state.refuse(error)
        elif isinstance(error, Forbidden):
            self.collectors.forbid(error.operation, error)
        # An API that cannot be reached says nothing about this batch.
        elif not isinstance(error, NetworkError):
            batch = self.closer.record_failure(
                batch_id, error.reason, str(error), missing=isinstance(error, NotFound)
            )
            self.gauges.show(() if batch is None else (batch,))

    def _filter(self, batch: Batch) -> str | None:
        """Return the configured status filter of a batch, None for no filter.

        A batch that is also discovered is swept without a filter, since its results count.
        """
        status = next(
            (entry.status for entry in self.config.batches if entry.id == batch.ref.id), None
        )
        if status is None:
            return None
        if not batch.schedule and {*batch.probes, *(batch.probes_at_last_sweep or {})} <= {
            "status"
        }:
            return status
        if batch.ref.id not in self._warned:
            self._warned.add(batch.ref.id)
            _log.warning(
                "status filter ignored: the batch is also discovered",
                account=self.config.name,
                batch=batch.ref.id,
            )
        return None

    def _report_pending(self) -> None:
        self.telemetry.pending(self.config.name, len(self.queue), self.queue.oldest)
