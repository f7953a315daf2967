"""One account's tasks: the cycle that discovers, the workers that sweep, and what each kind of failure means for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.config import Account as AccountConfig
from runtype_exporter.config import Poll
from runtype_exporter.ledger import Ledger, LedgerError
from runtype_exporter.model import AccountStatus, Batch, Pictures, Room, Telemetry
from runtype_exporter.polling import batches, inline
from runtype_exporter.polling.collectors import Collectors
from runtype_exporter.polling.costs import Costs
from runtype_exporter.polling.discovery import Discovery
from runtype_exporter.polling.endings import Endings
from runtype_exporter.polling.extras import Extras
from runtype_exporter.polling.labels import LabelTable, Unlimited
from runtype_exporter.polling.queue import SweepQueue
from runtype_exporter.polling.reading import Statuses
from runtype_exporter.polling.sweep import Sweeper
from runtype_exporter.runtype import (
    ApiError,
    Budget,
    Client,
    Forbidden,
    NetworkError,
    NotFound,
    Priority,
    Throttled,
    Unauthorised,
)

UNAUTHORISED_INTERVAL = 60.0
"""A key that is refused is tried once in this time, seconds."""
LEDGER_PAUSE = 5.0
"""How long a worker pauses after the ledger failed, seconds; doubled up to `LONGEST_LEDGER_PAUSE` while it goes on failing."""
LONGEST_LEDGER_PAUSE = 60.0

_log = structlog.get_logger()


@dataclass(slots=True)
class Account:
    """One account's polling. `run` polls until cancelled, `catch_up` until nothing is left to do."""

    config: AccountConfig
    poll: Poll
    retention: float
    batches_per_schedule: int
    client: Client
    budget: Budget
    ledger: Ledger
    statuses: Statuses
    telemetry: Telemetry
    pictures: Pictures
    clock: Clock
    room: Room = field(default_factory=Unlimited)
    _collectors: Collectors = field(init=False)
    _labels: LabelTable = field(init=False)
    _endings: Endings = field(init=False)
    _extras: Extras = field(init=False)
    _discovery: Discovery = field(init=False)
    _sweeper: Sweeper = field(init=False)
    _queue: SweepQueue = field(init=False)
    _authorised: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _up: bool | None = field(default=None, init=False)
    _last_poll: float | None = field(default=None, init=False)
    _last_error: str = field(default="", init=False)
    _failing: bool = field(default=False, init=False)
    """Whether the last cycle failed."""
    _stumbled: bool = field(default=False, init=False)
    """Whether any sweep failed since the start."""
    _patient: bool = field(default=True, init=False)
    """Whether what a failing ledger held up is tried again."""
    _ledger_pause: float = field(default=LEDGER_PAUSE, init=False)
    _warned: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Put the parts together."""
        name = self.config.name
        off = [collector for collector, on in self.config.collectors if not on]
        self._collectors = Collectors(name, off, self.telemetry, self.clock, withdraw=self._withdraw)
        self._labels = LabelTable(name, self.ledger, self.room)
        self._endings = Endings(
            account=name,
            configured=frozenset(entry.id for entry in self.config.batches),
            settle_time=self.poll.settle_time,
            ledger=self.ledger,
            labels=self._labels,
            statuses=self.statuses,
            clock=self.clock,
            costs=partial(self._collectors.open, "cost"),
        )
        self._extras = Extras(
            account=name,
            interval=self.poll.discovery_interval,
            client=self.client,
            collectors=self._collectors,
            costs=Costs(name, self.client, self.ledger, self._collectors, self.clock, self._show),
            pictures=self.pictures,
            label=self._labels.schedule,
            clock=self.clock,
        )
        self._discovery = Discovery(
            account=self.config,
            poll=self.poll,
            retention=self.retention,
            client=self.client,
            ledger=self.ledger,
            labels=self._labels,
            statuses=self.statuses,
            collectors=self._collectors,
            endings=self._endings,
            clock=self.clock,
            listed=self._extras.listed,
        )
        self._sweeper = Sweeper(self.client, self.ledger, self._labels, self.statuses, self.clock)
        self._queue = SweepQueue(self._urgency)
        self._authorised.set()

    def status(self) -> AccountStatus:
        """How the account is doing."""
        return AccountStatus(
            name=self.config.name,
            up=self._up,
            open=len(self.ledger.open_batches(self.config.name)),
            waiting=len(self._queue),
            last_poll=self._last_poll,
            last_error=self._last_error,
        )

    async def run(self) -> None:
        """Poll until cancelled. Every failure but a programming error of the start is met here."""
        self._show_all()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.poll.max_concurrency):
                tasks.create_task(self._work())
            tasks.create_task(self._extras.run(self._authorised))
            tasks.create_task(self._cycles())

    async def catch_up(self) -> bool:
        """Poll until a cycle adds nothing and nothing waits, trying nothing twice. Whether all went well."""
        self._show_all()
        self._patient = self._stumbled = False
        workers = [asyncio.create_task(self._work()) for _ in range(self.poll.max_concurrency)]
        try:
            while True:
                well = await self._cycle()
                added = self._enqueue()
                await self._queue.drained()
                unclaimed = any(batch.unclaimed for batch in self.ledger.open_batches(self.config.name))
                if not well or not (unclaimed or (added and not self._stumbled)):
                    await self._extras.read()
                    return well and not self._stumbled
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _cycles(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            await self._cycle()
            self._enqueue()
            self._extras.wake()
            interval = max(self.poll.interval, self.budget.share_interval(self._discovery.requests))
            if not self._authorised.is_set():
                interval = max(interval, UNAUTHORISED_INTERVAL)
            await asyncio.sleep(max(0.0, started + interval - loop.time()))

    async def _cycle(self) -> bool:
        """One cycle. Whether it met no failure."""
        name = self.config.name
        began = self.clock.now()
        self._collectors.start_cycle()
        failure = error_text = ""
        try:
            await self._discovery.cycle()
            self._show(self._discovery.touched.values())
            failure = self._collectors.failure
            if self._failing and not failure:
                self._recover()
        except ApiError as error:
            failure, error_text = error.reason, str(error)
            if isinstance(error, Unauthorised):
                self._refused(error)
        except LedgerError as error:
            failure, error_text = "ledger", str(error)
            _log.warning("polling pauses: the ledger failed", account=name, error=str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the other accounts' polling
            failure, error_text = "internal", type(error).__name__
            _log.exception("cycle failed", account=name)
        self._failing = bool(failure)
        if self._collectors.asked:  # else nothing was to be asked, and it is as it was
            self._up = self._collectors.reached and failure != "unauthorised"
            if self._up:
                self._authorised.set()
        self._up = bool(self._up)
        self.telemetry.up(name, up=self._up)
        now = self.clock.now()
        self.telemetry.cycle(name, now - began, now, failure)
        if failure:
            self._last_error = error_text or f"cycle failed: {failure}"
        else:
            self._last_error = ""
            self._last_poll = now
        return not failure

    def _recover(self) -> None:
        """The API is well again: what backed off for a failure that may have been everybody's need not wait out its hour."""
        now = self.clock.now()
        waiting = [
            b for b in self.ledger.open_batches(self.config.name) if b.retry_at > now and b.missing_since is None
        ]
        self.ledger.save(*(replace(batch, retry_at=now) for batch in waiting))

    def _refused(self, error: Unauthorised) -> None:
        if self._authorised.is_set():
            _log.error(
                "the API refuses the key: polling drops to one request a minute",
                account=self.config.name,
                error=str(error),
            )
        self._authorised.clear()

    def _enqueue(self) -> int:
        """Let every batch that wants a sweep wait for one. How many were added."""
        added = 0
        now = self.clock.now()
        if self._authorised.is_set():
            for batch in self.ledger.open_batches(self.config.name):
                wanted = batches.wants_sweep(batch, self.poll.settle_time, now)
                if wanted and self._collectors.open(inline.read_of(batch)):
                    added += self._queue.add(batch.ref.id, now)
        self._tell_pending()
        return added

    def _urgency(self, batch_id: str) -> tuple[float, ...]:
        """Closing batches first, then the stalest."""
        batch = self.ledger.lookup((batch_id,)).get(batch_id)
        if batch is None:
            return (0.0, 0.0)
        return (float(batch.ended is None), batch.picture.at if batch.picture is not None else 0.0)

    async def _work(self) -> None:
        while True:
            batch_id = await self._queue.take()
            try:
                self._tell_pending()
                await self._authorised.wait()
                again = await self._sweep(batch_id)
            finally:
                self._queue.done(batch_id)
            if again:
                self._queue.add(batch_id, self.clock.now())

    async def _sweep(self, batch_id: str) -> bool:
        """Sweep one batch. Whether it is to be tried again at once: then the budget's or the ledger's pause holds it back."""
        try:
            return await self._attempt(batch_id)
        except LedgerError as error:
            self.telemetry.sweep(self.config.name, "ledger")
            _log.warning("polling pauses: the ledger failed", account=self.config.name, error=str(error))
            pause, self._ledger_pause = self._ledger_pause, min(2 * self._ledger_pause, LONGEST_LEDGER_PAUSE)
            self._stumbled = True
            await asyncio.sleep(pause if self._patient else 0.0)
            return self._patient

    async def _attempt(self, batch_id: str) -> bool:
        name = self.config.name
        try:
            if await self._walk(batch_id):
                self.telemetry.sweep(name, "")
        except ApiError as error:
            self.telemetry.sweep(name, error.reason)
            if isinstance(error, Throttled):
                return True
            self._stumbled = True
            self._meet(batch_id, error)
        except LedgerError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours in one batch must not stop the others
            self._stumbled = True
            self.telemetry.sweep(name, "internal")
            _log.exception("sweep failed", account=name, batch=batch_id)
            self._endings.failed(batch_id, "internal", type(error).__name__, missing=False)
        return False

    async def _walk(self, batch_id: str) -> bool:
        batch = self.ledger.lookup((batch_id,)).get(batch_id)
        if batch is None or batch.closed is not None or not self._collectors.open("results"):
            return False
        ended = batch.ended is not None
        status = self._filter(batch)
        priority = Priority.CLOSING if ended else Priority.RUNNING
        walked = await self._sweeper.walk(batch_id, priority, full=ended, status=status)
        if walked is not None:
            self._collectors.answered(inline.read_of(batch))
            self._show((self._endings.conclude(*walked, count=status is None),))
            self._ledger_pause = LEDGER_PAUSE
        return walked is not None

    def _meet(self, batch_id: str, error: ApiError) -> None:
        """Do what a failed page asks for."""
        self._last_error = str(error)
        if isinstance(error, Unauthorised):
            self._refused(error)
        elif isinstance(error, Forbidden):
            self._collectors.forbid(error.operation, error)
        elif not isinstance(error, NetworkError):  # an API out of reach says nothing about this batch
            batch = self._endings.failed(batch_id, error.reason, str(error), missing=isinstance(error, NotFound))
            self._show(() if batch is None else (batch,))

    def _filter(self, batch: Batch) -> str | None:
        """The configured status filter. A batch that is also discovered is swept whole, since its results count."""
        status = next((entry.status for entry in self.config.batches if entry.id == batch.ref.id), None)
        if status is None:
            return None
        if not batch.schedule and {*batch.probes, *(batch.swept or {})} <= {"status"}:
            return status
        if batch.ref.id not in self._warned:
            self._warned.add(batch.ref.id)
            _log.warning(
                "status filter ignored: the batch is also discovered", account=self.config.name, batch=batch.ref.id
            )
        return None

    def _show_all(self) -> None:
        name = self.config.name
        self.pictures.forget(name)
        self._show(self.ledger.recently_closed(name, self.batches_per_schedule))
        self._show(self.ledger.open_batches(name))

    def _show(self, changed: Iterable[Batch]) -> None:
        entries = {entry.id: entry.name or entry.id for entry in self.config.batches}
        for batch in changed:
            batch_id = batch.ref.id
            configured = batch_id in entries
            known = bool(batch.probes) or batch.swept is not None
            if configured and (known or batch_id in self._endings.missing):
                self.pictures.found(self.config.name, entries[batch_id], found=batch_id not in self._endings.missing)
            if batch.run or batch.unclaimed or (batch.closed is not None and batch.labels is None):
                continue
            labels = self._labels.shown(batch)
            self.pictures.show(
                batches.view(
                    batch, self.statuses, name=entries.get(batch_id, batch_id), configured=configured, labels=labels
                )
            )

    def _withdraw(self, collector: str) -> None:
        self.pictures.family(self.config.name, collector, {})

    def _tell_pending(self) -> None:
        self.telemetry.pending(self.config.name, len(self._queue), self._queue.oldest)
