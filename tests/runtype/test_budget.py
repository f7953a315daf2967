import asyncio
import bisect

import pytest
import structlog
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtype_exporter.protocols import BudgetState
from runtype_exporter.runtype import Budget, Priority
from tests.runtype.conftest import Recorder, Store
from tests.support.virtual import VirtualClock, run

START = 1_780_000_000.0


def most_in_an_hour(times):
    return max(
        (bisect.bisect_right(times, at + 3600.0) - i for i, at in enumerate(times)), default=0
    )


class World:
    """A budget, the clocks it lives by, and when it granted."""

    def __init__(self, limit, store=None, telemetry=None):
        self.loop = asyncio.get_running_loop()
        self.clock = VirtualClock(self.loop, START)
        self.store = store or Store()
        self.telemetry = telemetry or Recorder()
        self.grants = []
        self.served = []
        self.tasks = []
        self.start(limit)

    def start(self, limit):
        self.limit = limit
        self.budget = Budget("acme", limit, self.store, self.clock, self.telemetry)

    async def _spend(self, priority):
        await self.budget.spend(priority)
        self.grants.append(self.loop.time())
        self.served.append(priority)

    def ask(self, count=1, priority=Priority.RUNNING):
        tasks = [asyncio.create_task(self._spend(priority)) for _ in range(count)]
        self.tasks += tasks
        return tasks

    def hear(self, verb, amount):
        """Let an answer, or a request that is not sent, change the budget."""
        if verb == "throttle":
            self.budget.throttle(amount)
        elif verb == "refuse":
            self.budget.refuse_key()
        elif verb == "accept":
            self.budget.key_accepted()
        # A request that is not sent gives its token back at once.
        elif self.grants and self.grants[-1] == self.loop.time():
            self.grants.pop()
            self.budget.refund()

    async def crash(self):
        """End the process: requests that wait are gone, and nothing is given back."""
        await self.cancel(self.tasks)
        self.budget._schedule(None)

    async def cancel(self, tasks):
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_a_new_account_may_burst_a_tenth_of_its_limit_and_then_gets_the_rest_evenly():
    async def scenario():
        world = World(1000)
        world.ask(1200)
        await asyncio.sleep(0)
        assert len(world.grants) == 100
        await asyncio.sleep(3602)
        assert len(world.grants) == 1000
        assert most_in_an_hour(world.grants) <= 1000
        await world.crash()

    run(scenario())


arrivals = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(1, 40)),
        st.tuples(st.just("wait"), st.floats(0.0, 4000.0)),
        st.tuples(st.just("cancel"), st.integers(1, 5)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("reload"), st.integers(1, 120)),
        st.tuples(st.just("throttle"), st.one_of(st.none(), st.floats(0.0, 600.0))),
        st.tuples(st.just("refuse"), st.just(0)),
        st.tuples(st.just("accept"), st.just(0)),
        st.tuples(st.just("refund"), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=250, deadline=None)
@given(
    limit=st.one_of(st.integers(1, 25), st.sampled_from([37, 40, 41, 99, 100, 250])), steps=arrivals
)
@example(limit=10, steps=[("ask", 12), ("wait", 400.0), ("refund", 0)])
@example(limit=100, steps=[("ask", 1), ("wait", 600.0), ("ask", 2), ("crash", 0), ("ask", 200)])
@example(
    limit=1, steps=[("ask", 9), ("wait", 4000.0), ("wait", 4000.0), ("crash", 0), ("wait", 4000.0)]
)
def test_no_hour_ever_holds_more_grants_than_the_limit_whatever_happens(limit, steps):
    async def scenario():
        world = World(limit)
        highest = limit
        for verb, amount in steps:
            if verb == "ask":
                world.ask(amount)
                await asyncio.sleep(0)
            elif verb == "wait":
                await asyncio.sleep(amount)
            elif verb == "cancel":
                await world.cancel(world.tasks[-amount:])
            elif verb in ("throttle", "refuse", "accept", "refund"):
                world.hear(verb, amount)
            else:
                if verb == "crash":
                    await world.crash()
                else:
                    await world.cancel(world.tasks)
                    world.budget.close()
                world.start(amount or world.limit)
                highest = max(highest, world.limit)
            assert world.budget.remaining <= max(1.0, world.limit / 10) + 1e-9
        await asyncio.sleep(7200)
        assert most_in_an_hour(world.grants) <= highest
        await world.crash()

    run(scenario())


@settings(max_examples=60, deadline=None)
@given(limit=st.integers(1, 60))
def test_everything_that_waits_is_served_in_the_end(limit):
    async def scenario():
        world = World(limit)
        world.ask(3 * limit)
        await asyncio.sleep(6.1 * 3600)
        assert len(world.grants) == 3 * limit
        assert most_in_an_hour(world.grants) <= limit

    run(scenario())


