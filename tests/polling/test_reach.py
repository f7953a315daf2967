"""Which failures concern a collector or the whole account, and what that stops."""

from __future__ import annotations

import asyncio

import pytest

from runtype_exporter.polling.collectors import FORBIDDEN_RETRY
from runtype_exporter.polling.failures import Reach
from runtype_exporter.runtype import DecodeError, EdgeRefused, NotFound
from tests.support.account_reads import (
    FAILED,
    REFUSED,
    AccountReads,
    shown,
)


# --- collectors ---
async def test_a_list_is_down_and_its_gauges_are_withdrawn_at_its_third_failure_in_a_row(logs):
    account = AccountReads()
    await account.answer("summary")
    account.clock.at += 1
    shows = []
    for error in (DecodeError("usage", "no JSON"), FAILED, None, FAILED, FAILED, FAILED, FAILED):
        if error is None:
            await account.answer("usage")
        else:
            await account.fail("usage", "", error)
        shows.append(shown(account, "usage"))
        account.clock.at += 60
    up, down = (True, "server"), (False, "server")
    assert shows == [(True, "decode"), up, (True, ""), up, up, down, down]
    assert account.withdrawn == ["usage", "usage"]
    assert {line["collector"] for line in logs if line["event"] == "read failed"} == {"usage"}


async def test_a_list_stays_down_while_nothing_else_answers_either():
    account = AccountReads()
    assert (await account.fail_often(3, "usage"))[-1] is Reach.COLLECTOR
    await account.break_down()
    assert (await account.fail("usage")).reach is Reach.ACCOUNT
    assert shown(account, "usage") == (False, "server")


async def test_a_collector_with_many_items_is_down_after_three_of_them_in_a_row():
    account = AccountReads()
    await account.answer("runs")
    account.clock.at += 1
    for item in ("b1", "b1", "b2", "b2"):
        assert (await account.fail("results", item)).reach is Reach.ITEM
        assert shown(account, "results") == (True, "server")
    await account.fail("results", "b3")
    assert shown(account, "results") == (False, "server")
    await account.answer("results", "b4")
    assert shown(account, "results") == (True, "")
    await account.fail("results", "b1")
    assert shown(account, "results") == (True, "server")
    assert account.withdrawn == []


async def test_items_that_are_not_read_any_more_are_no_failures_of_their_collector():
    account = AccountReads()
    await account.answer("runs")
    account.clock.at += 1
    for item in ("b1", "b2", "b3", "b4"):
        await account.fail("results", item)
        assert shown(account, "results") == (True, "server")
        account.collectors.forget("results", item)


# --- refusals ---
async def test_a_list_is_forbidden_after_two_refusals_a_minute_apart(logs):
    account = AccountReads()
    assert (await account.fail("runs", "", REFUSED)).reach is Reach.ITEM
    account.clock.at += 59
    assert (await account.fail("runs", "", REFUSED)).reach is Reach.ITEM
    assert account.collectors.is_enabled("runs")
    account.clock.at += 1
    assert (await account.fail("runs", "", REFUSED)).reach is Reach.COLLECTOR
    assert not account.collectors.is_enabled("runs")
    assert shown(account, "runs") == (False, "forbidden")
    assert account.forbidden == [("runs", FORBIDDEN_RETRY)]
    assert "runs" in account.withdrawn
    assert [line["event"] for line in logs] == ["collector forbidden, asked again in an hour"]
    account.clock.at += FORBIDDEN_RETRY
    assert account.collectors.is_enabled("runs")
    assert (await account.fail("runs", "", REFUSED)).reach is Reach.COLLECTOR
    account.clock.at += FORBIDDEN_RETRY
    await account.answer("runs")
    assert account.forbidden[-1] == ("runs", 0.0)
    assert shown(account, "runs") == (True, "")


