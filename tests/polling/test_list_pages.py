"""The pages of a cursor list, and what their failures count against."""

from __future__ import annotations

import pytest

from runtype_exporter.polling.collectors import Collectors
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.polling.list_pages import list_pages
from runtype_exporter.runtype import CursorPagination, PagingError, RunsPage, ServerError
from tests.support.hand_clock import HandClock
from tests.support.rig import RecordingTelemetry


def page(next_cursor: str | None, *, more: bool = True) -> RunsPage:
    return RunsPage([], CursorPagination(has_more=more, next_cursor=next_cursor))


class Reader:
    """A list whose pages are read through collectors, as the run list is."""

    def __init__(self, *pages: RunsPage | ServerError) -> None:
        self.pages = list(pages)
        self.asked: list[str | None] = []
        self.collectors = Collectors("acme", (), RecordingTelemetry(), HandClock())

    async def fetch(self, cursor: str | None) -> RunsPage:
        async def call() -> RunsPage:
            answer = self.pages[len(self.asked)]
            self.asked.append(cursor)
            if isinstance(answer, ServerError):
                raise answer
            return answer

        return await self.collectors.read("runs", "", call, whole=False)

    async def read(self, start: str | None = None) -> int:
        """Read the list to the end. Return the number of its pages."""
        return len([read async for read in list_pages(self.collectors, "runs", self.fetch, start)])


async def test_all_pages_are_read_from_the_first_one_or_from_a_cursor():
    reader = Reader(page("b"), page("c"), page(None, more=False))
    assert await reader.read() == 3
    assert reader.asked == [None, "b", "c"]
    reader = Reader(page("c"), page(None, more=False))
    assert await reader.read("b") == 2
    assert reader.asked == ["b", "c"]


@pytest.mark.parametrize("wrong", [page(None), page("b"), page("x" * 3000)])
async def test_pages_that_contradict_each_other_are_a_failure_of_the_list(wrong):
    reader = Reader(page("b"), wrong)
    for tries in range(1, 4):
        reader.asked.clear()
        with pytest.raises(ReadFailed) as raised:
            await reader.read()
        assert isinstance(raised.value.error, PagingError)
        assert (raised.value.collector, raised.value.item) == ("runs", "")
        assert raised.value.tries == tries == reader.collectors.failures("runs")
        assert raised.value.__context__ is None
    assert raised.value.reach is Reach.COLLECTOR


async def test_a_page_that_fails_is_the_failure_that_its_read_raised():
    failed = ServerError("runs", "failed", code="500")
    reader = Reader(page("b"), failed)
    with pytest.raises(ReadFailed) as raised:
        await reader.read()
    assert raised.value.error is failed
    assert reader.collectors.failures("runs") == 1


async def test_reading_may_stop_before_the_end():
    reader = Reader(page("b"), page("c"))
    async for _ in list_pages(reader.collectors, "runs", reader.fetch):
        break
    assert reader.asked == [None]
