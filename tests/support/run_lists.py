"""A run list whose rows a test chooses, and a reader of it that keeps which pages it read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from runtype_exporter.model import Delta, Run
from runtype_exporter.polling.discovery.run_list import RunList, RunsRead
from runtype_exporter.polling.discovery.run_pages import RunPage
from runtype_exporter.polling.paged_read import PageSizes
from runtype_exporter.runtype import (
    ApiError,
    CursorPagination,
    RunRow,
    RunsPage,
    ServerError,
)
from tests.support.rig import START, Rig

PAGE = 2
FAILED = ServerError("runs", "failed", code="500")


def row(second: float | None) -> RunRow:
    created = None if second is None else datetime.fromtimestamp(START + second, UTC).isoformat()
    return RunRow(id=f"run {second}", schedule_id="s1", status="completed", created_at=created)


def rows(*seconds: float) -> list[RunRow]:
    return [row(second) for second in seconds]


class Listed:
    """A client whose run list has offsets as cursors. It keeps the cursors that it was sent."""

    page_size = list_page_size = 100

    def __init__(self) -> None:
        self.rows: list[RunRow] = []
        self.asked: list[str | None] = []
        self.error: ApiError | None = None

    async def runs(self, cursor: str | None, limit: int) -> RunsPage:
        self.asked.append(cursor)
        if self.error is not None:
            raise self.error
        begin = int(cursor or 0)
        end = begin + PAGE
        more = end < len(self.rows)
        return RunsPage(
            data=self.rows[begin:end],
            pagination=CursorPagination(has_more=more, next_cursor=str(end) if more else None),
        )


class SeenPages:
    """Stores pages in memory: what was seen before is known."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def process(self, page: list[RunRow]) -> RunPage:
        ids = frozenset(row.id for row in page)
        known = ids <= self.seen
        self.seen |= ids
        return RunPage(known=known, runs=ids)


class Reader:
    """The run list of an account whose API is `listed`."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.listed = rig, Listed()
        context = rig.poller.context
        self.ledger, self.collectors = context.ledger, context.collectors
        sizes = PageSizes("acme", self.listed, context.ledger, context.clock)
        self.context = replace(context, client=self.listed, page_sizes=sizes)
        self.restart()

    def restart(self) -> None:
        """Begin again with what the ledger knows."""
        self.list = RunList(self.context, SeenPages())

    async def head(self) -> RunsRead | None:
        self.listed.asked.clear()
        return await self.list.read_head()

    async def pages(self) -> list[str | None]:
        """Read the head of the list. Return the cursors of its pages."""
        await self.head()
        return list(self.listed.asked)

    async def full(self, *, complete: bool = False) -> list[str | None]:
        """Read the whole list. Return the cursors of its pages."""
        self.listed.asked.clear()
        read = await self.list.read_all(self.list.fetch, complete=complete)
        assert (read.reach, read.pages) == (-inf, len(self.listed.asked))
        return list(self.listed.asked)

    def unfinished(self, *seconds: float) -> None:
        """Let these runs be the unfinished ones, by their creation."""
        ended = [
            replace(run, outcome="success", ended=run.created)
            for run in self.ledger.unfinished_runs("acme")
        ]
        runs = [
            Run(account="acme", id=f"run {second}", schedule="s1", created=START + second)
            for second in seconds
        ]
        self.ledger.commit(Delta(), runs=(*ended, *runs))


@asynccontextmanager
async def reading(folder: Path, horizon: float | None = 0.0) -> AsyncIterator[Reader]:
    rig = Rig(folder)
    rig.build()
    if horizon is not None:
        rig.ledger.fix_horizon("acme", START + horizon)
    yield Reader(rig)
    await rig.stop()


NEW_FIRST = rows(*range(20, 8, -1))
OLD_FIRST = rows(*range(1, 8))