def test_tokens_are_withdrawn_from_the_store_in_blocks_before_they_are_used():
    async def scenario():
        world = World(1000)
        world.ask(25)
        await asyncio.sleep(0)
        assert world.store.saves == 3
        assert world.store.state == BudgetState(70.0, START, 0.0)
        assert world.budget.remaining == 75.0

    run(scenario())


def test_a_crash_forfeits_the_block_and_a_clean_close_gives_it_back():
    async def scenario():
        world = World(1000)
        world.ask(1)
        await asyncio.sleep(0)
        await world.crash()
        world.start(1000)
        assert world.budget.remaining == 90.0
        world.ask(1)
        await asyncio.sleep(0)
        world.budget.close()
        world.budget.close()
        world.start(1000)
        assert world.budget.remaining == 89.0

    run(scenario())


def test_a_crash_after_an_idle_time_does_not_find_the_bucket_full_again():
    async def scenario():
        world = World(1000)
        world.ask(1)
        await asyncio.sleep(1800)
        world.ask(9)
        await asyncio.sleep(0)
        await world.crash()
        world.start(1000)
        assert world.budget.remaining == 90.0

    run(scenario())


def test_time_between_two_processes_refills_the_bucket_but_never_above_its_capacity():
    async def scenario():
        world = World(1000, Store(BudgetState(10.0, START - 40.0)))
        assert world.budget.remaining == 20.0
        world.store.state = BudgetState(10.0, START - 1e9)
        world.start(1000)
        assert world.budget.remaining == 100.0

    run(scenario())


def test_a_wall_clock_that_jumps_grants_at_most_the_capacity():
    async def scenario():
        world = World(1000)
        world.ask(100)
        await asyncio.sleep(0)
        world.clock.jump(-86400.0)
        assert world.budget.remaining == 0.0
        world.clock.jump(10 * 86400.0)
        assert world.budget.remaining == 0.0
        world.budget.close()
        world.start(1000)
        assert world.budget.remaining == 0.0
        world.clock.jump(365 * 86400.0)
        world.start(1000)
        assert world.budget.remaining == 100.0
        world.ask(200)
        await asyncio.sleep(0)
        assert len(world.grants) == 200
        world.clock.jump(-400 * 86400.0)
        await world.crash()
        world.start(1000)
        assert world.budget.remaining == 0.0

    run(scenario())


def test_the_more_urgent_class_is_served_first():
    async def scenario():
        world = World(40)
        world.ask(4)
        await asyncio.sleep(0)
        for priority in (Priority.EXTRA, Priority.RUNNING, Priority.CLOSING, Priority.DISCOVERY):
            world.ask(1, priority)
        await asyncio.sleep(3600)
        assert world.served[4:] == [
            Priority.DISCOVERY,
            Priority.CLOSING,
            Priority.RUNNING,
            Priority.EXTRA,
        ]

    run(scenario())


def test_each_class_that_waits_gets_a_twentieth_of_the_grants():
    async def scenario():
        world = World(1000)
        for priority in Priority:
            world.ask(1000, priority)
        await asyncio.sleep(7202)
        # The first burst was over before the other classes asked.
        served = world.served[100:]
        assert len(served) == 1800
        for priority in (Priority.CLOSING, Priority.RUNNING, Priority.EXTRA):
            assert abs(served[:1000].count(priority) - 50) <= 1
            assert (
                min(served[start : start + 25].count(priority) for start in range(0, 900, 25)) >= 1
            )
        assert abs(served[:1000].count(Priority.DISCOVERY) - 850) <= 3

    run(scenario())


def test_within_a_class_the_first_to_ask_is_served_first():
    async def scenario():
        world = World(10)
        order = []

        async def spend(number):
            await world.budget.spend(Priority.EXTRA)
            order.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(spend(number))
        assert order == list(range(8))

    run(scenario())


def test_cancelling_one_who_waits_neither_costs_a_token_nor_holds_up_the_others():
    async def scenario():
        world = World(10)
        world.ask(1)
        await asyncio.sleep(0)
        first, second = world.ask(2)
        await asyncio.sleep(0)
        await world.cancel([first])
        await asyncio.sleep(400)
        assert second.done()
        assert len(world.grants) == 2
        assert world.budget.remaining == 0.0

    run(scenario())


