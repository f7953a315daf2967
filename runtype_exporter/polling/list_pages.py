"""Read the pages of a cursor list through the collectors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from runtype_exporter.polling.collectors import Collectors
from runtype_exporter.runtype import CursorPage, PagingError, cursor_walk

PageT = TypeVar("PageT", bound=CursorPage)


async def list_pages(
    collectors: Collectors,
    collector: str,
    fetch: Callable[[str | None], Awaitable[PageT]],
    start: str | None = None,
) -> AsyncIterator[PageT]:
    """Yield every page from `start` (None: the first) to the end.

    The caller calls `collectors.complete` when it has read what it needs.

    Raises:
        ReadFailed: the pages contradict each other, or `fetch` raised it.
    """
    try:
        async for page in cursor_walk(fetch, start, operation=collector):
            yield page
    except PagingError as error:
        failure = collectors.fail(collector, "", error)
    else:
        return
    raise failure
