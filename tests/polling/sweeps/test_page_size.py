"""The size of pages: when it shrinks, grows, and stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil, log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtype_exporter.polling.sweeps.page_size import (
    RETRY_AFTER,
    SLOW_FLOOR,
    PageSize,
    SizeFault,
    size_fault,
)
from runtype_exporter.runtype import ClientError, OversizedError, ServerError, TimedOut

TOO_LARGE, REFUSED, SLOW = SizeFault.TOO_LARGE, SizeFault.REFUSED, SizeFault.SLOW
FRESH = PageSize(100, 100)


def smaller(size: PageSize, fault: SizeFault, *, answered: bool = True, now: float = 0.0):
    return size.smaller(fault, "0", others_answered=answered, now=now)


def worked(size: PageSize, pages: int = 1, *, now: float = 0.0) -> PageSize:
    for _ in range(pages):
        size = size.worked("0", now)
    return size


def slow_before(size: PageSize) -> PageSize:
    return size.failed(SLOW, "0", tried=size.size, now=0.0)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OversizedError("results", ""), TOO_LARGE),
        (ClientError("results", "", code="413"), TOO_LARGE),
        (ClientError("results", "", code="400"), REFUSED),
        (ClientError("sparklines", "", code="414"), REFUSED),
        (TimedOut("results", "", code="timeout"), SLOW),
        (ServerError("results", "", code="504"), SLOW),
        (ServerError("results", "", code="500"), None),
    ],
)
def test_each_failure_says_what_it_may_have_to_do_with_the_size(error, fault):
    assert size_fault(error) is fault


def test_an_answer_that_is_too_large_halves_the_page_at_once_down_to_one_row():
    sizes, size = [], FRESH
    while size is not None:
        sizes.append(size.size)
        size = smaller(size, TOO_LARGE)
    assert sizes == [100, 50, 25, 12, 6, 3, 1]


def test_a_refused_page_shrinks_only_after_a_page_of_one_row_worked():
    trial = smaller(FRESH, REFUSED)
    assert trial.size == 1
    assert smaller(trial, REFUSED) is None
    found = worked(trial)
    assert (found.works, found.size) == (1, 50)
    assert smaller(found, REFUSED).size == 25
    assert smaller(worked(found), REFUSED).size == 1


def test_a_refusal_that_has_another_reason_is_tried_with_one_row_once_an_hour():
    after = FRESH.failed(REFUSED, "0", tried=1, now=5.0)
    assert after.size == 100
    assert smaller(after, REFUSED, now=4 + RETRY_AFTER) is None
    assert smaller(after, REFUSED, now=5 + RETRY_AFTER).size == 1


def test_a_slow_page_shrinks_if_it_failed_twice_while_others_were_answered():
    assert smaller(FRESH, SLOW) is None
    twice = slow_before(FRESH)
    assert smaller(twice, SLOW, answered=False) is None
    assert smaller(twice, SLOW).size == SLOW_FLOOR
    assert smaller(smaller(twice, SLOW), SLOW) is None
    assert twice.smaller(SLOW, "100", others_answered=True, now=0.0) is None
    assert smaller(worked(twice), SLOW) is None
    other = twice.worked("100", 0.0)
    assert smaller(other, SLOW).size == SLOW_FLOOR
    assert slow_before(twice).slow_tries == 2
    assert twice.failed(SLOW, "100", tried=twice.size, now=0.0).slow_tries == 1


def test_a_small_page_is_never_too_slow_for_its_rows():
    assert smaller(slow_before(PageSize(10, 10)), SLOW) is None
    assert smaller(slow_before(PageSize(12, 12)), SLOW).size == SLOW_FLOOR
    assert smaller(replace(PageSize(100, 50), works=1), SLOW).size == SLOW_FLOOR


def test_three_good_pages_double_the_size_up_to_the_configured_one():
    size = PageSize(100, 30, 30)
    sizes = []
    for _ in range(8):
        sizes.append(size.size)
        size = worked(size)
    assert sizes == [30, 30, 30, 60, 60, 60, 100, 100]


@pytest.mark.parametrize("fault", SizeFault)
def test_a_size_that_failed_is_tried_again_after_an_hour(fault):
    small = worked(PageSize(100, 50, 50, too_many=100, too_many_at=0.0), 9, now=RETRY_AFTER - 1)
    assert small.size == 50
    again = worked(small, now=RETRY_AFTER)
    assert again.size == 100
    # The size that worked before is taken at once, whatever the fault.
    assert smaller(again, fault, now=RETRY_AFTER).size == 50
    fine = worked(again, now=RETRY_AFTER)
    assert (fine.size, fine.too_many) == (100, 0)
    assert worked(smaller(again, fault, now=RETRY_AFTER), 5, now=RETRY_AFTER).size == 50


def test_a_page_that_fails_begins_the_count_of_good_pages_again():
    size = worked(PageSize(100, 50, 50), 2).failed(REFUSED, "0", tried=50, now=0.0)
    assert [worked(size, pages).size for pages in (1, 2, 3)] == [50, 50, 100]


def test_only_a_size_of_which_something_was_learned_is_worth_keeping():
    assert FRESH.is_ordinary
    assert worked(FRESH, 9).works == 100
    assert not slow_before(FRESH).is_ordinary
    assert not smaller(FRESH, TOO_LARGE).is_ordinary


@dataclass
class Server:
    """A list of `rows` rows whose pages fail if they are larger than `accepts` for their place."""

    rows: int
    accepts: Callable[[int], int]
    fault: SizeFault
    seconds: float
    now: float = 0.0
    requests: int = 0
    failures: int = 0
    offsets: list[int] = field(default_factory=list)

    def page(self, size: PageSize, offset: int) -> PageSize | None:
        """Read a page as `paged_read` does. Return the size after it, None if it failed."""
        before = size
        while True:
            self.requests += 1
            self.now += self.seconds
            if size.size <= self.accepts(offset):
                self.offsets.append(size.size)
                return size.worked(str(offset), self.now)
            self.failures += 1
            following = size.smaller(self.fault, str(offset), others_answered=True, now=self.now)
            if following is None:
                return before.failed(self.fault, str(offset), tried=size.size, now=self.now)
            size = following

    def read_all(self, most: int, limit: int) -> PageSize:
        size, offset = PageSize(most, most), 0
        while offset < self.rows:
            assert self.requests <= limit, "the read does not end"
            pages = len(self.offsets)
            size = self.page(size, offset)
            assert 0 < size.size <= most
            if len(self.offsets) > pages:
                offset += self.offsets[-1]
        return size


@settings(deadline=None)
@given(
    fault=st.sampled_from(SizeFault),
    most=st.integers(1, 1000),
    accepted=st.integers(1, 1000),
    rows=st.integers(1, 3000),
    seconds=st.sampled_from([0.0, 0.1, 2.0, 60.0, 900.0]),
)
def test_every_row_is_read_with_few_requests_too_many(fault, most, accepted, rows, seconds):
    if fault is SLOW:
        accepted = max(accepted, SLOW_FLOOR)
    server = Server(rows, lambda _: accepted, fault, seconds)
    # What it takes with pages of half the size that the server accepts, and the search for it.
    pages = ceil(rows / max(1, min(accepted, most) // 3))
    steps = ceil(log2(most)) + 3
    size = server.read_all(most, 5 * (pages + 5 * steps))
    hours = server.now / RETRY_AFTER
    assert server.failures <= steps + 1 + hours
    assert len(server.offsets) <= pages + 4 * steps
    assert size.works <= accepted


@settings(deadline=None)
@given(
    fault=st.sampled_from(SizeFault),
    accepted=st.lists(st.integers(1, 200), min_size=1, max_size=20),
    rows=st.integers(1, 500),
)
def test_every_row_is_read_from_a_server_whose_rows_differ(fault, accepted, rows):
    if fault is SLOW:
        accepted = [max(most, SLOW_FLOOR) for most in accepted]
    server = Server(rows, lambda offset: accepted[offset % len(accepted)], fault, 1.0)
    server.read_all(100, 12 * rows + 100)