def test_cancelling_one_who_was_granted_but_has_not_run_yet_gives_the_token_to_the_next():
    async def scenario():
        world = World(10)
        world.ask(1)
        await asyncio.sleep(0)
        first, second = world.ask(2)
        await asyncio.sleep(0)
        world.loop.advance(400.0)
        world.budget._serve()
        first.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert first.cancelled()
        assert world.grants == [0.0, 400.0]

    run(scenario())


def test_a_pause_holds_everyone_up_and_is_remembered_by_the_next_process():
    async def scenario():
        world = World(1000)
        world.budget.throttle(120)
        world.ask(3)
        await asyncio.sleep(60)
        await world.crash()
        assert world.grants == []
        world.start(1000)
        assert world.budget.paused_until == START + 120
        assert world.telemetry.pauses == [0.0, START + 120, START + 120]
        world.ask(3)
        await asyncio.sleep(3600)
        assert world.grants == [120.0, 120.0, 120.0]

    run(scenario())


def test_a_pause_is_believed_for_an_hour_at_most_also_by_the_next_process():
    async def scenario():
        world = World(1000)
        assert world.budget.throttle(86400) == 3600.0
        assert world.budget.paused_until == START + 3600
        world.store.state = BudgetState(100.0, START, START + 86400)
        world.start(1000)
        assert world.budget.paused_until == START + 3600
        world.ask(1)
        await asyncio.sleep(4000)
        assert world.grants == [3600.0]

    run(scenario())


def test_a_shorter_pause_does_not_end_a_longer_one():
    async def scenario():
        world = World(1000)
        assert world.budget.throttle(100) == 100.0
        assert world.budget.throttle(50) == 100.0
        assert world.budget.paused_until == START + 100
        assert world.telemetry.pauses == [0.0, START + 100]

    run(scenario())


def test_a_pause_lasts_at_least_1_2_4_up_to_60_seconds_whatever_the_answer_says():
    async def scenario():
        world = World(1000)
        for expected in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
            assert world.budget.throttle(0) == expected
            (task,) = world.ask()
            began = world.loop.time()
            await task
            assert world.loop.time() - began == pytest.approx(expected)
        await asyncio.sleep(600)
        assert world.budget.throttle(0) == 1.0

    run(scenario())


def test_an_answer_that_does_not_say_how_long_pauses_for_a_minute():
    async def scenario():
        world = World(1000)
        assert world.budget.throttle(None) == 60.0

    run(scenario())


def test_answers_to_requests_from_before_a_pause_do_not_lengthen_the_next_one():
    async def scenario():
        world = World(1000)
        world.budget.throttle(0)
        await asyncio.sleep(10)
        assert [world.budget.throttle(0, sent=0.5) for _ in range(3)] == [1.0] * 3
        await asyncio.sleep(1)
        assert world.budget.throttle(0) == 2.0

    run(scenario())


def test_a_pause_is_reported_once_however_many_answers_ask_for_it():
    async def scenario():
        world = World(1000)
        with structlog.testing.capture_logs() as logs:
            world.budget.throttle(100)
            world.budget.throttle(101)
        assert [(log["event"], log["seconds"]) for log in logs] == [
            ("the API asks for a pause", 100)
        ]

    run(scenario())


def test_a_pause_that_comes_while_others_wait_holds_them_up_too():
    async def scenario():
        world = World(10)
        world.ask(2)
        await asyncio.sleep(1)
        world.budget.throttle(1000)
        await asyncio.sleep(3600)
        assert world.grants == [0.0, 1001.0]

    run(scenario())


def test_a_pause_does_not_let_a_crash_find_more_tokens_than_there_were():
    async def scenario():
        world = World(1000)
        world.ask(1)
        await asyncio.sleep(1800)
        world.budget.throttle(10)
        await world.crash()
        world.start(1000)
        assert world.budget.remaining == 91.0

    run(scenario())


def test_a_store_that_cannot_remember_fails_the_one_who_asks_and_spends_nothing():
    async def scenario():
        world = World(1000)
        world.store.failure = OSError("disk full")
        first, second = world.ask(2)
        await asyncio.gather(first, second, return_exceptions=True)
        assert [str(task.exception()) for task in (first, second)] == ["disk full", "disk full"]
        assert world.budget.remaining == 100.0
        with pytest.raises(OSError, match="disk full"):
            world.budget.throttle(5)
        world.store.failure = None
        world.ask(1)
        await asyncio.sleep(60)
        assert world.grants == [5.0]

    run(scenario())


def test_one_who_is_cancelled_just_as_the_store_fails_leaves_no_trace():
    async def scenario():
        world = World(10)
        world.ask(1)
        await asyncio.sleep(0)
        (task,) = world.ask(1)
        await asyncio.sleep(0)
        world.store.failure = OSError("disk full")
        world.loop.advance(400.0)
        world.budget._serve()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert world.budget.remaining == 1.0

    run(scenario())


