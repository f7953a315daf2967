"""The order of the run list, and which pages of it a cycle reads."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtype_exporter.polling.discovery import run_list
from runtype_exporter.polling.discovery.run_list import YOUNG, order_of
from runtype_exporter.polling.discovery.run_pages import RunPage
from runtype_exporter.runtype import RunRow
from tests.support.rig import START
from tests.support.run_lists import NEW_FIRST, OLD_FIRST, reading, row, rows


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


@settings(deadline=None)
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


@pytest.mark.parametrize("whole", [False, True])
async def test_old_first_is_read_on_from_an_unfinished_run_that_the_read_itself_showed(
    tmp_path, whole
):
    async with reading(tmp_path) as reader:
        reader.listed.rows = [*OLD_FIRST]
        await reader.full(complete=True)
        reader.listed.rows += rows(8, 9, 10, 11)
        pages = reader.list.pages

        class Storing:
            async def process(self, page: list[RunRow]) -> RunPage:
                if "run 8" in {row.id for row in page}:
                    reader.unfinished(8)
                return await pages.process(page)

        reader.list.pages = Storing()
        await (reader.full() if whole else reader.head())
        reader.list.pages = pages
        assert await reader.pages() == ["6", "8", "10"]


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
