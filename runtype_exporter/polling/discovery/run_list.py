"""The list of all runs: which of its pages must be read so that nothing is missed.

The API documents no order for the list. It is learned from the pages that are read, and kept in the
ledger.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from math import inf

from runtype_exporter.model import RunOrder
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.discovery.run_pages import RunPage, RunPages
from runtype_exporter.polling.failures import ReadFailed
from runtype_exporter.polling.list_pages import list_pages
from runtype_exporter.polling.paged_read import read_page
from runtype_exporter.polling.status_words import parse_time
from runtype_exporter.runtype import ApiError, RunsPage, Unauthorised

YOUNG = 24 * 3600.0
"""An unfinished run older than this is left to full walks, in seconds. Otherwise a run that never
ends would make every cycle read far back."""
MOST_HEAD_PAGES = 20
"""A cycle reads at most so many pages of a list that is newest first. It may know none of them, as
at the first start or after a downtime: the full walk reads the others."""

FetchPage = Callable[[str | None], Awaitable[RunsPage]]
"""Reads the page at a cursor, None for the first page."""


def order_of(times: Sequence[float]) -> RunOrder:
    """Return the order in which a walk read its runs, by their creation times."""
    pairs = list(pairwise(times))
    if not any(earlier != later for earlier, later in pairs):
        return "unknown"
    if all(earlier >= later for earlier, later in pairs):
        return "new-first"
    return "old-first" if all(earlier <= later for earlier, later in pairs) else "none"


@dataclass(frozen=True, slots=True)
class RunsRead:
    """What a read of the run list proves.

    Every run that was created at `reach` or later, and was listed when the read `began`, was read.
    Both are in seconds since the Unix epoch. `reach` is -inf if the read reached back to everything
    that matters. `shown` is what its pages showed, all together.
    """

    began: float
    reach: float
    pages: int
    shown: RunPage


@dataclass(slots=True)
class _Progress:
    """What the pages of one read showed so far. It `began` at this monotonic moment."""

    began: float
    pages: int = 0
    times: list[float] = field(default_factory=list)
    shown: RunPage = field(default_factory=RunPage)


@dataclass(slots=True)
class RunList:
    """The run list of one account, and its learned order."""

    context: AccountContext
    pages: RunPages
    _cursor: str | None = field(default=None, init=False)
    """Where a read of an old-first list goes on, None for its first page."""
    _is_placed: bool = field(default=False, init=False)
    """Whether that is known. If not, only a full walk can tell."""

    @property
    def order(self) -> RunOrder:
        """Return the learned order of the list."""
        return self.context.ledger.learned(self.context.name).run_order

    @property
    def may_come_back(self) -> bool:
        """Whether the list is forbidden although it was read before."""
        collectors = self.context.collectors
        forbidden = not collectors.is_enabled("runs") and "runs" not in collectors.off
        return forbidden and self.order != "unknown"

    async def read_head(self) -> RunsRead | None:
        """Read the pages that may show something new, as a cycle does.

        A list that is newest first is read until a page is wholly known and older than every
        unfinished run of the last 24 h, or for `MOST_HEAD_PAGES`. One that is oldest first is read
        on from the last cursor. Return None if only a full walk can read the list.

        Raises:
            ReadFailed: a page could not be read; the pages before it were stored.
            LedgerError: a page could not be stored.
        """
        if self.order == "none" or (self.order == "old-first" and not self._is_placed):
            return None
        start = self._cursor if self._is_placed else None
        progress = _Progress(self.context.clock.monotonic())
        oldest = self._oldest_unfinished(self.context.now() - YOUNG)
        pages = _Pages(start)
        try:
            async for page in list_pages(self.context.collectors, "runs", self.fetch, start):
                times = pages.add(page, self.context.api_time.latest())
                known = await self._take(page, times, progress)
                if not self._head_goes_on(page, progress):
                    return None
                seen = known and times and max(times) < oldest
                stops = self.order == "new-first" and page.pagination.has_more
                if stops and (seen or progress.pages >= MOST_HEAD_PAGES):
                    return self._complete(progress, min(progress.times, default=inf))
        except ReadFailed as failure:
            if not _passes(failure.error):
                # The cursor may have expired. A full walk finds a new one.
                self._is_placed = False
            raise
        self._place(pages)
        return self._complete(progress, -inf if start is None else min(progress.times, default=inf))

    async def read_all(self, fetch: FetchPage, *, complete: bool) -> RunsRead:
        """Read every page that matters, and learn the order.

        A list that is known to be newest first is read down to the horizon and to the oldest
        unfinished run, unless the read is to be `complete`. `fetch` reads one page.

        Raises:
            ReadFailed: a page could not be read; the pages before it were stored.
            LedgerError: a page could not be stored.
        """
        progress = _Progress(self.context.clock.monotonic())
        pages = _Pages(None)
        horizon = self.context.ledger.horizon(self.context.name)
        floor = inf if horizon is None else horizon.at
        stops = self.order == "new-first" and not complete
        async for page in list_pages(self.context.collectors, "runs", fetch):
            times = pages.add(page, self.context.api_time.latest())
            await self._take(page, times, progress)
            oldest = min(floor, self._oldest_unfinished(-inf))
            in_order = order_of(progress.times) in ("unknown", "new-first")
            if stops and in_order and times and max(times) < oldest:
                break
        self._learn(order_of(progress.times))
        self._place(pages)
        return self._complete(progress, -inf)

    async def fetch(self, cursor: str | None) -> RunsPage:
        """Read the page at a cursor, with the page size that the API accepts.

        Raises:
            ReadFailed: it could not be read.
        """
        context = self.context
        call = partial(context.client.runs, cursor)
        sizes, page = context.page_sizes, cursor or ""
        return await read_page(context.collectors, "runs", "", sizes, call, page=page)

    def _complete(self, progress: _Progress, reach: float) -> RunsRead:
        """Record that the list was read. Return what the read proves."""
        self.context.collectors.complete("runs")
        began = self.context.time_at(progress.began)
        return RunsRead(began, reach, progress.pages, progress.shown)

    async def _take(self, page: RunsPage, times: list[float], progress: _Progress) -> bool:
        """Store a page. Return whether it showed nothing new."""
        shown = await self.pages.process(page.data)
        progress.pages += 1
        progress.times += times
        progress.shown = progress.shown | shown
        return shown.known

    def _place(self, pages: _Pages) -> None:
        """Store where the next head begins, after a read that reached the end of the list.

        A list that is oldest first is read on from its oldest unfinished run, which this read may
        have shown for the first time.
        """
        self._is_placed = self.order == "old-first"
        oldest = self._oldest_unfinished(self.context.now() - YOUNG)
        self._cursor = pages.first_with(oldest) if self._is_placed else None

    def _head_goes_on(self, page: RunsPage, progress: _Progress) -> bool:
        """Return whether the head of the list may be read on after this page."""
        if self.context.ledger.horizon(self.context.name) is None:
            return False
        more = page.pagination.has_more
        in_order = self._confirm_order(progress.times, more=more)
        # The newest runs of an old-first list are on its last page.
        return in_order and not (self.order == "old-first" and more and not self._is_placed)

    def _confirm_order(self, times: Sequence[float], *, more: bool) -> bool:
        """Compare the order of the pages with the learned one. Return whether a head may go on."""
        seen, order = order_of(times), self.order
        if seen == "unknown":
            return order != "unknown" or not more
        if order == "unknown":
            self._learn(seen)
        elif seen != order:
            self._learn("none")
        return self.order != "none"

    def _learn(self, order: RunOrder) -> None:
        ledger, name = self.context.ledger, self.context.name
        ledger.set_learned(name, replace(ledger.learned(name), run_order=order))

    def _oldest_unfinished(self, since: float) -> float:
        """Return the oldest creation time of the unfinished runs, of those created since then."""
        runs = self.context.ledger.unfinished_runs(self.context.name)
        times = [run.created for run in runs if run.created is not None]
        return min((at for at in times if at >= since), default=inf)


@dataclass(slots=True)
class _Pages:
    """The pages that one read showed: at which cursors, and the newest run of each."""

    _next: str | None
    """The cursor of the next page, None for the first page of the list."""
    _read: list[tuple[str | None, float]] = field(default_factory=list)

    def add(self, page: RunsPage, latest: float) -> list[float]:
        """Add the next page. Return the creation times of its runs, without implausible ones.

        `latest` is the time of the API.
        """
        parsed = (parse_time(row.created_at, latest=latest) for row in page.data)
        times = [at for at in parsed if at is not None]
        self._read.append((self._next, max(times, default=-inf)))
        self._next = page.pagination.next_cursor
        return times

    def first_with(self, oldest: float) -> str | None:
        """Return the cursor of the first page with a run as new as this, else of the last page."""
        last, _ = self._read[-1]
        return next((cursor for cursor, newest in self._read if newest >= oldest), last)


def _passes(error: ApiError) -> bool:
    """Return whether a failed read says nothing about the cursor that was sent."""
    return error.retryable or isinstance(error, Unauthorised)