def test_a_closed_budget_turns_away_who_waits_and_who_comes():
    async def scenario():
        world = World(10)
        world.ask(1)
        await asyncio.sleep(0)
        waiting, cancelled = world.ask(2)
        await asyncio.sleep(0)
        cancelled.cancel()
        world.budget.close()
        with pytest.raises(RuntimeError, match="account acme: its request budget is closed"):
            await waiting
        with pytest.raises(RuntimeError, match="account acme: its request budget is closed"):
            await world.budget.spend(Priority.EXTRA)
        saves = world.store.saves
        world.budget.throttle(10)
        world.budget.refuse_key()
        assert world.store.saves == saves

    run(scenario())


def test_one_cancelled_between_its_grant_and_the_close_forfeits_its_token_only():
    async def scenario():
        world = World(10)
        world.ask(1)
        await asyncio.sleep(0)
        (task,) = world.ask(1)
        await asyncio.sleep(0)
        world.loop.advance(600.0)
        world.budget._serve()
        task.cancel()
        world.budget.close()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert world.store.state == BudgetState(0.0, START + 600.0)

    run(scenario())


def test_a_smaller_limit_after_a_reload_takes_over_what_is_left():
    async def scenario():
        world = World(1000)
        world.ask(95)
        await asyncio.sleep(0)
        world.budget.close()
        world.start(20)
        assert world.budget.remaining == 2.0
        world.budget.close()
        world.start(2000)
        assert world.budget.remaining == 2.0

    run(scenario())


def test_what_is_left_is_reported_whenever_it_changes():
    async def scenario():
        world = World(1000)
        world.ask(2)
        await asyncio.sleep(0)
        assert world.telemetry.budgets == [
            ("acme", 1000, 100.0),
            ("acme", 1000, 99.0),
            ("acme", 1000, 98.0),
        ]

    run(scenario())


def test_a_limit_below_one_is_refused():
    async def scenario():
        with pytest.raises(
            ValueError, match="account acme: requests_per_hour must be at least 1, not 0"
        ):
            World(0)

    run(scenario())


def test_a_refused_key_lets_one_request_a_minute_through_until_it_is_accepted():
    async def scenario():
        world = World(1000)
        with structlog.testing.capture_logs() as logs:
            world.budget.refuse_key()
            world.budget.refuse_key()
            assert world.budget.key_refused
            world.ask(10)
            await asyncio.sleep(200)
            assert world.grants == pytest.approx([60.0, 120.0, 180.0])
            world.budget.key_accepted()
            world.budget.key_accepted()
            await asyncio.sleep(0)
        assert not world.budget.key_refused
        assert world.grants[3:] == pytest.approx([200.0] * 7)
        assert [(log["log_level"], log["event"]) for log in logs] == [
            ("warning", "the API key is refused; one request a minute tries it again"),
            ("info", "the API key is no longer refused"),
        ]

    run(scenario())


def test_a_refused_key_is_neither_a_pause_of_the_api_nor_stored():
    async def scenario():
        world = World(1000)
        world.budget.refuse_key()
        assert (world.budget.paused_until, world.store.state) == (0.0, None)
        assert world.telemetry.pauses == [0.0]
        world.start(1000)
        assert not world.budget.key_refused
        world.ask(1)
        await asyncio.sleep(0)
        assert world.grants == [0.0]

    run(scenario())


def test_a_trial_waits_for_a_pause_of_the_api_too():
    async def scenario():
        world = World(1000)
        world.budget.refuse_key()
        world.budget.throttle(100)
        world.ask(2)
        await asyncio.sleep(300)
        assert world.grants == pytest.approx([100.0, 160.0])

    run(scenario())


def test_a_key_that_has_changed_is_noticed_while_requests_wait():
    async def scenario():
        world = World(1000)
        changed = False
        world.budget.refuse_key(lambda: changed)
        world.ask(5)
        await asyncio.sleep(7)
        assert world.grants == []
        changed = True
        await asyncio.sleep(7)
        assert world.grants == pytest.approx([10.0] * 5)
        assert not world.budget.key_refused

    run(scenario())


def test_a_request_that_was_not_sent_costs_nothing_and_serves_the_next():
    async def scenario():
        world = World(10)
        world.ask(2)
        await asyncio.sleep(0)
        assert world.grants == [0.0]
        world.budget.refund()
        await asyncio.sleep(0)
        assert world.grants == [0.0, 0.0]
        assert world.budget.remaining == 0.0

    run(scenario())
