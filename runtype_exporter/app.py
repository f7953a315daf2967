"""The wiring: which rooms there are, how they hear of each other, and in which order they start, reload and stop.

It owns the listening socket. It counts nothing and reads nothing of the API itself.
"""

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
from runtype_exporter.ledger import Ledger, LedgerError, LedgerReplaced
from runtype_exporter.metrics import Bounds, Gauges, OwnMetrics, Publisher, label_set_lines
from runtype_exporter.model import Snapshot, Status
from runtype_exporter.objectives import Objective, Objectives
from runtype_exporter.polling import StatusWords
from runtype_exporter.signals import Signals
from runtype_exporter.web import Server, create_app

USER_AGENT = f"runtype-exporter/{__version__}"
STOP_AFTER = 3.0
"""How long a stop waits for the web server before it goes on without it, seconds."""

_log = structlog.get_logger()


class BadOption(Exception):  # noqa: N818 - it is the option that is wrong
    """The command line asks for what cannot be. The message names the flag and the remedy."""


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


class Exporter:
    """The process: one ledger, one publisher, and the accounts of the configuration in force."""

    def __init__(self, options: Options, signals: Signals | None = None) -> None:
        """Read the configuration and open the ledger. Needs a running event loop.

        Raises:
            ConfigError: with every fault of the configuration.
            SecretError: a key cannot be read.
            LedgerError: the ledger's file cannot be used; the message says what to do.
        """
        self._options = options
        self._signals = signals or Signals()
        self._clock = options.clock
        self._config = _checked(options.load())
        self._path = options.state_path or self._config.state.path
        metrics = self._config.metrics
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
            batches_per_schedule=metrics.batches_per_schedule,
            known_words=StatusWords(metrics.status_map).known,
            bounds=self._bounds,
        )
        self._accounts = Accounts(
            ledger=self._ledger,
            own=self._own,
            gauges=self._gauges,
            bounds=self._bounds,
            clock=self._clock,
            user_agent=USER_AGENT,
        )
        self._replaced = False
        """Whether the ledger's files were not in place when they were last looked at."""
        self._was_ready = False
        self._changing = asyncio.Lock()
        """Held while accounts are exchanged: a second reload, or the stop, waits for the first to
        be whole."""
        self._own.build_info(__version__, platform.python_version())
        self._own.leader(leads=True)
        self._own.series_limit(metrics.max_series)
        self._own.reloaded(self._clock.now(), successful=True)

    def status(self) -> Status:
        """How the accounts are doing, for pages and readiness.

        Once ready, the process stays so: a reload loses nothing that it serves.
        """
        accounts = self._accounts.statuses()
        told = bool(accounts) and all(account.up is not None for account in accounts)
        return Status(ready=self._was_ready or told, accounts=accounts)

    def stop(self) -> None:
        """End `serve` in an orderly way."""
        self._signals.stop.set()

    async def serve(self) -> int:
        """Serve until stopped, or until a part of it fails that must not. The process's exit code.

        Raises:
            BadOption: the telemetry path is none.
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
        """Everything at work, until a stop is asked for.

        Raises:
            ExceptionGroup: a part failed; the others have been ended.
        """
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._accounts.start(self._config, tasks)
            beside = [
                tasks.create_task(publisher.run()),
                tasks.create_task(self._reload_when_asked()),
            ]
            serving = tasks.create_task(self._answer(server))
            host, port = listener.getsockname()[:2]
            _log.info("listening", host=host, port=port, path=self._options.telemetry_path)
            self._options.on_listening(port)
            await self._signals.stop.wait()
            _log.info("stopping")
            async with self._changing:
                await self._accounts.stop()
            for task in beside:
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

        Whether all went well, and the metrics as text.
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
        """Take up the configuration anew.

        Its errors, where it is bad or cannot be taken up: then the old one stays in force.
        """
        async with self._changing:
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
                    f"the ledger stays at {self._path} while the process runs; restart it to move"
                    f" to {path}"
                )
                return self._refuse([f"state.path: {moved}"])
            try:
                self._ledger.set_boundaries(catalogue.boundaries(config.latency_boundaries))
            except LedgerError as error:
                return self._refuse([str(error)])
            # In the group, so that a failure half-way ends the process; shielded, so that a client
            # that leaves ends nothing.
            await asyncio.shield(self._tasks.create_task(self._exchange(config)))
            self._own.reloaded(self._clock.now(), successful=True)
            _log.info("configuration reloaded", accounts=len(config.accounts))
            return []

    async def _reload_when_asked(self) -> None:
        while True:
            await self._signals.reload.wait()
            self._signals.reload.clear()
            await self.reload()

    async def _exchange(self, config: Config) -> None:
        """Stop the accounts and start those of another configuration.

        What an account's own section left alone goes on counting.
        """
        self._was_ready = self.status().ready
        await self._accounts.stop()
        for account in self._config.accounts:
            if account not in config.accounts:
                self._own.forget(account.name)
                self._gauges.forget(account.name)
        self._config = config
        metrics = config.metrics
        self._bounds.configure(metrics.max_series, label_set=_label_set(config))
        self._own.series_limit(metrics.max_series)
        self._gauges.configure(
            batches_per_schedule=metrics.batches_per_schedule,
            known_words=StatusWords(metrics.status_map).known,
        )
        self._ledger.set_objectives(_objectives(config))
        self._accounts.start(config, self._tasks)

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
        self._own.ledger_up(up=self._ledger_works())
        snapshot = self._ledger.snapshot()
        self._gauges.retire(snapshot)
        return snapshot

    def _ledger_works(self) -> bool:
        """Whether the ledger's files are in place and its last commit worked.

        The loss of a file is logged once, and so is its end.
        """
        try:
            works = self._ledger.check_files()
        except LedgerReplaced as error:
            if not self._replaced:
                self._replaced = True
                _log.error("the ledger's files are not in place: polling pauses", error=str(error))
            return False
        if self._replaced:
            self._replaced = False
            _log.info("the ledger's files are in place again: polling goes on")
        return works


def _label_set(config: Config) -> int:
    """How many lines the counters of one schedule and flow may take."""
    return label_set_lines(catalogue.boundaries(config.latency_boundaries), len(config.slos))


def _objectives(config: Config) -> Objectives:
    """What of the configured objectives decides how events are judged."""
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
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128
            )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host or '*'}:{port} (--web.listen-address): {error.strerror}"
        ) from None


async def serve(options: Options) -> int:
    """Poll and serve until a signal ends it. The process's exit code.

    Raises:
        ConfigError, SecretError, LedgerError, BadOption, OSError: it could not start; the message
            says why and what to do.
    """
    signals = Signals()
    with signals.heard():  # before the ledger is opened: a stop that comes early is orderly too
        return await Exporter(options, signals).serve()


async def catch_up(options: Options) -> tuple[bool, str]:
    """Poll once until caught up. Whether all went well, and the metrics as text.

    Raises:
        ConfigError, SecretError, LedgerError: it could not start; the message says why and what to
            do.
    """
    return await Exporter(options).catch_up()
