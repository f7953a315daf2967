import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.runtype import (
    CursorPagination,
    OffsetPagination,
    PagingError,
    ResultRow,
    ResultsPage,
    RunsPage,
    cursor_walk,
    next_offset,
)
from runtype_exporter.runtype.paging import MAX_OFFSET_PAGES


def cursor_page(next_cursor, *, more):
    return RunsPage(data=[], pagination=CursorPagination(has_more=more, next_cursor=next_cursor))


def offset_page(rows, total, *, more, offset=None, rejected=0):
    data = [ResultRow(record_id=f"record_{number}", status="completed") for number in range(rows)]
    return ResultsPage(
        data=data,
        pagination=OffsetPagination(total=total, has_more=more, offset=offset),
        rejected=("identity",) * rejected,
    )


def serve(pages):
    """A list as a server would give it, and the cursors that it was asked for."""
    asked = []

    async def runs(cursor):
        asked.append(cursor)
        return pages[cursor]

    return runs, asked


async def walk(pages, start=None):
    runs, asked = serve(pages)
    async for _ in cursor_walk(runs, start, operation="runs"):
        pass
    return asked


async def test_a_cursor_list_is_read_to_its_end():
    pages = {
        None: cursor_page("a", more=True),
        "a": cursor_page("b", more=True),
        "b": cursor_page("c", more=False),
    }
    assert await walk(pages) == [None, "a", "b"]
    assert await walk(pages, "a") == ["a", "b"]


async def test_a_walk_may_be_left_early():
    runs, asked = serve({None: cursor_page("a", more=True)})
    async for _ in cursor_walk(runs, operation="runs"):
        break
    assert asked == [None]


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        (
            {
                None: cursor_page("a", more=True),
                "a": cursor_page("b", more=True),
                "b": cursor_page("a", more=True),
            },
            "runs: the page's cursor was used before: reading on would never end",
        ),
        (
            {None: cursor_page(None, more=True)},
            (
                "runs: the page promises more but gives no cursor;"
                " rows may be missing until the API is consistent"
            ),
        ),
        (
            {None: cursor_page("", more=True)},
            (
                "runs: the page promises more but gives no cursor;"
                " rows may be missing until the API is consistent"
            ),
        ),
        (
            {None: cursor_page("x" * 2049, more=True)},
            "runs: the page's cursor has 2049 characters, more than a URL should carry",
        ),
    ],
)
async def test_cursors_that_lie_end_in_an_error(pages, message):
    with pytest.raises(PagingError) as caught:
        await walk(pages)
    assert str(caught.value) == message


async def test_a_cursor_that_leads_back_to_the_start_costs_no_second_request():
    runs, asked = serve({"a": cursor_page("a", more=True)})
    with pytest.raises(PagingError, match="was used before"):
        _ = [page async for page in cursor_walk(runs, "a", operation="runs")]
    assert asked == ["a"]


async def test_a_list_without_end_ends_in_an_error():
    class Endless(dict):
        def __missing__(self, cursor):
            return cursor_page(str(int(cursor or 0) + 1), more=True)

    with pytest.raises(PagingError, match=r"^runs: the list did not end within 10000 pages$"):
        await walk(Endless())


@pytest.mark.parametrize(
    ("page", "asked", "expected"),
    [
        (offset_page(100, 250, more=True, offset=0), 0, 100),
        (offset_page(50, 250, more=True, offset=100), 100, 150),
        (offset_page(50, 250, more=True), 100, 150),
        (offset_page(50, 250, more=False, offset=200), 200, None),
        (offset_page(0, 0, more=False, offset=0), 0, None),
        (offset_page(0, 250, more=False, offset=300), 300, None),
        (offset_page(100, 250, more=False, offset=0), 0, 100),
        (offset_page(100, 50, more=True, offset=0), 0, 100),
        (offset_page(100, 50, more=False, offset=0), 0, None),
        # Rows that could not be understood came as well.
        (offset_page(98, 250, more=True, offset=0, rejected=2), 0, 100),
        (offset_page(0, 250, more=True, offset=100, rejected=100), 100, 200),
        (offset_page(49, 250, more=False, offset=200, rejected=1), 200, None),
    ],
)
def test_the_next_page_begins_after_the_rows_that_came(page, asked, expected):
    assert next_offset(page, asked, known=asked) == expected


@pytest.mark.parametrize(
    ("page", "asked", "message"),
    [
        (
            offset_page(0, 250, more=True, offset=100),
            100,
            (
                "results: the page at offset 100 is empty but promises more:"
                " reading on would never end"
            ),
        ),
        (
            offset_page(100, 250, more=True, offset=0),
            100,
            "results: asked for offset 100, answered for offset 0",
        ),
        (
            offset_page(0, 250, more=False, offset=200),
            300,
            "results: asked for offset 300, answered for offset 200",
        ),
    ],
)
def test_offset_pages_that_lie_end_in_an_error(page, asked, message):
    with pytest.raises(PagingError) as caught:
        next_offset(page, asked, known=asked)
    assert str(caught.value) == message


def test_results_without_end_end_in_an_error():
    page = offset_page(1, 10, more=True)
    assert next_offset(page, 5, known=5, pages=MAX_OFFSET_PAGES - 2) == 6
    with pytest.raises(PagingError, match=r"^results: the results did not end within 100000 pages"):
        next_offset(page, 5, known=5, pages=MAX_OFFSET_PAGES - 1)


@pytest.mark.parametrize(("total", "known"), [(100, 0), (0, 90)])
def test_pages_that_go_on_far_beyond_every_count_end_in_an_error(total, known):
    page = offset_page(10, total, more=True)
    assert next_offset(page, 1190, known=known) == 1200
    with pytest.raises(PagingError) as caught:
        next_offset(page, 1191, known=known)
    assert (
        str(caught.value) == f"results: the pages go on at row 1201, but the API counts {total}:"
        " the same rows seem to come again and again"
    )


@given(
    total=st.integers(0, 300),
    cap=st.integers(1, 40),
    lie=st.booleans(),
    claimed=st.integers(-50, 50),
)
def test_a_walk_reads_every_row_and_ends_whatever_the_last_page_and_the_total_claim(
    total, cap, lie, claimed
):
    seen = offset = pages = 0
    following = 0
    while following is not None:
        offset = following
        rows = min(cap, max(0, total - offset))
        more = offset + rows < total
        if lie and not more:
            claimed = abs(claimed)
        page = offset_page(rows, max(0, total + claimed), more=more, offset=offset)
        following = next_offset(page, offset, known=seen, pages=pages)
        seen += rows
        pages += 1
    assert seen == total
    assert pages <= total // cap + 2
