"""Which pages of the run list are read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runtype_exporter.model import Delta
from runtype_exporter.polling.discovery.run_list import (
    RunList,
    ended_run,
    merge_deltas,
    order_of,
    run_of,
)
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.runtype import CursorPagination, RunRow, RunsPage, ServerError

PAGE = 2
START = 1_780_272_000.0
"""Second 0 of these tests."""


def at(second: float) -> str:
    return datetime.fromtimestamp(START + second, UTC).isoformat()


def row(second: float | None, status: str = "completed", **fields) -> RunRow:
    created = None if second is None else at(second)
    return RunRow(id=f"run {second}", schedule_id="s1", status=status, created_at=created, **fields)


class Listed:
    """A run list with offsets as cursors. It keeps the cursors that were asked for."""

    def __init__(self, *rows: RunRow) -> None:
        self.rows = list(rows)
        self.asked: list[str | None] = []
        self.fails = False

    async def runs(self, cursor: str | None = None) -> RunsPage:
        self.asked.append(cursor)
        if self.fails:
            raise ServerError("runs", "failed", code="500")
        begin = int(cursor or 0)
        end = begin + PAGE
        more = end < len(self.rows)
        return RunsPage(
            data=self.rows[begin:end],
            pagination=CursorPagination(has_more=more, next_cursor=str(end) if more else None),
        )


class Reader:
    """A reader of the list that keeps which runs it saw and which of them are unfinished."""

    def __init__(self, listed: Listed) -> None:
        self.listed = listed
        self.list = RunList(listed)  # type: ignore[arg-type]  # only `runs` is asked
        self.seen: set[str] = set()
        self.unfinished: list[float] = []

    async def pages(
        self, *, full: bool = False, horizon: float = 0.0, young: float = 0.0
    ) -> list[str | None]:
        self.listed.asked.clear()

        async def take(rows) -> bool:
            known = {row.id for row in rows} <= self.seen
            self.seen |= {row.id for row in rows}
            return known

        def unfinished() -> list[float]:
            return [START + second for second in self.unfinished]

        await self.list.read(take, unfinished, START + horizon, young=START + young, full=full)
        return list(self.listed.asked)


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


async def test_new_first_is_read_until_a_page_is_known_and_older_than_every_unfinished_run():
    reader = Reader(Listed(*(row(second) for second in range(20, 8, -1))))
    assert len(await reader.pages()) == 6
    assert reader.list.order == "new-first"
    assert await reader.pages() == [None]
    reader.listed.rows.insert(0, row(21))
    assert await reader.pages() == [None, "2"]
    reader.unfinished = [15.0]
    assert await reader.pages() == [None, "2", "4", "6", "8"]
    assert await reader.pages(full=True) == [None, "2", "4", "6", "8", "10", "12"]


async def test_a_full_walk_newest_first_stops_below_the_horizon_and_every_unfinished_run():
    reader = Reader(Listed(*(row(second) for second in range(20, 8, -1))))
    await reader.pages()
    assert await reader.pages(full=True, horizon=15.0) == [None, "2", "4", "6"]
    reader.unfinished = [11.0]
    assert await reader.pages(full=True, horizon=15.0) == [None, "2", "4", "6", "8", "10"]


async def test_old_first_is_read_on_from_where_the_oldest_unfinished_run_stands():
    reader = Reader(Listed(*(row(second) for second in range(1, 8))))
    assert len(await reader.pages()) == 4
    assert reader.list.order == "old-first"
    assert await reader.pages() == ["6"]
    reader.listed.rows += [row(8), row(9)]
    reader.unfinished = [8.0]
    assert await reader.pages() == ["6", "8"]
    assert await reader.pages() == ["6", "8"]
    reader.unfinished = []
    assert await reader.pages() == ["6", "8"]
    assert await reader.pages() == ["8"]


async def test_new_first_list_does_not_read_down_to_old_unfinished_runs():
    reader = Reader(Listed(*(row(second) for second in range(20, 8, -1))))
    await reader.pages()
    reader.unfinished = [11.0, 17.0]
    assert await reader.pages(young=16.0) == [None, "2", "4"]
    assert await reader.pages(young=18.0) == [None]
    assert await reader.pages(young=18.0, horizon=15.0, full=True) == [
        None,
        "2",
        "4",
        "6",
        "8",
        "10",
    ]


async def test_old_first_list_skips_old_unfinished_runs():
    reader = Reader(Listed(*(row(second) for second in range(1, 8))))
    reader.unfinished = [1.0, 5.0]
    assert len(await reader.pages(young=4.0)) == 4
    assert await reader.pages(young=4.0) == ["4", "6"]
    assert await reader.pages(young=6.0) == ["4", "6"]
    assert await reader.pages(young=6.0) == ["6"]
    assert await reader.pages(young=6.0, full=True) == [None, "2", "4", "6"]
    assert await reader.pages(young=6.0) == ["6"]


async def test_a_list_without_an_order_is_read_whole_each_time():
    reader = Reader(Listed(row(5), row(9), row(1), row(7)))
    assert len(await reader.pages()) == 2
    assert reader.list.order == "none"
    assert len(await reader.pages()) == 2


async def test_a_list_too_short_to_tell_its_order_is_read_whole():
    reader = Reader(Listed(row(5)))
    await reader.pages()
    assert reader.list.order == "unknown"
    reader.listed.rows = [row(6), row(5), row(4)]
    assert await reader.pages() == [None, "2"]
    assert reader.list.order == "new-first"


async def test_an_order_that_no_longer_holds_is_given_up_at_once():
    reader = Reader(Listed(*(row(second) for second in range(20, 8, -1))))
    await reader.pages()
    reader.listed.rows.reverse()
    assert len(await reader.pages()) == 6
    assert reader.list.order == "none"
    assert len(await reader.pages(full=True)) == 6
    assert reader.list.order == "old-first"


async def test_after_a_failure_reading_begins_at_the_first_page():
    reader = Reader(Listed(*(row(second) for second in range(1, 8))))
    await reader.pages()
    reader.listed.fails = True
    with pytest.raises(ServerError):
        await reader.pages()
    reader.listed.fails = False
    assert await reader.pages() == [None, "2", "4", "6"]


async def test_pages_without_any_creation_are_read_on():
    reader = Reader(Listed(*(row(second) for second in (9, 8, 7, 6))))
    await reader.pages()
    reader.listed.rows = [row(None), row(None), row(7), row(6)]
    assert await reader.pages() == [None, "2"]


def test_a_run_keeps_its_end_only_once_it_has_ended():
    ended = row(1, "failed", completed_at=at(5), batch_execution_id="b1")
    run = run_of("acme", ended, StatusWords())
    assert (run.outcome, run.ended, run.batch, run.created) == (
        "failure",
        START + 5,
        "b1",
        START + 1,
    )
    again = run_of("acme", row(1, "running", completed_at=at(5)), StatusWords())
    assert (again.outcome, again.ended, again.batch) == (None, None, "")


DURATION = ("runtype_schedule_run_duration_seconds", ("acme", "nightly"))
QUEUE = ("runtype_schedule_run_queue_seconds", ("acme", "nightly"))
FINISHED = "runtype_schedule_runs_finished_total"


def values(delta: Delta, series) -> list[float]:
    return [observation.value for observation in delta.observations[series]]


def test_an_ended_run_adds_its_count_its_wait_and_its_duration():
    delta = ended_run(
        "acme", "nightly", row(1, started_at=at(3), completed_at=at(9)), "failure", 10.0
    )
    assert delta.increments == {
        (FINISHED, ("acme", "nightly", "success")): 0.0,
        (FINISHED, ("acme", "nightly", "failure")): 1.0,
    }
    assert (values(delta, DURATION), values(delta, QUEUE)) == ([6.0], [2.0])


@pytest.mark.parametrize(
    ("fields", "duration", "queue"),
    [
        ({}, [], []),
        ({"started_at": at(3)}, [], [2.0]),
        ({"started_at": at(0), "completed_at": at(0)}, [0.0], []),
        ({"started_at": at(3), "completed_at": at(2)}, [], [2.0]),
        ({"completed_at": at(9)}, [], []),
    ],
)
def test_times_that_are_missing_or_run_backwards_are_not_observed(fields, duration, queue):
    delta = ended_run("acme", "nightly", row(1, **fields), "success", 10.0)
    assert (values(delta, DURATION), values(delta, QUEUE)) == (duration, queue)


def test_an_unfinished_run_makes_its_series_exist():
    delta = ended_run("acme", "nightly", row(1, "running", started_at=at(3)), None, 10.0)
    assert set(delta.increments.values()) == {0.0}
    assert (values(delta, DURATION), values(delta, QUEUE)) == ([], [])


def test_several_additions_are_added():
    first = ended_run(
        "acme", "nightly", row(1, started_at=at(3), completed_at=at(9)), "success", 10.0
    )
    both = merge_deltas([first, first, ended_run("acme", "weekly", row(1), "success", 10.0)])
    assert both.increments[FINISHED, ("acme", "nightly", "success")] == 2.0
    assert both.increments[FINISHED, ("acme", "weekly", "success")] == 1.0
    assert values(both, DURATION) == [6.0, 6.0]
