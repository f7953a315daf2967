"""Start and stop the accounts: each has its client, request budget and poller."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.config import Account, Config, SecretError
from runtype_exporter.ledger import Ledger, LedgerError
from runtype_exporter.metrics import Gauges, MaxSeries, ProcessMetrics
from runtype_exporter.polling import AccountPoller, StatusWords, account_context
from runtype_exporter.protocols import AccountStatus
from runtype_exporter.runtype import ApiTime, Budget, Client, Exchange

_log = structlog.get_logger()


@dataclass(slots=True)
class _Running:
    """One account that is polled, and what must be closed after it."""

    poller: AccountPoller
    client: Client
    budget: Budget
    task: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """Stop between pages: a page that arrived is committed, one under way is dropped."""
        if self.task is not None:
            self.task.cancel()
            # If it failed, the task group handles that.
            await asyncio.wait({self.task})
        await self.client.aclose()
        try:
            self.budget.close()
        except LedgerError as error:
            _log.warning("the rest of a block of the budget is forfeited", error=str(error))


@dataclass(slots=True)
class Accounts:
    """The accounts of the current configuration, and what they share."""

    ledger: Ledger
    process_metrics: ProcessMetrics
    gauges: Gauges
    series_limit: MaxSeries
    clock: Clock
    user_agent: str
    _running: list[_Running] = field(default_factory=list, init=False)

    def statuses(self) -> tuple[AccountStatus, ...]:
        """How they are doing."""
        return tuple(running.poller.status() for running in self._running)

    def start(self, config: Config, tasks: asyncio.TaskGroup) -> None:
        """Poll every account of a configuration, each in a task of the group.

        Raises:
            LedgerError: a budget cannot be read; no account is polled then.
        """
        self._build(config)
        for running in self._running:
            name = running.poller.context.name
            running.task = tasks.create_task(running.poller.run(), name=f"account {name}")

    async def catch_up(self, config: Config) -> bool:
        """Poll every account of a configuration until nothing is left to do.

        Return whether all went well.

        Raises:
            LedgerError: a budget cannot be read.
        """
        self._build(config)
        return all(await asyncio.gather(*(running.poller.catch_up() for running in self._running)))

    async def stop(self) -> None:
        """Stop all accounts, also while the API hangs."""
        running, self._running = self._running, []
        await asyncio.gather(*(account.stop() for account in running))

    def _build(self, config: Config) -> None:
        status_words = StatusWords(config.metrics.status_map)
        for account in config.accounts:
            self._running.append(self._one(account, config, status_words))

    def _one(self, account: Account, config: Config, status_words: StatusWords) -> _Running:
        self.process_metrics.account(account.name)
        budget = Budget(
            account.name, account.requests_per_hour, self.ledger, self.clock, self.process_metrics
        )
        api_time = ApiTime(account.name, self.clock, self.process_metrics)
        exchange = Exchange(
            account.name,
            account.base_url,
            partial(_key, account),
            budget=budget,
            telemetry=self.process_metrics,
            clock=self.clock,
            api_time=api_time,
            timeout=account.timeout,
            user_agent=self.user_agent,
        )
        client = Client(exchange, page_size=account.page_size)
        context = account_context(
            account,
            config.poll,
            retention=config.state.retention,
            batches_per_schedule=config.metrics.batches_per_schedule,
            client=client,
            ledger=self.ledger,
            status_words=status_words,
            telemetry=self.process_metrics,
            gauges=self.gauges,
            clock=self.clock,
            api_time=api_time,
            series_limit=self.series_limit,
        )
        return _Running(AccountPoller(context), client, budget)


def _key(account: Account) -> str:
    """Return the account's key as it is stored now.

    If it cannot be read, return "", which the client refuses to send.
    """
    try:
        return account.api_key.read()
    except SecretError as error:
        _log.error("the API key cannot be read", account=account.name, error=str(error))
        return ""
