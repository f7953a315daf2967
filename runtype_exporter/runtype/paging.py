"""Decide whether to read another page of a list.

Schedules and runs are cursor lists, results are offset lists.

Each rule is bounded: a server whose pages do not advance must end in an error, not in a loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol, TypeVar

from runtype_exporter.runtype.errors import PagingError
from runtype_exporter.runtype.responses import CursorPagination, ResultsPage

MAX_CURSOR_PAGES: Final = 10_000
"""A million runs at 100 a page; no list of that length is read within a day's budget anyway."""
MAX_OFFSET_PAGES: Final = 100_000
"""Ten million results at 100 a page, for the same reason."""
UNCOUNTED_ROWS: Final = 1000
"""How far a read may go beyond twice the number of results that is known. Rows may arrive while it
reads, or be miscounted."""
MAX_CURSOR_LENGTH: Final = 2048
"""Cursors are opaque, but they are sent in the URL."""


class CursorPage(Protocol):
    """A page that says where the next one is."""

    @property
    def pagination(self) -> CursorPagination:
        """Return the page's place in the list."""
        ...


P = TypeVar("P", bound=CursorPage)


async def cursor_walk(
    fetch: Callable[[str | None], Awaitable[P]],
    start: str | None = None,
    *,
    operation: str,
) -> AsyncIterator[P]:
    """Yield every page from `start` (None: the first) to the end.

    `operation` names the list in errors.

    Raises:
        PagingError: a cursor comes back, is missing although more is promised, or the pages are too
            many.
        ApiError: whatever `fetch` raises.
    """
    used: set[str | None] = {start}
    cursor = start
    for _ in range(MAX_CURSOR_PAGES):
        page = await fetch(cursor)
        yield page
        if not page.pagination.has_more:
            return
        cursor = page.pagination.next_cursor
        if not cursor:
            raise PagingError(
                operation,
                "the page promises more but gives no cursor;"
                " rows may be missing until the API is consistent",
            )
        if len(cursor) > MAX_CURSOR_LENGTH:
            raise PagingError(
                operation,
                f"the page's cursor has {len(cursor)} characters, more than a URL should carry",
            )
        if cursor in used:
            raise PagingError(
                operation, "the page's cursor was used before: reading on would never end"
            )
        used.add(cursor)
    raise PagingError(operation, f"the list did not end within {MAX_CURSOR_PAGES} pages")


def next_offset(page: ResultsPage, asked: int, *, known: int, pages: int = 0) -> int | None:
    """Return where the page after this one begins, None at the end.

    The server may answer with fewer rows than asked for (it limits the page size), so the rows that
    came are counted, with those that could not be understood. If `hasMore` and `total` contradict
    each other, the larger number is believed, and an empty page ends the list.

    Args:
        page: the page that was read.
        asked: the offset that was asked for.
        known: how many different rows were seen before this page.
        pages: how many pages were read before this one.

    Raises:
        PagingError: more is promised after an empty page, the answer is for another offset, the
            pages are too many, or they go on far beyond both the rows that the API counts and those
            that were seen.
    """
    where = page.pagination
    if where.offset is not None and where.offset != asked:
        raise PagingError(
            "results", f"asked for offset {asked}, answered for offset {where.offset}"
        )
    rows = len(page.data) + len(page.rejected)
    if not rows:
        if where.has_more:
            raise PagingError(
                "results",
                f"the page at offset {asked} is empty but promises more:"
                " reading on would never end",
            )
        return None
    following = asked + rows
    if not where.has_more and following >= where.total:
        return None
    if following > 2 * max(where.total, known + rows) + UNCOUNTED_ROWS:
        raise PagingError(
            "results",
            f"the pages go on at row {following}, but the API counts {where.total}: the same rows"
            " seem to come again and again",
        )
    if pages + 1 >= MAX_OFFSET_PAGES:
        raise PagingError("results", f"the results did not end within {MAX_OFFSET_PAGES} pages")
    return following
