"""The full walk over the run list, and the forgetting that follows it.

A walk takes a tenth of the request budget at most, so it may last for hours. Everything that is
listed is in the ledger after it. So what is older than the new horizon and not in the ledger will
never be counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.discovery.cycle import CycleResult
from runtype_exporter.polling.discovery.horizon import AccountHorizon
from runtype_exporter.polling.discovery.run_list import RunList, RunsRead
from runtype_exporter.polling.discovery.unfinished_runs import UnfinishedRuns
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.polling.share import Share
from runtype_exporter.runtype import RunsPage

WALK_SHARE = 0.1
"""Full walks over the run list take at most this share of the request budget."""
TRIES = 3
"""A page that fails is tried so many times before the walk is given up."""
PAUSE = 60.0
"""Pause before the first repetition of a page, in seconds; doubled for each further one."""


@dataclass(slots=True)
class FullWalk:
    """The full walks of one account."""

    context: AccountContext
    runs: RunList
    horizon: AccountHorizon
    unfinished: UnfinishedRuns
    protected: frozenset[str]
    """The ids of batches that are never forgotten: the configured ones."""
    share: Share
    """What the walks may take of the budget."""
    on_read: Callable[[RunsRead], Awaitable[None]]
    """Called with what each complete walk proves."""
    _listed: set[str] = field(default_factory=set, init=False)
    """What the walk and all cycles since its start showed."""
    _answered: set[str] = field(default_factory=set, init=False)
    """The lists that were answered in these cycles."""
    _last: CycleResult = field(default_factory=CycleResult, init=False)
    pages: int = field(default=0, init=False)
    """The pages of the last walk."""
    began: bool = field(default=False, init=False)
    """Whether a walk was tried since the start."""

    def interval(self) -> float:
        """Return the time from one walk to the next, in seconds.

        Where only walks can read the list, there is one in each cycle. A long list is walked less
        often, so that the walks keep to their share.
        """
        poll = self.context.poll
        shortest = poll.interval if self.runs.order == "none" else poll.discovery_interval
        return max(shortest, self.pages * self.share.seconds_per_request)

    def add_cycle(self, result: CycleResult) -> None:
        """Add what a cycle showed while a walk may be under way."""
        self._last = result
        self._listed |= result.listed
        self._answered |= result.answered

    async def walk(self) -> None:
        """Read the whole run list, if it is enabled, then forget what is old.

        Do nothing while the account has no horizon, or while the list is forbidden although it was
        read before: what it would show must not be forgotten.

        Raises:
            ReadFailed: a page could not be read; the pages before it were stored.
            LedgerError: a page could not be stored, or something could not be forgotten.
        """
        horizon = self.horizon.current()
        if horizon is None or self.runs.may_come_back:
            return
        self.began = True
        began = self.context.clock.monotonic()
        # A short walk ends before the next cycle.
        self._listed, self._answered = {*self._last.listed}, {*self._last.answered}
        enabled = self.context.collectors.is_enabled("runs")
        if enabled:
            self.unfinished.start_full_walk()
            read = await self.runs.read_all(self._fetch, complete=not horizon.first_discovery_done)
            shown = read.shown
            self._listed |= {*shown.readings, *shown.undated, *shown.deferred}
            self.pages = read.pages
            self.unfinished.mark_seen(shown.runs)
            await self.on_read(read)
        await self._forget(self.context.time_at(began), walked=enabled)

    async def _fetch(self, cursor: str | None) -> RunsPage:
        """Read one page within the share. A failed page is tried again before the walk ends."""
        tries = 0
        while True:
            await self.share.take()
            try:
                return await self.runs.fetch(cursor)
            except ReadFailed as failure:
                tries += 1
                last = tries == TRIES or not self.share.paced
                if last or failure.reach is Reach.COLLECTOR:
                    raise
            await asyncio.sleep(PAUSE * 2.0 ** (tries - 1))

    async def _forget(self, began: float, *, walked: bool) -> None:
        """Move the horizon and forget old batches, runs and identities.

        Nothing is forgotten while the API's time is in doubt, or while a list that is enabled was
        not answered: what it would have shown is not known.
        """
        context, collectors = self.context, self.context.collectors
        summary = "summary" in self._answered or not collectors.is_enabled("summary")
        if not context.api_time.certain or not summary:
            return
        context.ledger.mark_discovered(context.name)
        self.horizon.advance(began)
        horizon = self.horizon.current()
        if walked and horizon is not None:
            self.unfinished.expire(horizon.at)
        listed = self._listed | self.protected
        # Each call forgets some; the sleep yields to the event loop and waits for nothing.
        while context.ledger.forget(  # noqa: ASYNC110
            context.name, now=context.now(), listed=listed, retention=context.retention
        ):
            await asyncio.sleep(0)
