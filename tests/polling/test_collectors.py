"""What the reads of an account show of its items, its collectors and the account itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.polling import collectors as module
from runtype_exporter.polling.collectors import FORBIDDEN_RETRY, LISTS, Collectors
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.runtype import (
    ApiError,
    DecodeError,
    EdgeRefused,
    Forbidden,
    NetworkError,
    NotFound,
    PagingError,
    ServerError,
    Throttled,
    Unauthorised,
)
from tests.support.hand_clock import HandClock
from tests.support.rig import RecordingTelemetry

FAILED = ServerError("x", "failed", code="500")
REFUSED = Forbidden("x", "no scope", code="403")
NO_KEY = Unauthorised("x", "no such key", code="401")
PAUSE = Throttled("x", "wait", code="429")
RESET = NetworkError("x", "reset", code="network")
PAGES = PagingError("x", "no cursor")


class Account:
    """The collectors of an account on a clock that is moved by hand."""

    def __init__(self, *off: str, clock: HandClock | None = None, **options: object) -> None:
        self.clock = clock or HandClock()
        self.telemetry = RecordingTelemetry()
        self.withdrawn: list[str] = []
        self.forbidden: list[tuple[str, float]] = []
        self.collectors = Collectors(
            "acme",
            off,
            self.telemetry,
            self.clock,
            withdraw=self.withdrawn.append,
            on_forbidden=lambda *change: self.forbidden.append(change),
            **options,
        )

    async def answer(self, collector: str, item: str = "", *, whole: bool = True) -> str:
        async def call() -> str:
            return "answer"

        return await self.collectors.read(collector, item, call, whole=whole)

    async def fail(
        self,
        collector: str,
        item: str = "",
        error: ApiError = FAILED,
        *,
        meanwhile: Callable[[], Awaitable[object]] | None = None,
    ) -> ReadFailed:
        async def call() -> None:
            if meanwhile is not None:
                await meanwhile()
            raise error

        with pytest.raises(ReadFailed) as raised:
            await self.collectors.read(collector, item, call)
        assert raised.value.__context__ is None
        return raised.value

    async def fail_often(self, times: int, *read: object) -> list[Reach]:
        """Fail so many times, a minute apart. Return how far each failure reached."""
        reaches = []
        for _ in range(times):
            reaches.append((await self.fail(*read)).reach)
            self.clock.at += 60
        return reaches

    async def break_down(self) -> None:
        """Let both lists of a cycle fail."""
        await self.fail("summary")
        await self.fail("runs")


def shown(account: Account, collector: str) -> tuple[bool, str]:
    return account.telemetry.collectors[collector]


# --- answers ---
async def test_an_answer_is_returned_and_shows_that_the_collector_and_the_account_work():
    account = Account()
    assert account.collectors.up is None
    assert await account.answer("runs") == "answer"
    assert shown(account, "runs") == (True, "")
    assert account.collectors.up is True
    assert account.collectors.last_failure == ""


async def test_a_collector_that_is_switched_off_is_not_enabled():
    account = Account("schedules")
    assert not account.collectors.is_enabled("schedules")
    assert account.collectors.is_enabled("runs")


async def test_an_error_of_our_own_is_no_failure_of_the_api():
    account = Account()

    async def call() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await account.collectors.read("results", "b1", call)
    assert account.collectors.failures("results", "b1") == 0
    assert account.telemetry.collectors == {}


async def test_whether_anything_was_answered_since_a_moment():
    account = Account()
    assert not account.collectors.answered_since(0.0)
    await account.answer("usage")
    assert account.collectors.answered_since(999.0)
    assert not account.collectors.answered_since(1000.0)


# --- streaks ---
async def test_a_failure_says_how_often_in_a_row_and_what_answered_meanwhile():
    account = Account()
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


async def test_a_failure_says_whether_anything_answered_since_its_request_was_sent():
    account = Account()
    await account.answer("usage")

    async def wait() -> None:
        account.clock.at += 30

    async def answer_something() -> None:
        account.clock.at += 30
        await account.answer("usage")

    assert not (await account.fail("results", "b1", meanwhile=wait)).others_answered_since_sent
    failure = await account.fail("results", "b1", meanwhile=answer_something)
    assert failure.others_answered_since_sent


async def test_an_answer_ends_the_streak_of_its_item_only():
    account = Account()
    for item in ("b1", "b2"):
        await account.fail("results", item)
    await account.answer("results", "b1")
    assert account.collectors.failures("results", "b1") == 0
    assert account.collectors.failures("results", "b2") == 1
    assert account.collectors.due("results", "b1")
    assert not account.collectors.due("results", "b2")


async def test_the_failures_of_an_item_that_is_not_read_any_more_are_forgotten():
    account = Account()
    await account.fail("results", "b1")
    account.collectors.forget("results", "b1")
    account.collectors.forget("results", "never read")
    assert account.collectors.failures("results", "b1") == 0
    assert account.collectors.due("results", "b1")


async def test_at_most_so_many_streaks_are_remembered(monkeypatch):
    monkeypatch.setattr(module, "MOST_STREAKS", 3)
    account = Account()
    for number in range(5):
        await account.fail("results", f"b{number}")
    failures = [account.collectors.failures("results", f"b{number}") for number in range(5)]
    assert failures == [0, 0, 1, 1, 1]


async def test_one_page_of_several_ends_the_streak_of_a_batch_and_not_that_of_a_list():
    account = Account()
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
    account = Account()
    for tries in (1, 2, 3):
        await account.answer(collector, item, whole=False)
        failure = account.collectors.fail(collector, item, PAGES)
        assert (failure.tries, failure.error) == (tries, PAGES)
        assert not failure.others_answered_since_sent
        account.clock.at += 60
    account.collectors.complete(collector, item)
    assert account.collectors.failures(collector, item) == 0


async def test_after_another_failure_a_page_ends_the_streak_of_a_batch_again():
    account = Account()
    account.collectors.fail("results", "b1", PAGES)
    await account.fail("results", "b1")
    await account.answer("results", "b1", whole=False)
    assert account.collectors.failures("results", "b1") == 0


# --- back-off ---
async def test_an_item_backs_off_for_a_minute_doubling_up_to_an_hour():
    account = Account()
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
    account = Account()
    await account.fail_often(5, collector)
    assert account.collectors.due(collector)


# --- what says nothing about an item ---
@pytest.mark.parametrize("error", [NO_KEY, PAUSE])
async def test_a_refused_key_and_a_pause_teach_nothing_about_an_item(error):
    account = Account()
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
    account = Account()
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
    account = Account()
    await account.answer("summary")
    await account.fail_often(3, "usage")
    assert shown(account, "usage") == (False, "server")
    await account.fail("usage", "", PAUSE)
    assert shown(account, "usage") == (False, "throttled")
    await account.fail("summary", "", PAUSE)
    assert shown(account, "summary") == (True, "throttled")


# --- collectors ---
async def test_a_list_is_down_and_its_gauges_are_withdrawn_at_its_third_failure_in_a_row(logs):
    account = Account()
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
    account = Account()
    assert (await account.fail_often(3, "usage"))[-1] is Reach.COLLECTOR
    await account.break_down()
    assert (await account.fail("usage")).reach is Reach.ACCOUNT
    assert shown(account, "usage") == (False, "server")


async def test_a_collector_with_many_items_is_down_after_three_of_them_in_a_row():
    account = Account()
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


# --- refusals ---
async def test_a_list_is_forbidden_after_two_refusals_a_minute_apart(logs):
    account = Account()
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
    account = Account()
    for _ in range(3):
        assert (await account.fail("runs", "", REFUSED)).reach is Reach.ITEM
        account.clock.at += 30
        await account.answer("runs")
        account.clock.at += 60
    assert account.collectors.is_enabled("runs")


async def test_one_page_that_is_answered_shows_that_the_list_is_not_forbidden():
    account = Account()
    for _ in range(5):
        await account.answer("runs", whole=False)
        account.clock.at += 1
        assert (await account.fail("runs", "", REFUSED)).reach is Reach.ITEM
        account.clock.at += 60
    assert account.collectors.is_enabled("runs")


async def test_a_collector_with_many_items_is_forbidden_after_three_different_ones():
    account = Account()
    for item in ("b1", "b2"):
        await account.fail_often(5, "results", item, REFUSED)
    assert account.collectors.is_enabled("results")
    assert (await account.fail("results", "b3", REFUSED)).reach is Reach.ITEM
    account.clock.at += 60
    assert (await account.fail("results", "b3", REFUSED)).reach is Reach.COLLECTOR
    assert not account.collectors.is_enabled("results")


async def test_while_a_collector_is_forbidden_an_item_that_never_failed_is_tried_once_a_minute():
    account = Account()
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
    assert not Account("results").collectors.may_read("results", "b1")


async def test_one_item_that_answers_shows_that_the_others_refusals_are_their_own():
    account = Account()
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
    account = Account()
    await account.answer("summary")
    edge = EdgeRefused("runs", "firewall", code="403")
    assert (await account.fail_often(4, "runs", "", edge))[-1] is Reach.COLLECTOR
    assert account.collectors.is_enabled("runs")
    assert account.forbidden == []


@pytest.mark.parametrize(("seconds", "left"), [(600.0, 600.0), (1e9, FORBIDDEN_RETRY)])
async def test_what_an_earlier_process_learned_stays_forbidden_and_is_shown_as_down(seconds, left):
    account = Account("usage", forbidden={"runs": seconds, "usage": seconds})
    assert account.telemetry.collectors == {"runs": (False, "")}
    account.clock.at += left - 1
    assert not account.collectors.is_enabled("runs")
    account.clock.at += 1
    assert account.collectors.is_enabled("runs")


# --- the account ---
async def test_an_account_does_not_answer_once_both_lists_failed_and_nothing_answered(logs):
    account = Account()
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
    account = Account()
    for _ in range(5):
        for failing, answering in (("summary", "runs"), ("runs", "summary")):
            assert (await account.fail(failing)).reach is not Reach.ACCOUNT
            account.clock.at += 1
            await account.answer(answering)
            account.clock.at += 60


async def test_a_batch_that_failed_before_an_outage_is_judged_by_what_answered_since():
    account = Account()
    await account.fail("results", "b1")
    account.clock.at += 1
    await account.answer("usage")
    account.clock.at += 1
    await account.break_down()
    assert (await account.fail("results", "b1")).reach is Reach.ITEM
    assert (await account.fail("results", "b2")).reach is Reach.ACCOUNT


async def test_a_404_on_every_path_is_an_account_out_of_reach():
    account = Account()
    gone = NotFound("x", "gone", code="404")
    for collector in ("summary", "runs"):
        await account.fail(collector, "", gone)
    assert (await account.fail("results", "b1", gone)).reach is Reach.ACCOUNT


@pytest.mark.parametrize("off", [("summary",), ("summary", "runs")])
async def test_a_collector_that_is_the_only_one_read_must_fail_three_times(off):
    account = Account(*off)
    only = ("results", "b1") if "runs" in off else ("runs",)
    await account.answer(*only)
    account.clock.at += 1
    assert await account.fail_often(3, *only) == [Reach.ITEM, Reach.ITEM, Reach.ACCOUNT]
    assert account.collectors.up is False


async def test_without_lists_two_collectors_that_fail_are_the_account():
    account = Account("summary", "runs")
    assert (await account.fail("status", "b1")).reach is Reach.ITEM
    assert (await account.fail("results", "b1")).reach is Reach.ACCOUNT


async def test_recovery_lets_only_what_began_to_fail_in_the_outage_be_read_at_once():
    account = Account()
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
    account = Account()
    await account.fail("results", "b1")
    account.clock.at += 1
    await account.answer("summary")
    assert not account.collectors.due("results", "b1")


async def test_while_the_account_answers_nobody_waits():
    account = Account()
    async with asyncio.timeout(0):
        await account.collectors.wait_for_account()


class LoopClock:
    """A clock that runs with the virtual loop."""

    def now(self) -> float:
        return self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


async def test_in_an_outage_one_trial_a_minute_is_made_and_all_go_on_after_it():
    account = Account(clock=LoopClock())
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


# --- whatever happens ---
STEPS = st.tuples(
    st.sampled_from(["runs", "summary", "usage", "results", "status"]),
    st.sampled_from(["b1", "b2", "b3", "b4"]),
    st.sampled_from([None, FAILED, REFUSED, NO_KEY, PAUSE, RESET, PAGES]),
    st.integers(0, 4000),
)


@given(st.lists(STEPS, max_size=60))
def test_no_item_is_put_off_for_more_than_an_hour_and_every_answer_ends_its_streak(steps):
    async def check() -> None:
        account = Account()
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