async def test_an_answer_between_two_refusals_of_a_list_keeps_it_allowed():
    account = AccountReads()
    for _ in range(3):
        assert (await account.fail("runs", "", REFUSED)).reach is Reach.ITEM
        account.clock.at += 30
        await account.answer("runs")
        account.clock.at += 60
    assert account.collectors.is_enabled("runs")


async def test_one_page_that_is_answered_shows_that_the_list_is_not_forbidden():
    account = AccountReads()
    for _ in range(5):
        await account.answer("runs", whole=False)
        account.clock.at += 1
        assert (await account.fail("runs", "", REFUSED)).reach is Reach.ITEM
        account.clock.at += 60
    assert account.collectors.is_enabled("runs")


async def test_a_collector_with_many_items_is_forbidden_after_three_different_ones():
    account = AccountReads()
    for item in ("b1", "b2"):
        await account.fail_often(5, "results", item, REFUSED)
    assert account.collectors.is_enabled("results")
    assert (await account.fail("results", "b3", REFUSED)).reach is Reach.ITEM
    account.clock.at += 60
    assert (await account.fail("results", "b3", REFUSED)).reach is Reach.COLLECTOR
    assert not account.collectors.is_enabled("results")


async def test_while_a_collector_is_forbidden_an_item_that_never_failed_is_tried_once_a_minute():
    account = AccountReads()
    for seconds in (60, 0):
        for item in ("b1", "b2", "b3"):
            await account.fail("results", item, REFUSED)
        account.clock.at += seconds
    collectors = account.collectors
    assert not collectors.is_enabled("results")
    assert not collectors.may_read("results", "b4")
    account.clock.at += 60
    assert collectors.may_read("results", "b4")
    assert not collectors.may_read("results", "b1")
    await account.fail("results", "b4", REFUSED)
    assert not collectors.may_read("results", "b5")
    account.clock.at += 60
    await account.answer("results", "b5")
    assert collectors.is_enabled("results")
    assert account.forbidden == [("results", FORBIDDEN_RETRY), ("results", 0.0)]


async def test_a_collector_that_is_switched_off_has_no_trials():
    assert not AccountReads("results").collectors.may_read("results", "b1")


async def test_one_item_that_answers_shows_that_the_others_refusals_are_their_own():
    account = AccountReads()
    for item in ("b1", "b2", "b3"):
        await account.fail("results", item, REFUSED)
    account.clock.at += 30
    await account.answer("results", "b4")
    account.clock.at += 30
    for item in ("b1", "b2", "b3"):
        assert (await account.fail("results", item, REFUSED)).reach is Reach.ITEM
    account.clock.at += 60
    reaches = [(await account.fail("results", item, REFUSED)).reach for item in ("b1", "b2", "b3")]
    assert reaches == [Reach.ITEM, Reach.ITEM, Reach.COLLECTOR]


async def test_a_refusal_of_something_before_the_api_forbids_nothing():
    account = AccountReads()
    await account.answer("summary")
    edge = EdgeRefused("runs", "firewall", code="403")
    assert (await account.fail_often(4, "runs", "", edge))[-1] is Reach.COLLECTOR
    assert account.collectors.is_enabled("runs")
    assert account.forbidden == []


@pytest.mark.parametrize(("seconds", "left"), [(600.0, 600.0), (1e9, FORBIDDEN_RETRY)])
async def test_what_an_earlier_process_learned_stays_forbidden_and_is_shown_as_down(seconds, left):
    account = AccountReads("usage", forbidden={"runs": seconds, "usage": seconds})
    assert account.telemetry.collectors == {"runs": (False, "")}
    account.clock.at += left - 1
    assert not account.collectors.is_enabled("runs")
    account.clock.at += 1
    assert account.collectors.is_enabled("runs")


