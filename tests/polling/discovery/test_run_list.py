"""Which pages of the run list are read, and what such a read proves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.model import Delta, Run
from runtype_exporter.polling.discovery import run_list
from runtype_exporter.polling.discovery.run_list import YOUNG, RunList, RunsRead, order_of
from runtype_exporter.polling.discovery.run_pages import RunPage
from runtype_exporter.polling.failures import ReadFailed
from runtype_exporter.polling.paged_read import PageSizes
from runtype_exporter.runtype import (
    ApiError,
    ClientError,
    CursorPagination,
    NetworkError,
    NotFound,
    RunRow,
    RunsPage,
    ServerError,
    Unauthorised,
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

    async def runs(self, cursor: str | None, *, limit: int) -> RunsPage:
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


# --- the order ---
@pytest.mark.parametrize(
    ("times", "order"),
    [
        ([], "unknown"),
        ([5.0], "unknown"),
        ([5.0, 5.0], "unknown"),
        ([5.0, 4.0, 4.0], "new-first"),
        ([4.0, 4.0, 5.0], "old-first"),
        ([4.0, 6.0, 5.0], "none"),
    ],
)
def test_the_order_is_what_all_neighbours_agree_on(times, order):
    assert order_of(times) == order


@given(st.lists(st.integers(0, 20).map(float), max_size=30))
def test_the_reverse_of_a_list_has_the_reverse_order(times):
    reverse = {"new-first": "old-first", "old-first": "new-first"}
    assert order_of(times[::-1]) == reverse.get(order_of(times), order_of(times))
    descending = sorted(times, reverse=True)
    assert order_of(descending) in ("unknown", "new-first")


# --- heads ---
async def test_new_first_is_read_until_a_page_is_known_and_older_than_every_unfinished_run(
    tmp_path,
):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*NEW_FIRST]
        assert len(await reader.pages()) == 6
        assert reader.list.order == "new-first"
        assert await reader.pages() == [None]
        reader.listed.rows.insert(0, row(21))
        assert await reader.pages() == [None, "2"]
        reader.unfinished(15)
        assert await reader.pages() == [None, "2", "4", "6", "8"]


async def test_a_head_proves_how_far_back_it_read(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*NEW_FIRST]
        whole = await reader.head()
        assert (whole.reach, whole.pages, whole.began) == (-inf, 6, reader.context.now())
        assert whole.shown.runs == {f"run {second}" for second in range(9, 21)}
        head = await reader.head()
        assert (head.reach, head.pages) == (START + 19, 1)
        assert head.shown.known


async def test_runs_that_do_not_end_for_a_day_are_left_to_full_walks(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*NEW_FIRST]
        await reader.pages()
        reader.unfinished(11, 17)
        assert await reader.pages() == [None, "2", "4", "6", "8", "10"]
        await reader.rig.sleep(YOUNG + 15)
        assert await reader.pages() == [None, "2", "4"]
        await reader.rig.sleep(3)
        assert await reader.pages() == [None]


async def test_old_first_is_read_on_from_where_the_oldest_unfinished_run_stands(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*OLD_FIRST]
        assert len(await reader.full(complete=True)) == 4
        assert reader.list.order == "old-first"
        assert await reader.pages() == ["6"]
        reader.listed.rows += rows(8, 9)
        reader.unfinished(8)
        assert await reader.pages() == ["6", "8"]
        assert await reader.pages() == ["6", "8"]
        reader.unfinished()
        assert await reader.pages() == ["6", "8"]
        head = await reader.head()
        assert (head.reach, head.pages) == (START + 9, 1)


async def test_old_first_skips_runs_that_do_not_end_for_a_day(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*OLD_FIRST]
        reader.unfinished(1, 5)
        await reader.rig.sleep(YOUNG + 3)
        await reader.full(complete=True)
        assert await reader.pages() == ["4", "6"]
        await reader.rig.sleep(3)
        assert await reader.pages() == ["4", "6"]
        assert await reader.pages() == ["6"]


async def test_the_head_of_an_old_first_list_waits_for_a_full_walk(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*OLD_FIRST]
        assert await reader.head() is None
        assert (reader.listed.asked, reader.list.order) == ([None], "old-first")
        assert await reader.pages() == []
        await reader.full()
        assert await reader.pages() == ["6"]
        reader.restart()
        assert reader.list.order == "old-first"
        assert await reader.pages() == []


async def test_an_old_first_list_of_one_page_is_read_from_there(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = rows(1, 2)
        for _ in range(2):
            head = await reader.head()
            assert (head.reach, head.pages, reader.list.order) == (-inf, 1, "old-first")
        reader.listed.rows = rows(1, 2, 3, 4, 5)
        assert await reader.pages() == [None, "2", "4"]
        assert await reader.pages() == ["4"]


async def test_a_list_without_an_order_has_no_head(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = rows(5, 9, 1, 7)
        assert await reader.head() is None
        assert await reader.full() == [None, "2"]
        assert reader.list.order == "none"
        assert await reader.pages() == []
        assert await reader.full() == [None, "2"]


async def test_a_list_too_short_to_show_its_order_is_read_whole(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = rows(5)
        assert (await reader.head()).reach == -inf
        assert reader.list.order == "unknown"
        reader.listed.rows = rows(5, 5, 5)
        assert await reader.head() is None
        reader.listed.rows = rows(6, 5, 4)
        assert await reader.pages() == [None, "2"]
        assert reader.list.order == "new-first"


@pytest.mark.parametrize("now", [rows(9, 20, 11), rows(*range(9, 21))])
async def test_an_order_that_does_not_hold_any_more_is_given_up_at_once(tmp_path, now):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*NEW_FIRST]
        await reader.pages()
        reader.listed.rows = [*now]
        assert await reader.head() is None
        assert reader.listed.asked == [None]
        assert reader.list.order == "none"
        await reader.full()
        assert reader.list.order == order_of([float(row.id.split()[1]) for row in now])


async def test_what_was_learned_of_the_order_outlives_a_restart(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*NEW_FIRST]
        await reader.pages()
        seen = reader.list.pages
        reader.restart()
        reader.list.pages = seen
        assert await reader.pages() == [None]


async def test_pages_without_any_creation_are_read_on(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = rows(9, 8, 7, 6)
        await reader.pages()
        reader.listed.rows = [row(None), row(None), *rows(7, 6)]
        assert await reader.pages() == [None, "2"]


async def test_one_creation_time_in_the_future_does_not_hide_the_order(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*rows(12, 11), row(1e9), *rows(10, 9)]
        assert await reader.pages() == [None, "2", "4"]
        assert reader.list.order == "new-first"
        assert await reader.pages() == [None]


async def test_an_empty_list_proves_that_there_are_no_runs(tmp_path):
    async with reading(tmp_path) as reader:
        head = await reader.head()
        assert (head.reach, head.pages, head.shown.runs) == (-inf, 1, frozenset())


async def test_an_old_first_list_that_became_empty_proves_nothing(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*OLD_FIRST]
        await reader.full()
        reader.listed.rows = []
        assert (await reader.head()).reach == inf


async def test_without_a_horizon_no_second_page_is_read(tmp_path):
    async with reading(tmp_path, horizon=None) as reader:
        reader.listed.rows = [*NEW_FIRST]
        assert await reader.head() is None
        assert reader.listed.asked == [None]
        assert reader.list.order == "unknown"


async def test_a_head_ends_after_so_many_pages_however_new_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(run_list, "MOST_HEAD_PAGES", 3)
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*NEW_FIRST]
        head = await reader.head()
        assert (head.pages, head.reach) == (3, START + 15)
        assert await reader.pages() == [None]
        assert len(await reader.full(complete=True)) == 6


async def test_a_head_that_reads_the_last_page_proves_that_there_are_no_older_runs(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = rows(2, 1)
        for _ in range(2):
            assert (await reader.head()).reach == -inf


# --- full walks ---
async def test_a_full_walk_newest_first_stops_below_the_horizon_and_every_unfinished_run(tmp_path):
    async with reading(tmp_path, horizon=15.0) as reader:
        reader.listed.rows = [*NEW_FIRST]
        await reader.pages()
        assert await reader.full() == [None, "2", "4", "6"]
        assert len(await reader.full(complete=True)) == 6
        reader.unfinished(11)
        assert await reader.full() == [None, "2", "4", "6", "8", "10"]
        await reader.rig.sleep(2 * YOUNG)
        assert await reader.full() == [None, "2", "4", "6", "8", "10"]


async def test_a_full_walk_whose_pages_contradict_the_order_reads_on(tmp_path):
    async with reading(tmp_path, horizon=15.0) as reader:
        reader.listed.rows = [*NEW_FIRST]
        await reader.pages()
        reader.listed.rows = rows(1, 2, 9, 20, 3, 4)
        assert await reader.full() == [None, "2", "4"]
        assert reader.list.order == "none"


async def test_a_full_walk_without_a_horizon_reads_everything(tmp_path):
    async with reading(tmp_path, horizon=None) as reader:
        reader.listed.rows = [*NEW_FIRST]
        assert len(await reader.full()) == 6
        assert len(await reader.full()) == 1


# --- failures ---
@pytest.mark.parametrize(
    "error",
    [FAILED, NetworkError("runs", "reset", code="network"), Unauthorised("runs", "k", code="401")],
)
async def test_after_a_failure_that_passes_an_old_first_list_is_read_on_where_it_was(
    tmp_path, error
):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*OLD_FIRST]
        await reader.full()
        reader.listed.error = error
        with pytest.raises(ReadFailed):
            await reader.pages()
        reader.listed.error = None
        assert await reader.pages() == ["6"]


@pytest.mark.parametrize(
    "error", [ClientError("runs", "bad", code="400"), NotFound("runs", "gone", code="404")]
)
async def test_a_cursor_that_is_refused_is_not_used_again(tmp_path, error):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*OLD_FIRST]
        await reader.full()
        reader.listed.error = error
        with pytest.raises(ReadFailed):
            await reader.pages()
        reader.listed.error = None
        assert await reader.pages() == []
        await reader.full()
        assert await reader.pages() == ["6"]


async def test_only_a_read_that_ended_ends_the_failures_of_the_list(tmp_path):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*NEW_FIRST]
        reader.listed.error = FAILED
        for tries in (1, 2):
            with pytest.raises(ReadFailed):
                await reader.pages()
            assert reader.collectors.failures("runs") == tries
        reader.listed.error = None
        await reader.pages()
        assert reader.collectors.failures("runs") == 0
        assert reader.rig.telemetry.collectors["runs"] == (True, "")
