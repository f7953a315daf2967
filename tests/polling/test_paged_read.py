"""Pages that are read with fewer rows where their size is what fails, and what is remembered."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from runtype_exporter import catalogue
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, BatchRef, Learned
from runtype_exporter.polling import paged_read
from runtype_exporter.polling.collectors import Collectors
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.polling.paged_read import PageSizes, read_page
from runtype_exporter.runtype import (
    ApiError,
    ClientError,
    OversizedError,
    ServerError,
    Throttled,
    TimedOut,
)
from tests.support.hand_clock import HandClock
from tests.support.rig import RecordingTelemetry

CLIENT = SimpleNamespace(page_size=200, list_page_size=100)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def ledger(tmp_path, clock):
    ledger = Ledger.open(tmp_path / "ledger.db", clock=clock, boundaries=catalogue.boundaries())
    ledger.save(Batch(ref=BatchRef("acme", "b1"), first_seen=0.0))
    yield ledger
    ledger.close()


@pytest.fixture
def collectors(clock) -> Collectors:
    return Collectors("acme", (), RecordingTelemetry(), clock)


@pytest.fixture
def sizes(ledger, clock) -> PageSizes:
    return PageSizes("acme", CLIENT, ledger, clock)


class Pages:
    """Answers with the number of rows, or with an error if there are more than `accepted`."""

    def __init__(self, accepted: int, error: ApiError | None = None) -> None:
        self.accepted = accepted
        self.error = error or OversizedError("results", "too large")
        self.asked: list[int] = []

    async def __call__(self, rows: int) -> int:
        self.asked.append(rows)
        if rows > self.accepted:
            raise self.error
        return rows


REFUSED = ClientError("results", "refused", code="400")
SLOW = TimedOut("results", "slow", code="timeout")


def stored(ledger: Ledger) -> int:
    return ledger.batches(("b1",))["b1"].page_size


async def test_a_page_that_is_too_large_is_read_with_fewer_rows_without_a_failure(
    collectors, sizes, ledger
):
    pages = Pages(60)
    assert await read_page(collectors, "results", "b1", sizes, pages) == 50
    assert pages.asked == [200, 100, 50]
    assert (collectors.failures("results", "b1"), stored(ledger)) == (0, 50)


async def test_the_size_of_a_batch_survives_a_restart(collectors, sizes, ledger, clock):
    await read_page(collectors, "results", "b1", sizes, Pages(60))
    after = Pages(60)
    again = PageSizes("acme", CLIENT, ledger, clock)
    await read_page(collectors, "results", "b1", again, after)
    assert after.asked == [50]
    smaller = PageSizes("acme", SimpleNamespace(page_size=20), ledger, clock)
    assert smaller.size("results", "b1").size == 20


async def test_a_size_is_forgotten_once_the_configured_one_works(collectors, sizes, ledger, clock):
    await read_page(collectors, "run_results", "b1", sizes, Pages(60))
    clock.at += 3600.0
    pages = Pages(1000)
    for _ in range(7):
        await read_page(collectors, "run_results", "b1", sizes, pages)
    assert pages.asked == [50, 50, 100, 100, 100, 200, 200]
    assert stored(ledger) == 0
    assert sizes.size("run_results", "b1").is_ordinary


async def test_the_size_of_a_list_is_remembered_with_what_the_account_learned(
    collectors, sizes, ledger, clock
):
    ledger.set_learned("acme", Learned(run_order="new-first", page_sizes={"runs": 25}))
    assert sizes.size("runs", "").size == 25
    await read_page(collectors, "schedules", "", sizes, Pages(60))
    assert ledger.learned("acme") == Learned(
        run_order="new-first", page_sizes={"runs": 25, "schedules": 50}
    )
    clock.at += 3600.0
    for _ in range(3):
        await read_page(collectors, "schedules", "", sizes, Pages(100))
    assert ledger.learned("acme").page_sizes == {"runs": 25}


async def test_fewer_ids_are_asked_for_where_the_url_is_too_long(collectors, sizes, ledger):
    pages = Pages(30, ClientError("sparklines", "too long", code="414"))
    for _ in range(3):
        await read_page(collectors, "sparklines", "", sizes, pages)
    assert pages.asked == [100, 1, 50, 25, 25]
    assert ledger.learned("acme").page_sizes == {"sparklines": 25}


async def test_a_refusal_that_no_size_helps_is_one_failure_of_the_item(
    collectors, sizes, ledger, clock
):
    pages = Pages(0, REFUSED)
    for _ in range(2):
        with pytest.raises(ReadFailed) as failed:
            await read_page(collectors, "results", "b1", sizes, pages)
        assert (failed.value.error, failed.value.reach) == (REFUSED, Reach.ITEM)
    assert pages.asked == [200, 1, 200]
    assert (failed.value.tries, stored(ledger)) == (2, 0)


async def test_another_failure_of_the_smaller_page_is_what_counts(collectors, sizes):
    throttled = Throttled("results", "wait", code="429")

    async def call(rows: int) -> None:
        raise REFUSED if rows > 1 else throttled

    with pytest.raises(ReadFailed) as failed:
        await read_page(collectors, "results", "b1", sizes, call)
    assert (failed.value.error, failed.value.reach) == (throttled, Reach.ACCOUNT)
    # That says nothing about the size, so the trial is not over.
    assert sizes.size("results", "b1").next_trial == 0.0


@pytest.mark.parametrize("others", [True, False])
async def test_a_slow_page_becomes_smaller_once_it_failed_twice_while_others_were_answered(
    collectors, sizes, clock, others
):
    asked = []

    async def call(rows: int) -> int:
        asked.append(rows)
        clock.at += 1.0
        if others:
            await collectors.read("summary", "", answer)
        if rows > 10:
            raise SLOW
        return rows

    for page in ("0", "100"):
        with pytest.raises(ReadFailed):
            await read_page(collectors, "results", "b1", sizes, call, page=page)
    if others:
        assert await read_page(collectors, "results", "b1", sizes, call, page="100") == 10
        assert asked == [200, 200, 200, 10]
    else:
        with pytest.raises(ReadFailed):
            await read_page(collectors, "results", "b1", sizes, call, page="100")
        assert asked == [200, 200, 200]


async def answer() -> int:
    return 0


async def test_what_has_nothing_to_do_with_the_size_is_raised_at_once(collectors, sizes, ledger):
    pages = Pages(0, ServerError("results", "failed", code="500"))
    with pytest.raises(ReadFailed):
        await read_page(collectors, "results", "b1", sizes, pages)
    assert pages.asked == [200]
    assert sizes.size("results", "b1").is_ordinary


async def test_a_batch_that_is_gone_has_no_size_to_remember(collectors, sizes, ledger):
    assert await read_page(collectors, "results", "b2", sizes, Pages(60)) == 50
    assert ledger.batches(("b2",)) == {}


async def test_the_sizes_in_memory_are_bounded(collectors, sizes, monkeypatch):
    monkeypatch.setattr(paged_read, "MOST_SIZES", 2)
    for item in ("b1", "b2", "b3"):
        await read_page(collectors, "results", item, sizes, Pages(60))
    assert [item for _, item in sizes._sizes] == ["b2", "b3"]
