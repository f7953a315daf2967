"""The workers that sweep: which batch is next, and what each kind of failure means for it.

They must not know how batches are found.
"""

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
from runtype_exporter.polling.api_key_state import ApiKeyState
from runtype_exporter.polling.batches import lifecycle, runs_without_batch
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.gauges import BatchGauges
from runtype_exporter.polling.collectors import CollectorStates
from runtype_exporter.polling.sweeps.queue import SweepQueue
from runtype_exporter.polling.sweeps.sweep import Sweeper
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
"""How long a worker pauses after the ledger failed, seconds; doubled up to `LONGEST_LEDGER_PAUSE`
while it goes on failing."""
LONGEST_LEDGER_PAUSE = 60.0

_log = structlog.get_logger()


@dataclass(slots=True)
class Workers:
    """One account's.

    `patient`: whether what a failing ledger or a refused key held up is tried again.
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
    """Called where a batch closed whose cost is due."""
    retry: bool = True
    last_error: str = field(default="", init=False)
    """The last error of a sweep, "" for none since the start."""
    queue: SweepQueue = field(init=False)
    _ledger_pause: float = field(default=LEDGER_PAUSE, init=False)
    _warned: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Begin with nothing to do."""
        self.queue = SweepQueue(self._urgency)

    def enqueue(self) -> list[str]:
        """Let every batch that wants a sweep wait for one. Those that were not waiting before."""
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
        """Sweep one batch after another."""
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
        """Closing batches first, then the stalest."""
        try:
            batch = self.ledger.lookup((batch_id,)).get(batch_id)
        except LedgerError:  # it is met where the batch is swept
            batch = None
        if batch is None:
            return (0.0, 0.0)
        return (float(batch.ended is None), batch.picture.at if batch.picture is not None else 0.0)

    async def _sweep(self, batch_id: str) -> bool:
        """Sweep one batch.

        Whether it is to be tried again at once: then the budget's or the ledger's pause holds it
        back.
        """
        try:
            return await self._attempt(batch_id)
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
        except Exception as error:  # noqa: BLE001 - a fault of ours in meeting a failure must not end the worker
            self.last_error = type(error).__name__
            _log.exception(
                "a failed sweep could not be met", account=self.config.name, batch=batch_id
            )
            return False

    async def _attempt(self, batch_id: str) -> bool:
        name = self.config.name
        try:
            if await self._walk(batch_id):
                self.telemetry.sweep(name, "")
        except ApiError as error:
            self.telemetry.sweep(name, error.reason)
            if isinstance(error, Throttled):
                return True
            self.last_error = str(error)
            self._handle_api_error(batch_id, error)
        except LedgerError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours in one batch must not stop the others
            self.last_error = type(error).__name__
            self.telemetry.sweep(name, "internal")
            _log.exception("sweep failed", account=name, batch=batch_id)
            self.closer.record_failure(batch_id, "internal", type(error).__name__, missing=False)
        return False

    async def _walk(self, batch_id: str) -> bool:
        """Walk a batch's results to the end and draw the conclusion.

        Whether there was anything to walk.
        """
        batch = self.ledger.lookup((batch_id,)).get(batch_id)
        if (
            batch is None
            or batch.closed is not None
            or not self.collectors.is_enabled(runs_without_batch.results_operation(batch))
        ):
            return False
        ended = batch.ended is not None
        status = self._filter(batch)
        priority = Priority.CLOSING if ended else Priority.RUNNING
        walked = await self.sweeper.walk(batch_id, priority, full=ended, status=status)
        if walked is not None:
            self.collectors.record_answer(runs_without_batch.results_operation(batch))
            concluded = self.closer.after_sweep(*walked, count=status is None)
            self._ledger_pause = LEDGER_PAUSE
            self.gauges.show((concluded,))
            if concluded.cost_due:
                self.wake_background()
        return walked is not None

    def _handle_api_error(self, batch_id: str, error: ApiError) -> None:
        """Do what a failed page asks for."""
        if isinstance(error, Unauthorised):
            self.key_state.refuse(error)
        elif isinstance(error, Forbidden):
            self.collectors.forbid(error.operation, error)
        # An API out of reach says nothing about this batch.
        elif not isinstance(error, NetworkError):
            batch = self.closer.record_failure(
                batch_id, error.reason, str(error), missing=isinstance(error, NotFound)
            )
            self.gauges.show(() if batch is None else (batch,))

    def _filter(self, batch: Batch) -> str | None:
        """The configured status filter.

        A batch that is also discovered is swept whole, since its results count.
        """
        status = next(
            (entry.status for entry in self.config.batches if entry.id == batch.ref.id), None
        )
        if status is None:
            return None
        if not batch.schedule and {*batch.probes, *(batch.swept or {})} <= {"status"}:
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
