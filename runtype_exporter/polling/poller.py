"""Poll one account: run its cycles, workers and periodic reads, whatever fails in them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from runtype_exporter.ledger import LedgerError
from runtype_exporter.limits import shortest_cycle_interval
from runtype_exporter.polling import ledger_failures
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.discovery.cycle import CycleResult
from runtype_exporter.polling.parts import Parts, build
from runtype_exporter.protocols import AccountStatus

CYCLES_TO_HORIZON = 3
"""So many cycles at most learn the time of the API when the account is to catch up."""

_log = structlog.get_logger()


@dataclass(slots=True)
class AccountPoller:
    """The polling of one account.

    `run` polls until cancelled, `catch_up` until nothing is left to do.
    """

    context: AccountContext
    _parts: Parts = field(init=False)
    _cycle_due: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _gauges_current: bool = field(default=False, init=False)
    """Whether the gauges show all batches of the ledger as they are stored."""
    _up: bool | None = field(default=None, init=False)
    _last_poll: float | None = field(default=None, init=False)
    _last_error: str = field(default="", init=False)
    """The error of the last cycle, "" for none."""
    _requests: int = field(default=0, init=False)
    """The requests of the last cycle."""

    def __post_init__(self) -> None:
        """Put the parts together."""
        self._parts = build(self.context, wake_cycle=self._cycle_due.set)
        self.context.collectors.withdraw = self._parts.gauges.withdraw

    def status(self) -> AccountStatus:
        """Return how the account is doing."""
        name = self.context.name
        return AccountStatus(
            name=name,
            up=False if self.context.collectors.up is False else self._up,
            open=len(self.context.ledger.open_batches(name)),
            waiting=len(self._parts.workers.queue),
            last_poll=self._last_poll,
            last_error=self._last_error or self._parts.workers.last_error,
        )

    async def run(self) -> None:
        """Poll until cancelled. Only a bug in the start itself can end it."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.context.poll.max_concurrency):
                tasks.create_task(self._parts.workers.work())
            for read in self._parts.periodic:
                tasks.create_task(read.run())
            tasks.create_task(self._cycles())

    async def catch_up(self) -> bool:
        """Poll until a cycle adds nothing that was not swept already, and nothing waits.

        Nothing is tried twice, and a refused key ends it. Return whether there was no failure.
        """
        self._parts = build(self.context, wake_cycle=self._cycle_due.set, paced=False)
        self.context.collectors.confirm_refusals = False
        refused = asyncio.create_task(self.context.collectors.key_refused.wait())
        began = self.context.clock.monotonic()
        reads = asyncio.create_task(self._read_all())
        tasks = [
            asyncio.create_task(self._parts.workers.work())
            for _ in range(self.context.poll.max_concurrency)
        ]
        try:
            await asyncio.wait({reads, refused}, return_when=asyncio.FIRST_COMPLETED)
            if not reads.done():
                # All further reads would wait until the key may be tried again.
                self._report(began, "unauthorised", self.context.collectors.last_failure)
                return False
            return reads.result()
        finally:
            for task in (reads, refused, *tasks):
                task.cancel()
            await asyncio.gather(reads, refused, *tasks, return_exceptions=True)

    async def _read_all(self) -> bool:
        """Run cycles and the other reads until nothing is left. Return whether nothing failed."""
        parts = self._parts
        swept: set[str] = set()
        claims = 0
        # The names of the schedules come first, because labels never change.
        succeeded = await parts.schedule_lists.once()
        for _ in range(CYCLES_TO_HORIZON):
            if parts.discovery.horizon.current() is None:
                # Nothing is followed before the time of the API is certain.
                succeeded = await self._cycle() and succeeded
                succeeded = await parts.status_reads.once() and succeeded
        succeeded = succeeded and parts.discovery.horizon.current() is not None
        while True:
            succeeded = await self._cycle() and succeeded
            if not parts.full_walk.began or self._claims_left():
                # A cycle may not reach far enough back to show that no run claims a batch.
                succeeded = await parts.full_walks.once() and succeeded
            succeeded = await parts.status_reads.once() and succeeded
            added = {*parts.workers.enqueue()} - swept
            swept |= added
            await parts.workers.queue.drained()
            succeeded = succeeded and not parts.workers.last_error
            waits = parts.schedule_filter.waits
            if waits:
                # The list that was read first did not have the schedule of a run.
                succeeded = await parts.schedule_lists.once() and succeeded
            # A list that cannot be read would be waited for without end.
            succeeded = succeeded and not parts.schedule_filter.waits
            before, claims = claims, self._claims_left()
            if not succeeded or not (waits or added or claims != before):
                break
        succeeded = succeeded and not claims and not self._refused()
        for read in (parts.usage, parts.sparklines, parts.costs):
            succeeded = await read.once() and succeeded
        return succeeded

    def _claims_left(self) -> int:
        """Return how many reads of the run list the batches wait for that a run may claim."""
        batches = self.context.ledger.open_batches(self.context.name)
        return sum(batch.claims_left for batch in batches)

    def _refused(self) -> bool:
        """Return whether the key may not read something that is configured, and log it."""
        collectors, configured = self.context.collectors, self.context.config.collectors
        refused = [name for name, on in configured if on and not collectors.is_enabled(name)]
        if refused:
            _log.warning("not read: the key may not", account=self.context.name, collectors=refused)
        return bool(refused)

    async def _cycles(self) -> NoReturn:
        loop, limit = asyncio.get_running_loop(), self.context.config.requests_per_hour
        while True:
            self._cycle_due.clear()
            started = loop.time()
            await self._cycle()
            self._enqueue()
            shortest = shortest_cycle_interval(self._requests, limit)
            interval = max(self.context.poll.interval, shortest)
            try:
                async with asyncio.timeout_at(started + interval):
                    await self._cycle_due.wait()
            except TimeoutError:
                continue

    def _enqueue(self) -> None:
        """Queue what is to be swept."""
        try:
            self._parts.workers.enqueue()
        # A bug must not end the polling of the other accounts.
        except Exception:  # noqa: BLE001
            self.context.telemetry.sweep(self.context.name, "internal")
            _log.exception("nothing could be queued", account=self.context.name)

    async def _cycle(self) -> bool:
        """Run one cycle. Return whether it had no failure."""
        context, collectors = self.context, self.context.collectors
        began = context.clock.monotonic()
        failure = error_text = ""
        try:
            if not self._gauges_current:
                self._parts.gauges.show_all()
                self._gauges_current = True
            result = await self._parts.discovery.cycle()
            self._requests = result.requests
            self._parts.add_cycle(result)
            self._show(result)
            if result.failure is not None:
                failure, error_text = result.failure.error.reason, str(result.failure)
            elif not result.answered and collectors.up is False:
                # No list is enabled: the other reads show how the account is doing.
                failure, error_text = "unreachable", collectors.last_failure
        except LedgerError as error:
            failure, error_text = "ledger", str(error)
            # What the cycle changed before may be shown nowhere yet.
            self._gauges_current = False
            ledger_failures.warn("polling pauses: the ledger failed", context.name, error)
        # A bug must not end the polling of the other accounts.
        except Exception as error:  # noqa: BLE001
            failure, error_text = "internal", type(error).__name__
            self._gauges_current = False
            _log.exception("cycle failed", account=context.name)
        self._report(began, failure, error_text)
        return not failure

    def _show(self, result: CycleResult) -> None:
        """Set the gauges of the batches that the cycle or a deadline changed."""
        parts = self._parts
        parts.gauges.show(parts.discovery.stored(result.changed))
        parts.gauges.show(parts.closer.enforce_deadlines())

    def _report(self, began: float, failure: str, error_text: str) -> None:
        """Report how a cycle went that began at this monotonic moment."""
        context = self.context
        self._up = bool(context.collectors.up)
        context.telemetry.up(context.name, up=self._up)
        now = context.clock.now()
        context.telemetry.cycle(context.name, context.clock.monotonic() - began, now, failure)
        self._last_error = error_text or (f"cycle failed: {failure}" if failure else "")
        if not failure:
            self._parts.workers.last_error = ""
            self._last_poll = now
