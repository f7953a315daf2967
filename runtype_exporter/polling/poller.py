"""Poll one account: put its parts together and run its cycles, whatever fails in them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.config import Account, Poll
from runtype_exporter.ledger import Ledger, LedgerError
from runtype_exporter.polling import ledger_failures
from runtype_exporter.polling.api_key_state import ApiKeyState
from runtype_exporter.polling.background.reads import BackgroundReads
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.costs import CostReads
from runtype_exporter.polling.batches.gauges import BatchGauges
from runtype_exporter.polling.batches.labels import LabelTable, NoSeriesLimit
from runtype_exporter.polling.collectors import CollectorStates
from runtype_exporter.polling.discovery.cycle import Discovery
from runtype_exporter.polling.discovery.status_probe import StatusProbe
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.polling.sweeps.sweeper import Sweeper
from runtype_exporter.polling.sweeps.workers import Workers
from runtype_exporter.protocols import AccountStatus, GaugeSink, SeriesLimit, Telemetry
from runtype_exporter.runtype import (
    ApiError,
    Budget,
    Client,
    Unauthorised,
)

UNAUTHORISED_INTERVAL = 60.0
"""A key that is refused is tried once in this time, in seconds."""

_log = structlog.get_logger()


@dataclass(slots=True)
class AccountPoller:
    """The polling of one account.

    `run` polls until cancelled, `catch_up` until nothing is left to do. `retention` is in seconds.
    """

    config: Account
    poll: Poll
    retention: float
    batches_per_schedule: int
    client: Client
    budget: Budget
    ledger: Ledger
    status_words: StatusWords
    telemetry: Telemetry
    gauges: GaugeSink
    clock: Clock
    series_limit: SeriesLimit = field(default_factory=NoSeriesLimit)
    _collectors: CollectorStates = field(init=False)
    _key_state: ApiKeyState = field(init=False)
    _gauges: BatchGauges = field(init=False)
    _background: BackgroundReads = field(init=False)
    _discovery: Discovery = field(init=False)
    _workers: Workers = field(init=False)
    _gauges_current: bool = field(default=False, init=False)
    """Whether the gauges show all batches of the ledger as they are stored."""
    _up: bool | None = field(default=None, init=False)
    _last_poll: float | None = field(default=None, init=False)
    _last_error: str = field(default="", init=False)
    """The error of the last cycle, "" for none."""

    def __post_init__(self) -> None:
        """Put the parts together."""
        name = self.config.name
        off = [collector for collector, on in self.config.collectors if not on]
        labels = LabelTable(name, self.ledger, self.series_limit)
        self._key_state = ApiKeyState(name)
        self._collectors = CollectorStates(
            name, off, self.telemetry, self.clock, withdraw=self._withdraw
        )
        closer = BatchCloser(
            account=name,
            configured=frozenset(entry.id for entry in self.config.batches),
            settle_time=self.poll.settle_time,
            ledger=self.ledger,
            labels=labels,
            status_words=self.status_words,
            clock=self.clock,
            costs=partial(self._collectors.is_enabled, "cost"),
        )
        self._gauges = BatchGauges(
            config=self.config,
            batches_per_schedule=self.batches_per_schedule,
            ledger=self.ledger,
            labels=labels,
            status_words=self.status_words,
            closer=closer,
            gauges=self.gauges,
        )
        self._background = BackgroundReads(
            account=name,
            interval=self.poll.discovery_interval,
            client=self.client,
            collectors=self._collectors,
            costs=CostReads(
                name, self.client, self.ledger, self._collectors, self.clock, self._gauges.show
            ),
            gauges=self.gauges,
            label=labels.schedule,
            clock=self.clock,
        )
        self._discovery = Discovery(
            account=self.config,
            poll=self.poll,
            retention=self.retention,
            client=self.client,
            ledger=self.ledger,
            labels=labels,
            status_words=self.status_words,
            collectors=self._collectors,
            closer=closer,
            status_probe=StatusProbe(
                name, self.client, self.ledger, self._collectors, closer, self.clock
            ),
            clock=self.clock,
            on_schedules=self._background.set_schedules,
        )
        self._workers = Workers(
            config=self.config,
            settle_time=self.poll.settle_time,
            ledger=self.ledger,
            sweeper=Sweeper(self.client, self.ledger, labels, self.status_words, self.clock),
            closer=closer,
            collectors=self._collectors,
            key_state=self._key_state,
            gauges=self._gauges,
            telemetry=self.telemetry,
            clock=self.clock,
            wake_background=self._background.wake,
        )

    def status(self) -> AccountStatus:
        """Return how the account is doing."""
        return AccountStatus(
            name=self.config.name,
            up=self._up,
            open=len(self.ledger.open_batches(self.config.name)),
            waiting=len(self._workers.queue),
            last_poll=self._last_poll,
            last_error=self._last_error or self._workers.last_error,
        )

    async def run(self) -> None:
        """Poll until cancelled. Only a bug in the start itself can end it."""
        self.gauges.forget(self.config.name)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.poll.max_concurrency):
                tasks.create_task(self._workers.work())
            tasks.create_task(self._background.run(self._key_state.accepted))
            tasks.create_task(self._cycles())

    async def catch_up(self) -> bool:
        """Poll until a cycle adds nothing that was not swept already, and nothing waits.

        Nothing is tried twice. Return whether there was no failure.
        """
        self._workers.retry = False
        tasks = [
            asyncio.create_task(self._workers.work()) for _ in range(self.poll.max_concurrency)
        ]
        swept: set[str] = set()
        try:
            while True:
                succeeded = await self._cycle()
                added = {*self._workers.enqueue()} - swept
                swept |= added
                await self._workers.queue.drained()
                claims_left = any(
                    batch.claims_left for batch in self.ledger.open_batches(self.config.name)
                )
                succeeded = succeeded and not self._workers.last_error
                if not succeeded or not (claims_left or added):
                    await self._background.read()
                    return succeeded
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _cycles(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            await self._cycle()
            self._workers.enqueue()
            self._background.wake()
            interval = max(self.poll.interval, self.budget.share_interval(self._discovery.requests))
            if not self._key_state.accepted.is_set():
                interval = max(interval, UNAUTHORISED_INTERVAL)
            await asyncio.sleep(max(0.0, started + interval - loop.time()))

    async def _cycle(self) -> bool:
        """Run one cycle. Return whether it had no failure."""
        name = self.config.name
        began = self.clock.now()
        self._collectors.start_cycle()
        failure = error_text = ""
        try:
            if not self._gauges_current:
                self._gauges.show_all()
                self._gauges_current = True
            try:
                await self._discovery.cycle()
            finally:
                # What a cycle changed before it failed may never change again.
                self._show_changed()
            failure = self._collectors.failure
            if self._last_error and not failure:
                self._recover()
        except ApiError as error:
            failure, error_text = error.reason, str(error)
            if isinstance(error, Unauthorised):
                self._key_state.refuse(error)
        except LedgerError as error:
            failure, error_text = "ledger", str(error)
            ledger_failures.warn("polling pauses: the ledger failed", name, error)
        # A bug must not end the polling of the other accounts.
        except Exception as error:  # noqa: BLE001
            failure, error_text = "internal", type(error).__name__
            _log.exception("cycle failed", account=name)
        # Without any request in this cycle the state stays as it was.
        if self._collectors.asked:
            self._up = self._collectors.reached and failure != "unauthorised"
            if self._up:
                self._key_state.accepted.set()
        self._up = bool(self._up)
        self.telemetry.up(name, up=self._up)
        now = self.clock.now()
        self.telemetry.cycle(name, now - began, now, failure)
        self._last_error = error_text or (f"cycle failed: {failure}" if failure else "")
        if not failure:
            self._workers.last_error = ""
            self._last_poll = now
        return not failure

    def _show_changed(self) -> None:
        """Set the gauges of the batches that a cycle changed.

        If the ledger fails, the next cycle sets the gauges of all batches.
        """
        try:
            changed = self._discovery.changed()
        except LedgerError as error:
            # Not raised, because that would hide why the cycle ends: it may be cancelled.
            self._gauges_current = False
            ledger_failures.warn("gauges wait: the ledger failed", self.config.name, error)
        else:
            self._gauges.show(changed)

    def _withdraw(self, collector: str) -> None:
        """Remove the gauges of a collector. The gauges are built after the collectors."""
        self._gauges.withdraw(collector)

    def _recover(self) -> None:
        """Let the batches that back off be read at once, because the API works again.

        Their failures may have been failures of the whole account.
        """
        now = self.clock.now()
        before = self.ledger.open_batches(self.config.name)
        after = [lifecycle.stop_backing_off(batch, now) for batch in before]
        changed = [new for old, new in zip(before, after, strict=True) if new is not old]
        self.ledger.save(*changed)
