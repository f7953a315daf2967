"""What the reads of an account show of its items: failures in a row, and their back-off."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtype_exporter.polling import collectors as module
from runtype_exporter.polling.collectors import LISTS
from runtype_exporter.polling.failures import Reach
from tests.support.account_reads import (
    FAILED,
    NO_KEY,
    PAGES,
    PAUSE,
    REFUSED,
    RESET,
    AccountReads,
    shown,
)


# --- answers ---
async def test_an_answer_is_returned_and_shows_that_the_collector_and_the_account_work():
    account = AccountReads()
    assert account.collectors.up is None
    assert await account.answer("runs") == "answer"
    assert shown(account, "runs") == (True, "")
    assert account.collectors.up is True
    assert account.collectors.last_failure == ""


async def test_a_collector_that_is_switched_off_is_not_enabled():
    account = AccountReads("schedules")
    assert not account.collectors.is_enabled("schedules")
    assert account.collectors.is_enabled("runs")


async def test_an_error_of_our_own_is_no_failure_of_the_api():
    account = AccountReads()

    async def call() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await account.collectors.read("results", "b1", call)
    assert account.collectors.failures("results", "b1") == 0
    assert account.telemetry.collectors == {}


async def test_whether_anything_was_answered_since_a_moment():
    account = AccountReads()
    assert not account.collectors.answered_since(0.0)
    await account.answer("usage")
    assert account.collectors.answered_since(999.0)
    assert not account.collectors.answered_since(1000.0)


# --- streaks ---
async def test_a_failure_says_how_often_in_a_row_and_what_answered_meanwhile():
    account = AccountReads()
    first = await account.fail("results", "b1")
    assert (first.collector, first.item, first.error) == ("results", "b1", FAILED)
    assert (first.tries, first.elapsed) == (1, 0.0)
    assert (first.others_answered, first.same_read_answered) == (False, False)
    account.clock.at += 70
    await account.answer("usage")
    account.clock.at += 20
    second = await account.fail("results", "b1")
    assert (second.tries, second.elapsed) == (2, 90.0)
    assert (second.others_answered, second.same_read_answered) == (True, False)
    account.clock.at += 10
    await account.answer("results", "b2")
    account.clock.at += 20
    third = await account.fail("results", "b1")
    assert (third.tries, third.elapsed) == (3, 30.0)
    assert (third.others_answered, third.same_read_answered) == (True, True)
    account.clock.at += 40
    fourth = await account.fail("results", "b1")
    assert (fourth.others_answered, fourth.same_read_answered) == (False, False)
    assert account.collectors.failures("results", "b1") == 4
    assert account.collectors.failures("results", "b2") == 0
    assert account.collectors.last_failure == str(FAILED)


async def test_an_answer_ends_the_streak_of_its_item_only():
    account = AccountReads()
    for item in ("b1", "b2"):
        await account.fail("results", item)
    await account.answer("results", "b1")
    assert account.collectors.failures("results", "b1") == 0
    assert account.collectors.failures("results", "b2") == 1
    assert account.collectors.due("results", "b1")
    assert not account.collectors.due("results", "b2")


async def test_the_failures_of_an_item_that_is_not_read_any_more_are_forgotten():
    account = AccountReads()
    await account.fail("results", "b1")
    account.collectors.forget("results", "b1")
    account.collectors.forget("results", "never read")
    assert account.collectors.failures("results", "b1") == 0
    assert account.collectors.due("results", "b1")


async def test_at_most_so_many_streaks_are_remembered(monkeypatch):
    monkeypatch.setattr(module, "MOST_STREAKS", 3)
    account = AccountReads()
    for number in range(5):
        await account.fail("results", f"b{number}")
    failures = [account.collectors.failures("results", f"b{number}") for number in range(5)]
    assert failures == [0, 0, 1, 1, 1]


async def test_one_page_of_several_ends_the_streak_of_a_batch_and_not_that_of_a_list():
    account = AccountReads()
    for collector in ("runs", "results"):
        await account.fail(collector, "" if collector in LISTS else "b1")
    await account.answer("runs", whole=False)
    await account.answer("results", "b1", whole=False)
    assert account.collectors.failures("runs") == 1
    assert account.collectors.failures("results", "b1") == 0
    account.collectors.complete("runs")
    assert account.collectors.failures("runs") == 0
    assert shown(account, "runs") == (True, "")


@pytest.mark.parametrize(("collector", "item"), [("runs", ""), ("results", "b1")])
async def test_pages_that_contradict_each_other_keep_their_streak_although_each_is_answered(
    collector, item
):
    account = AccountReads()
    for tries in (1, 2, 3):
        await account.answer(collector, item, whole=False)
        failure = account.collectors.fail(collector, item, PAGES)
        assert (failure.tries, failure.error) == (tries, PAGES)
        account.clock.at += 60
    account.collectors.complete(collector, item)
    assert account.collectors.failures(collector, item) == 0


async def test_after_another_failure_a_page_ends_the_streak_of_a_batch_again():
    account = AccountReads()
    account.collectors.fail("results", "b1", PAGES)
    await account.fail("results", "b1")
    await account.answer("results", "b1", whole=False)
    assert account.collectors.failures("results", "b1") == 0


# --- back-off ---
async def test_an_item_backs_off_for_a_minute_doubling_up_to_an_hour():
    account = AccountReads()
    pauses = []
    for _ in range(9):
        await account.fail("results", "b1")
        retry_at = account.collectors.next_try("results", "b1")
        assert retry_at is not None
        pauses.append(retry_at - account.clock.at)
        account.clock.at = retry_at - 0.5
        assert not account.collectors.due("results", "b1")
        account.clock.at = retry_at
        assert account.collectors.due("results", "b1")
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert account.collectors.next_try("results", "b2") is None
    assert account.collectors.due("results", "b2")


@pytest.mark.parametrize("collector", sorted(LISTS))
async def test_a_list_is_read_at_its_interval_and_does_not_back_off(collector):
    account = AccountReads()
    await account.fail_often(5, collector)
    assert account.collectors.due(collector)


# --- what says nothing about an item ---
@pytest.mark.parametrize("error", [NO_KEY, PAUSE])
async def test_a_refused_key_and_a_pause_teach_nothing_about_an_item(error):
    account = AccountReads()
    failure = await account.fail("results", "b1", error)
    assert failure.reach is Reach.ACCOUNT
    assert account.collectors.failures("results", "b1") == 0
    assert account.collectors.due("results", "b1")
    await account.fail("results", "b1")
    before = account.collectors.next_try("results", "b1")
    await account.fail("results", "b1", error)
    assert account.collectors.failures("results", "b1") == 1
    assert account.collectors.next_try("results", "b1") == before


@pytest.mark.parametrize(
    ("then", "up"), [(RESET, False), (FAILED, True), (PAUSE, True), (None, True)]
)
async def test_a_refused_key_makes_the_account_down_until_anything_else_is_answered(then, up):
    account = AccountReads()
    await account.answer("usage")
    await account.fail("runs", "", NO_KEY)
    assert account.collectors.up is False
    assert shown(account, "runs") == (False, "unauthorised")
    if then is None:
        await account.answer("usage")
    else:
        await account.fail("usage", "", then)
    assert account.collectors.up is up


async def test_a_pause_does_not_make_a_failing_collector_look_well():
    account = AccountReads()
    await account.answer("summary")
    await account.fail_often(3, "usage")
    assert shown(account, "usage") == (False, "server")
    await account.fail("usage", "", PAUSE)
    assert shown(account, "usage") == (False, "throttled")
    await account.fail("summary", "", PAUSE)
    assert shown(account, "summary") == (True, "throttled")


# --- whatever happens ---
STEPS = st.tuples(
    st.sampled_from(["runs", "summary", "usage", "results", "status"]),
    st.sampled_from(["b1", "b2", "b3", "b4"]),
    st.sampled_from([None, FAILED, REFUSED, NO_KEY, PAUSE, RESET, PAGES]),
    st.integers(0, 4000),
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_no_item_is_put_off_for_more_than_an_hour_and_every_answer_ends_its_streak(steps):
    async def check() -> None:
        account = AccountReads()
        for collector, batch, error, seconds in steps:
            item = "" if collector in LISTS else batch
            if error is None:
                await account.answer(collector, item)
                assert account.collectors.failures(collector, item) == 0
                assert account.collectors.due(collector, item)
                assert account.collectors.is_enabled(collector)
                assert account.collectors.up is True
            else:
                await account.fail(collector, item, error)
            retry_at = account.collectors.next_try(collector, item)
            assert retry_at is None or retry_at <= account.clock.at + 3600
            account.clock.at += seconds

    asyncio.run(check())
