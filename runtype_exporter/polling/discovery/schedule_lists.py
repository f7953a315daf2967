"""Read the list of schedules: their names, gauges and due times, and which no longer exist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.discovery.schedule_filter import ScheduleFilter
from runtype_exporter.polling.list_pages import list_pages
from runtype_exporter.polling.paged_read import read_page
from runtype_exporter.polling.schedules.gauges import schedule_gauges
from runtype_exporter.polling.schedules.start_checks import StartChecks
from runtype_exporter.polling.share import Share
from runtype_exporter.runtype import ScheduleRow, SchedulesPage

LIST_SHARE = 0.1
"""The lists of schedules take at most this share of the request budget."""
LISTS_TO_END = 3
"""The series of a schedule end only if so many lists in a row did not show it."""


@dataclass(slots=True)
class ScheduleLists:
    """The reads of one account's list of schedules."""

    context: AccountContext
    schedule_filter: ScheduleFilter
    starts: StartChecks
    share: Share
    """What the lists may take of the budget."""
    on_read: Callable[[bool], None]
    """Called after each complete list, with whether it was the first one."""
    labels: dict[str, str] | None = field(default=None, init=False)
    """Labels of the schedules that are followed, by id; None before the first list."""

    async def read(self) -> None:
        """Read the whole list, if it is enabled, and store what it shows.

        Raises:
            ReadFailed: a page could not be read; nothing was stored.
            LedgerError: something could not be stored.
        """
        context = self.context
        if not context.collectors.is_enabled("schedules"):
            return
        began = context.clock.monotonic()
        rows: dict[str, ScheduleRow] = {}
        async for page in list_pages(context.collectors, "schedules", self._fetch):
            rows |= {row.id: row for row in page.data}
        context.collectors.complete("schedules")
        followed = await self.schedule_filter.update(rows.values(), began)
        first = self.labels is None
        self._show(followed)
        if context.api_time.certain:
            observed = followed if context.config.collectors.runs else ()
            await self.starts.observe(observed, began=context.time_at(began), now=context.now())
            self._end_series(context.time_at(began))
        self.on_read(first)

    async def _fetch(self, cursor: str | None) -> SchedulesPage:
        context = self.context
        await self.share.take()
        call = partial(context.client.schedules, cursor)
        sizes, page = context.page_sizes, cursor or ""
        return await read_page(context.collectors, "schedules", "", sizes, call, page=page)

    def _show(self, followed: Sequence[ScheduleRow]) -> None:
        """Set the gauges of the schedules that are followed."""
        context = self.context
        self.labels = {
            row.id: context.labels.schedule(row.id, row.name or None) for row in followed
        }
        context.gauges.set_collector(
            context.name, "schedules", schedule_gauges(context.name, followed, self.labels)
        )

    def _end_series(self, began: float) -> None:
        """End the series of schedules that were absent from every list for `retention`.

        One list proves nothing: an empty answer or a narrower key would end the series of every
        schedule that is quiet.
        """
        context = self.context
        names = self.schedule_filter.names
        learned = context.ledger.learned(context.name)
        absent: dict[str, tuple[float, int]] = {}
        for schedule_id in context.ledger.labelled(context.name, "schedule"):
            if schedule_id not in names:
                first, lists = learned.absent.get(schedule_id, (began, 0))
                absent[schedule_id] = min(first, began), lists + 1
        context.ledger.set_learned(context.name, replace(learned, absent=absent))
        before = began - context.retention
        kept = names.keys() | {
            schedule_id
            for schedule_id, (first, lists) in absent.items()
            if first > before or lists < LISTS_TO_END
        }
        if len(kept) < len(names.keys() | absent.keys()):
            context.ledger.end_series(context.name, context.labels.listed(kept), before=before)