# --- the account ---
async def test_an_account_does_not_answer_once_both_lists_failed_and_nothing_answered(logs):
    account = AccountReads()
    await account.answer("usage")
    account.clock.at += 1
    assert (await account.fail("summary")).reach is Reach.ITEM
    assert account.collectors.up is True
    assert (await account.fail("runs")).reach is Reach.ACCOUNT
    assert account.collectors.up is False
    assert (await account.fail("results", "b1")).reach is Reach.ACCOUNT
    await account.answer("usage")
    assert account.collectors.up is True
    events = [line["event"] for line in logs if "account" in line["event"]]
    assert events == ["the account does not answer", "the account answers again"]


async def test_lists_that_fail_by_turns_are_no_failure_of_the_account():
    account = AccountReads()
    for _ in range(5):
        for failing, answering in (("summary", "runs"), ("runs", "summary")):
            assert (await account.fail(failing)).reach is not Reach.ACCOUNT
            account.clock.at += 1
            await account.answer(answering)
            account.clock.at += 60


async def test_a_batch_that_failed_before_an_outage_is_judged_by_what_answered_since():
    account = AccountReads()
    await account.fail("results", "b1")
    account.clock.at += 1
    await account.answer("usage")
    account.clock.at += 1
    await account.break_down()
    assert (await account.fail("results", "b1")).reach is Reach.ITEM
    assert (await account.fail("results", "b2")).reach is Reach.ACCOUNT


async def test_a_404_on_every_path_is_an_account_out_of_reach():
    account = AccountReads()
    gone = NotFound("x", "gone", code="404")
    for collector in ("summary", "runs"):
        await account.fail(collector, "", gone)
    assert (await account.fail("results", "b1", gone)).reach is Reach.ACCOUNT


@pytest.mark.parametrize("off", [("summary",), ("summary", "runs")])
async def test_a_collector_that_is_the_only_one_read_must_fail_three_times(off):
    account = AccountReads(*off)
    only = ("results", "b1") if "runs" in off else ("runs",)
    await account.answer(*only)
    account.clock.at += 1
    assert await account.fail_often(3, *only) == [Reach.ITEM, Reach.ITEM, Reach.ACCOUNT]
    assert account.collectors.up is False


async def test_without_lists_two_collectors_that_fail_are_the_account():
    account = AccountReads("summary", "runs")
    assert (await account.fail("status", "b1")).reach is Reach.ITEM
    assert (await account.fail("results", "b1")).reach is Reach.ACCOUNT


async def test_recovery_lets_only_what_began_to_fail_in_the_outage_be_read_at_once():
    account = AccountReads()
    await account.answer("usage")
    account.clock.at += 1
    await account.fail("results", "old")
    account.clock.at += 1
    await account.answer("usage")
    account.clock.at += 1
    await account.break_down()
    await account.fail("results", "new")
    await account.fail("results", "old")
    assert account.collectors.due("results", "new")
    assert not account.collectors.due("results", "old")
    await account.answer("summary")
    assert account.collectors.due("results", "new")
    assert account.collectors.failures("results", "new") == 1
    assert not account.collectors.due("results", "old")


async def test_without_an_outage_an_answer_lets_no_other_item_be_read_earlier():
    account = AccountReads()
    await account.fail("results", "b1")
    account.clock.at += 1
    await account.answer("summary")
    assert not account.collectors.due("results", "b1")


async def test_while_the_account_answers_nobody_waits():
    account = AccountReads()
    async with asyncio.timeout(0):
        await account.collectors.wait_for_account()


class LoopClock:
    """A clock that runs with the virtual loop."""

    def now(self) -> float:
        return self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


async def test_in_an_outage_one_trial_a_minute_is_made_and_all_go_on_after_it():
    account = AccountReads(clock=LoopClock())
    clock = account.clock
    await account.break_down()
    passed: list[float] = []

    async def wait() -> None:
        await account.collectors.wait_for_account()
        passed.append(clock.monotonic())

    waiting = [asyncio.create_task(wait()) for _ in range(6)]
    await asyncio.sleep(200)
    assert passed == [60.0, 120.0, 180.0]
    await account.answer("summary")
    await asyncio.gather(*waiting)
    assert passed[3:] == [200.0] * 3
