"""The process: how its parts are connected, and in which order they start, reload and stop."""

from __future__ import annotations

import asyncio
import platform
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from runtype_exporter import __version__, catalogue
from runtype_exporter.accounts import Accounts
from runtype_exporter.clock import Clock, SystemClock
from runtype_exporter.config import Config, ConfigError, SecretError
from runtype_exporter.ledger import Ledger, LedgerError
from runtype_exporter.ledger_watch import LedgerWatch
from runtype_exporter.metrics import Gauges, MaxSeries, ProcessMetrics, Publisher, label_set_lines
from runtype_exporter.model import Snapshot
from runtype_exporter.objectives import Objective, Objectives
from runtype_exporter.polling import StatusWords
from runtype_exporter.protocols import Status
from runtype_exporter.signals import Signals
from runtype_exporter.web import Server, create_app, listen

USER_AGENT = f"runtype-exporter/{__version__}"
STOP_AFTER = 3.0
"""How long a stop waits for the web server, seconds."""

_log = structlog.get_logger()


class BadOption(Exception):  # noqa: N818  # it is the option that is wrong
    """An option of the command line cannot be used.

    The message names the flag and the remedy.
    """


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line. `load` reads the configuration, also at every reload."""

    load: Callable[[], Config]
    state_path: Path | None = None
    host: str = ""
    port: int = 10077
    telemetry_path: str = "/metrics"
    lifecycle: bool = False
    clock: Clock = field(default_factory=SystemClock)
    on_listening: Callable[[int], None] = lambda _port: None


class Exporter:
    """The process: one ledger, one publisher, and the accounts of the current configuration."""

    def __init__(self, options: Options, signals: Signals | None = None) -> None:
        """Read the configuration and open the ledger. This needs a running event loop.

        Raises:
            ConfigError: the configuration has faults; it lists all of them.
            SecretError: a key cannot be read.
            LedgerError: the ledger's file cannot be used; the message says what to do.
        """
        self._options = options
        self._signals = signals or Signals()
        self._clock = options.clock
        self._config = _checked(options.load())
        self._path = options.state_path or self._config.state.path
        metrics = self._config.metrics
        self._process_metrics = ProcessMetrics()
        self._ledger = Ledger.open(
            self._path,
            clock=self._clock,
            boundaries=catalogue.boundaries(self._config.latency_boundaries),
            objectives=_objectives(self._config),
            on_commit=self._process_metrics.commit,
            on_failure=self._process_metrics.ledger_failed,
        )
        self._series_limit = MaxSeries(
            metrics.max_series,
            label_set=_label_set(self._config),
            durable=self._ledger.lines,
            on_dropped=self._process_metrics.dropped,
        )
        self._gauges = Gauges(
            batches_per_schedule=metrics.batches_per_schedule,
            known_words=StatusWords(metrics.status_map).known,
            series_limit=self._series_limit,
        )
        self._accounts = Accounts(
            ledger=self._ledger,
            process_metrics=self._process_metrics,
            gauges=self._gauges,
            series_limit=self._series_limit,
            clock=self._clock,
            user_agent=USER_AGENT,
        )
        self._ledger_watch = LedgerWatch(self._ledger)
        self._was_ready = False
        self._reload_lock = asyncio.Lock()
        """Held while accounts are swapped: a second reload, or the stop, waits until the first is
        complete."""
        self._process_metrics.build_info(__version__, platform.python_version())
        self._process_metrics.leader(leads=True)
        self._process_metrics.series_limit(metrics.max_series)
        self._process_metrics.reloaded(self._clock.now(), successful=True)

    def status(self) -> Status:
        """Return the state of the accounts, for pages and readiness.

        Once ready, the process stays ready: a reload loses nothing that it serves.
        """
        accounts = self._accounts.statuses()
        polled = bool(accounts) and all(account.up is not None for account in accounts)
        return Status(ready=self._was_ready or polled, accounts=accounts)

    def stop(self) -> None:
        """Make `serve` stop and return."""
        self._signals.stop.set()

    async def serve(self) -> int:
        """Serve until stopped, or until a part fails that must not. Return the exit code.

        Raises:
            BadOption: the telemetry path cannot be used.
            OSError: the address cannot be listened on.
        """
        try:
            publisher = self._publisher(gate=True)
            try:
                app = create_app(
                    publisher=publisher,
                    status=self,
                    reload=self.reload,
                    version=__version__,
                    telemetry_path=self._options.telemetry_path,
                    lifecycle=self._options.lifecycle,
                )
            except ValueError as error:
                raise BadOption(str(error)) from None
            with listen(self._options.host, self._options.port) as listener:
                await self._run(publisher, Server(app, [listener]), listener)
        except ExceptionGroup as failures:
            for failure in failures.exceptions:
                _log.error("stopped by a failure that should not be", exc_info=failure)
            return 1
        finally:
            await self._accounts.stop()
            self._ledger.close()
        return 0

    async def _run(self, publisher: Publisher, server: Server, listener: socket.socket) -> None:
        """Run all parts until a stop is asked for.

        Raises:
            ExceptionGroup: a part failed; the others have been ended.
        """
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._accounts.start(self._config, tasks)
            background = [
                tasks.create_task(publisher.run()),
                tasks.create_task(self._reload_when_asked()),
            ]
            serving = tasks.create_task(self._answer(server))
            host, port = listener.getsockname()[:2]
            _log.info("listening", host=host, port=port, path=self._options.telemetry_path)
            self._options.on_listening(port)
            await self._signals.stop.wait()
            _log.info("stopping")
            async with self._reload_lock:
                await self._accounts.stop()
            for task in background:
                task.cancel()
            server.stop()
            await asyncio.wait({serving}, timeout=STOP_AFTER)
            serving.cancel()

    async def _answer(self, server: Server) -> None:
        await server.run()
        if not self._signals.stop.is_set():
            raise RuntimeError("the web server ended although nobody asked it to")

    async def catch_up(self) -> tuple[bool, str]:
        """Poll every account until nothing is left to do.

        Return whether all went well, and the metrics as text.
        """
        try:
            publisher = self._publisher(gate=False)
            well = await self._accounts.catch_up(self._config)
            publisher.publish_now()
            _, body = publisher.body(("text", "identity"))
        finally:
            await self._accounts.stop()
            self._ledger.close()
        return well, b"".join(body.chunks).decode()

    async def reload(self) -> list[str]:
        """Read the configuration again and use it.

        Return its errors if it cannot be used, in which case the old one stays in force.
        """
        async with self._reload_lock:
            if self._signals.stop.is_set():
                return ["the exporter is being stopped"]
            try:
                config = _checked(self._options.load())
            except ConfigError as error:
                return self._refuse([str(problem) for problem in error.problems])
            except SecretError as error:
                return self._refuse([str(error)])
            path = self._options.state_path or config.state.path
            if path != self._path:
                moved = (
                    f"the ledger stays at {self._path} while the process runs;"
                    f" restart it to move to {path}"
                )
                return self._refuse([f"state.path: {moved}"])
            try:
                self._ledger.set_boundaries(catalogue.boundaries(config.latency_boundaries))
            except LedgerError as error:
                return self._refuse([str(error)])
            # In the group, so that a failure half-way ends the process; shielded, so that a client
            # that leaves ends nothing.
            await asyncio.shield(self._tasks.create_task(self._swap_accounts(config)))
            self._process_metrics.reloaded(self._clock.now(), successful=True)
            _log.info("configuration reloaded", accounts=len(config.accounts))
            return []

    async def _reload_when_asked(self) -> None:
        while True:
            await self._signals.reload.wait()
            self._signals.reload.clear()
            await self.reload()

    async def _swap_accounts(self, config: Config) -> None:
        """Stop the accounts and start those of another configuration.

        An account whose own section is unchanged keeps its counters.
        """
        self._was_ready = self.status().ready
        await self._accounts.stop()
        for account in self._config.accounts:
            if account not in config.accounts:
                self._process_metrics.forget(account.name)
                self._gauges.forget(account.name)
        self._config = config
        metrics = config.metrics
        self._series_limit.configure(metrics.max_series, label_set=_label_set(config))
        self._process_metrics.series_limit(metrics.max_series)
        self._gauges.configure(
            batches_per_schedule=metrics.batches_per_schedule,
            known_words=StatusWords(metrics.status_map).known,
        )
        self._ledger.set_objectives(_objectives(config))
        self._accounts.start(config, self._tasks)

    def _refuse(self, errors: list[str]) -> list[str]:
        self._process_metrics.reloaded(self._clock.now(), successful=False)
        for error in errors:
            _log.error("configuration not reloaded, the old one stays in force", error=error)
        return errors

    def _publisher(self, *, gate: bool) -> Publisher:
        publisher = Publisher(
            ledger=self._snapshot,
            gauges=self._gauges.snapshot,
            process=self._process_metrics,
            clock=self._clock,
            gate=gate,
            series_limit=self._series_limit,
        )
        # Restored values are published before anything is counted.
        publisher.publish_now()
        return publisher

    def _snapshot(self) -> Snapshot:
        self._process_metrics.ledger(self._ledger.rows(), self._ledger.size(), self._ledger.created)
        self._process_metrics.ledger_up(up=self._ledger_watch.works())
        snapshot = self._ledger.snapshot()
        self._gauges.retire(snapshot)
        return snapshot


def _label_set(config: Config) -> int:
    """Return how many lines the counters of one schedule and flow may take."""
    return label_set_lines(catalogue.boundaries(config.latency_boundaries), len(config.slos))


def _objectives(config: Config) -> Objectives:
    """Return the parts of the configured objectives that decide how events are judged."""
    return Objectives(
        [
            Objective(
                name=slo.name,
                type=slo.type,
                schedule=slo.schedule,
                threshold=slo.threshold,
                max_delay=slo.max_delay,
            )
            for slo in config.slos
        ]
    )


def _checked(config: Config) -> Config:
    """Return the configuration if every key can be read.

    Raises:
        SecretError: a key cannot be read; the message names its place and the remedy.
    """
    for account in config.accounts:
        account.api_key.read()
    return config


async def serve(options: Options) -> int:
    """Poll and serve until a signal ends it. Return the exit code.

    Raises:
        ConfigError, SecretError, LedgerError, BadOption, OSError: it could not start; the message
            says why and what to do.
    """
    signals = Signals()
    # Before the ledger is opened, so that an early stop is orderly too.
    with signals.installed():
        return await Exporter(options, signals).serve()


async def catch_up(options: Options) -> tuple[bool, str]:
    """Poll once until caught up. Return whether all went well, and the metrics as text.

    Raises:
        ConfigError, SecretError, LedgerError: it could not start; the message says why and what to
            do.
    """
    return await Exporter(options).catch_up()
