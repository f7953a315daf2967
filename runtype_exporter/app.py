"""The wiring: which rooms there are, how they hear of each other, and in which order they start, reload and stop.

It owns the sockets and the signals. It counts nothing and reads nothing of the API itself.
"""

from __future__ import annotations

import asyncio
import platform
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog

from runtype_exporter import __version__, catalogue
from runtype_exporter.clock import Clock, SystemClock
from runtype_exporter.config import Account as AccountConfig
from runtype_exporter.config import Config, ConfigError, SecretError
from runtype_exporter.ledger import Ledger
from runtype_exporter.metrics import Bounds, Gauges, OwnMetrics, Publisher, label_set_lines
from runtype_exporter.model import Snapshot, Status
from runtype_exporter.objectives import Objective, Objectives
from runtype_exporter.polling import Account, Statuses
from runtype_exporter.runtype import Budget, Client
from runtype_exporter.web import Server, create_app

USER_AGENT = f"runtype-exporter/{__version__}"
STOP_AFTER = 3.0
"""How long a stop waits for the tasks before it goes on without them, seconds."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. `load` reads the configuration, anew at every reload."""

    load: Callable[[], Config]
    state_path: Path | None = None
    host: str = ""
    port: int = 10077
    telemetry_path: str = "/metrics"
    lifecycle: bool = False
    clock: Clock = field(default_factory=SystemClock)
    on_listening: Callable[[int], None] = lambda _port: None


@dataclass(slots=True)
class _Running:
    """One account at work, and what must be closed after it."""

    account: Account
    client: Client
    budget: Budget
    task: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """Stop between pages: a page that came is committed, one under way is dropped."""
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task
        await self.client.aclose()
        self.budget.close()


class Exporter:
    """The process: one ledger, one publisher, and the accounts of the configuration in force."""

    def __init__(self, options: Options) -> None:
        """Read the configuration and open the ledger. Needs a running event loop.

        Raises:
            ConfigError: with every fault of the configuration.
            LedgerError: the ledger's file cannot be used; the message says what to do.
        """
        self._options = options
        self._clock = options.clock
        self._config = _checked(options.load())
        self._path = options.state_path or self._config.state.path
        metrics = self._config.metrics
        self._statuses = Statuses(metrics.status_map)
        self._own = OwnMetrics()
        self._ledger = Ledger.open(
            self._path,
            clock=self._clock,
            boundaries=catalogue.boundaries(self._config.latency_boundaries),
            objectives=_objectives(self._config),
            on_commit=self._own.commit,
            on_failure=self._own.ledger_failed,
        )
        self._bounds = Bounds(
            metrics.max_series,
            label_set=_label_set(self._config),
            durable=self._ledger.lines,
            on_dropped=self._own.dropped,
        )
        self._gauges = Gauges(
            batches_per_schedule=metrics.batches_per_schedule, known_words=self._statuses.known, bounds=self._bounds
        )
        self._accounts: dict[str, _Running] = {}
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._own.build_info(__version__, platform.python_version())
        self._own.leader(leads=True)
        self._own.series_limit(metrics.max_series)
        self._own.reloaded(self._clock.now(), successful=True)

    def status(self) -> Status:
        """How the accounts are doing, for pages and readiness."""
        accounts = tuple(running.account.status() for running in self._accounts.values())
        return Status(ready=all(account.up is not None for account in accounts), accounts=accounts)

    def stop(self) -> None:
        """End `serve` in an orderly way."""
        self._stopping.set()

    async def serve(self) -> int:
        """Serve until stopped. The process's exit code."""
        publisher = self._publisher(gate=True)
        app = create_app(
            publisher=publisher,
            status=self,
            reload=self.reload,
            version=__version__,
            telemetry_path=self._options.telemetry_path,
            lifecycle=self._options.lifecycle,
        )
        with listen(self._options.host, self._options.port) as listener:
            server = Server(app, [listener])
            self._signals()
            try:
                async with asyncio.TaskGroup() as tasks:
                    self._tasks = tasks
                    for account in self._config.accounts:
                        self._start(account)
                    publishing = tasks.create_task(publisher.run())
                    serving = tasks.create_task(server.run())
                    host, port = listener.getsockname()[:2]
                    _log.info("listening", host=host, port=port, path=self._options.telemetry_path)
                    self._options.on_listening(port)
                    await self._stopping.wait()
                    _log.info("stopping")
                    await self._stop_accounts()
                    publishing.cancel()
                    server.stop()
                    await asyncio.wait({serving}, timeout=STOP_AFTER)
                    serving.cancel()
            finally:
                self._ledger.close()
        return 0

    async def catch_up(self) -> tuple[bool, str]:
        """Poll every account until nothing is left to do. Whether all went well, and the metrics as text."""
        publisher = self._publisher(gate=False)
        try:
            for account in self._config.accounts:
                self._accounts[account.name] = self._build(account)
            well = await asyncio.gather(*(running.account.catch_up() for running in self._accounts.values()))
            publisher.publish_now()
            _, body = publisher.body(("text", "identity"))
        finally:
            await self._stop_accounts()
            self._ledger.close()
        return all(well), b"".join(body.chunks).decode()

    async def reload(self) -> list[str]:
        """Take up the configuration anew. Its errors, where it is bad or cannot be taken up: then the old one stays in force."""
        async with self._reloading:
            try:
                config = _checked(self._options.load())
            except ConfigError as error:
                return self._refuse([str(problem) for problem in error.problems])
            except SecretError as error:
                return self._refuse([str(error)])
            path = self._options.state_path or config.state.path
            if path != self._path:
                return self._refuse(
                    [
                        f"state.path: the ledger stays at {self._path} while the process runs; restart it to move to {path}"
                    ]
                )
            await self._stop_accounts()
            for gone in {account.name for account in self._config.accounts} - {
                account.name for account in config.accounts
            }:
                self._own.forget(gone)
                self._gauges.forget(gone)
            self._config = config
            self._statuses = Statuses(config.metrics.status_map)
            self._bounds.configure(config.metrics.max_series, label_set=_label_set(config))
            self._own.series_limit(config.metrics.max_series)
            self._gauges.configure(
                batches_per_schedule=config.metrics.batches_per_schedule, known_words=self._statuses.known
            )
            self._ledger.set_boundaries(catalogue.boundaries(config.latency_boundaries))
            self._ledger.set_objectives(_objectives(config))
            for account in config.accounts:
                self._start(account)
            self._own.reloaded(self._clock.now(), successful=True)
            _log.info("configuration reloaded", accounts=len(config.accounts))
            return []

    def _refuse(self, errors: list[str]) -> list[str]:
        self._own.reloaded(self._clock.now(), successful=False)
        for error in errors:
            _log.error("configuration not reloaded, the old one stays in force", error=error)
        return errors

    def _publisher(self, *, gate: bool) -> Publisher:
        publisher = Publisher(
            ledger=self._snapshot,
            pictures=self._gauges.snapshot,
            own=self._own,
            clock=self._clock,
            gate=gate,
            bounds=self._bounds,
        )
        publisher.publish_now()  # what was restored, before anything is counted
        return publisher

    def _snapshot(self) -> Snapshot:
        self._own.ledger(self._ledger.rows(), self._ledger.size(), self._ledger.created)
        snapshot = self._ledger.snapshot()
        self._gauges.retire(snapshot)
        return snapshot

    def _start(self, config: AccountConfig) -> None:
        running = self._build(config)
        running.task = self._tasks.create_task(running.account.run(), name=f"account {config.name}")
        self._accounts[config.name] = running

    def _build(self, config: AccountConfig) -> _Running:
        self._own.account(config.name)
        budget = Budget(config.name, config.requests_per_hour, self._ledger, self._clock, self._own)
        client = Client(
            config.name,
            config.base_url,
            partial(_key, config),
            budget=budget,
            telemetry=self._own,
            clock=self._clock,
            timeout=config.timeout,
            page_size=config.page_size,
            user_agent=USER_AGENT,
        )
        account = Account(
            config=config,
            poll=self._config.poll,
            retention=self._config.state.retention,
            batches_per_schedule=self._config.metrics.batches_per_schedule,
            client=client,
            budget=budget,
            ledger=self._ledger,
            statuses=self._statuses,
            telemetry=self._own,
            pictures=self._gauges,
            clock=self._clock,
            room=self._bounds,
        )
        return _Running(account, client, budget)

    async def _stop_accounts(self) -> None:
        running, self._accounts = self._accounts, {}
        await asyncio.gather(*(account.stop() for account in running.values()))

    def _signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._tasks.create_task(self.reload()))


def _label_set(config: Config) -> int:
    """How many lines the counters of one schedule and flow may take."""
    return label_set_lines(catalogue.boundaries(config.latency_boundaries), len(config.slos))


def _key(account: AccountConfig) -> str:
    """The account's key as it lies there now; "", which the client refuses to send, where a rotation has gone wrong."""
    try:
        return account.api_key.read()
    except SecretError as error:
        _log.error("the API key cannot be read", account=account.name, error=str(error))
        return ""


def _objectives(config: Config) -> Objectives:
    """What of the configured objectives decides how events are judged."""
    return Objectives([
        Objective(name=slo.name, type=slo.type, schedule=slo.schedule, threshold=slo.threshold, max_delay=slo.max_delay)
        for slo in config.slos
    ])  # fmt: skip


def _checked(config: Config) -> Config:
    """The configuration, if every key can be read.

    Raises:
        SecretError: one cannot; the message names its place and the remedy.
    """
    for account in config.accounts:
        account.api_key.read()
    return config


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; an empty host means every address of both families.

    Raises:
        OSError: the address is taken or not this machine's; the message names it.
    """
    try:
        if not host and socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise OSError(f"cannot listen on {host or '*'}:{port} (--web.listen-address): {error.strerror}") from None


async def serve(options: Options) -> int:
    """Poll and serve until a signal ends it. The process's exit code.

    Raises:
        ConfigError, LedgerError, OSError: it could not start; the message says why and what to do.
    """
    return await Exporter(options).serve()


async def catch_up(options: Options) -> tuple[bool, str]:
    """Poll once until caught up. Whether all went well, and the metrics as text.

    Raises:
        ConfigError, LedgerError: it could not start; the message says why and what to do.
    """
    return await Exporter(options).catch_up()
