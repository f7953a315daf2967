"""The request budget of one account.

It never grants more than its limit in any hour, restarts included, and lets no kind of work starve.

It is a token bucket whose capacity (10 % of the limit) and hourly refill (90 %) add up to the
limit. Tokens are withdrawn from the store in small blocks before they are used, so a crash loses a
block and never doubles one.

Inside the process, time is that of the event loop. The wall clock is used only for the gap between
two processes, where a jump grants at most the capacity.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import Final

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.limits import HOUR, SHORTEST_TIMER
from runtype_exporter.protocols import BudgetState, BudgetStore, Telemetry
from runtype_exporter.runtype.pauses import MAX_PAUSE, KeyRefusal, Throttle

KEY_CHECK: Final = 5.0
"""How often a refused key is compared with the present one while requests wait, seconds."""
CAPACITY_SHARE: Final = 0.1
_LARGEST_BLOCK: Final = 10
GUARANTEE: Final = 20
"""A class that waits gets at least one grant in this many."""

_log = structlog.get_logger()


class Priority(IntEnum):
    """What a request is for: a lower number is served sooner."""

    DISCOVERY = 0
    CLOSING = 1
    RUNNING = 2
    EXTRA = 3


class Budget:
    """One account's budget. It must be made, used and closed inside one running event loop.

    A new budget over the same store takes over from a closed one, also with another limit, and
    never grants more than the larger of the two limits allows.
    """

    def __init__(
        self,
        account: str,
        limit_per_hour: int,
        store: BudgetStore,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        """Load what the store remembers; a new account starts with a full bucket.

        Raises:
            ValueError: the limit is below 1.
        """
        if limit_per_hour < 1:
            raise ValueError(
                f"account {account}: requests_per_hour must be at least 1, not {limit_per_hour}"
            )
        self._account = account
        self._limit = limit_per_hour
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._capacity = max(1.0, limit_per_hour * CAPACITY_SHARE)
        # With a limit of 1 nothing would be left to refill; so short of a whole token, one takes a
        # little over an hour to come back.
        self._rate = max(limit_per_hour - self._capacity, 0.99) / HOUR
        self._block = min(_LARGEST_BLOCK, math.ceil(self._capacity / 4))
        self._reserved = 0
        self._waiting: dict[Priority, deque[asyncio.Future[None]]] = {
            priority: deque() for priority in Priority
        }
        self._credit = dict.fromkeys(Priority, 0)
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time()
        now = clock.now()
        state = store.load_budget(account) or BudgetState(self._capacity, now)
        self._tokens = min(
            self._capacity, max(0.0, state.tokens) + self._rate * max(0.0, now - state.at)
        )
        pause = min(state.paused_until - now, MAX_PAUSE)
        self._paused_until = now + pause if pause > 0 else state.paused_until
        self._throttle = Throttle(self._at + pause)
        self._key = KeyRefusal()
        self._key_has_changed: Callable[[], bool] = _unknown
        telemetry.budget(account, limit_per_hour, self.remaining)
        telemetry.throttled(account, self._paused_until)

    @property
    def remaining(self) -> float:
        """Return how many requests could be sent at once if there were no pause."""
        return min(self._capacity, self._level() + self._reserved)

    @property
    def paused_until(self) -> float:
        """Return until when the API asked for a pause, seconds since the epoch; 0 for never."""
        return self._paused_until

    @property
    def key_refused(self) -> bool:
        """Return whether the API refused the key and nothing has been heard since."""
        return self._key.refused

    async def spend(self, priority: Priority) -> None:
        """Wait until one request may be sent, and spend it.

        Raises:
            RuntimeError: the budget is closed.
            Exception: the store failed; nothing is spent then.
        """
        if self._closed:
            raise self._closed_error()
        granted: asyncio.Future[None] = self._loop.create_future()
        self._waiting[priority].append(granted)
        self._serve()
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                self.refund()
            raise

    def refund(self) -> None:
        """Take back a request that was granted just now and is not sent."""
        self._reserved += 1
        self._serve()

    def throttle(self, retry_after: float | None, *, sent: float | None = None) -> float:
        """Grant nothing for the seconds that an answer asks for, and at least 1, 2, 4 … 60 s.

        At most an hour is believed. The pause is stored; a longer one that is already in force
        stays. After ten minutes without a pause the next one may be short again.

        Args:
            retry_after: the seconds, None if the answer does not say how long.
            sent: when the request was sent, by the loop's time; by default just now.

        Returns:
            The seconds until requests are granted again.

        Raises:
            Exception: the store failed; this process pauses all the same.
        """
        loop_now = self._loop.time()
        before = self._throttle.until
        self._throttle.pause(retry_after, sent=loop_now if sent is None else sent, now=loop_now)
        seconds = self._throttle.until - loop_now
        if self._throttle.until > before:
            # Requests that were under way together get the same answer; only the first is logged.
            if loop_now >= before:
                _log.warning(
                    "the API asks for a pause", account=self._account, seconds=round(seconds)
                )
            self._paused_until = self._clock.now() + seconds
            self._telemetry.throttled(self._account, self._paused_until)
            self._serve()
            if not self._closed:
                self._keep(min(self._level(), self._capacity - self._reserved))
        return seconds

    def refuse_key(self, has_changed: Callable[[], bool] | None = None) -> None:
        """Grant nothing for a minute, and then one request a minute until the key is accepted.

        It is not stored. While requests wait, `has_changed` is asked now and then whether the key
        is another one by now, which ends the pause.
        """
        if not self._key.refused:
            _log.warning(
                "the API key is refused; one request a minute tries it again",
                account=self._account,
            )
        self._key.refuse(self._loop.time())
        self._key_has_changed = has_changed or _unknown
        self._serve()

    def key_accepted(self) -> None:
        """Record an answer that does not refuse the key."""
        if self._key.refused:
            self._key.accept()
            _log.info("the API key is no longer refused", account=self._account)
            self._serve()

    def close(self) -> None:
        """Give back what is reserved and fail all requests that still wait.

        Raises:
            Exception: the store failed; the reserved block is lost then.
        """
        if self._closed:
            return
        self._closed = True
        self._schedule(None)
        for granted in (
            granted
            for waiting in self._waiting.values()
            for granted in waiting
            if not granted.done()
        ):
            granted.set_exception(self._closed_error())
        self._keep(self.remaining)
        self._reserved = 0

    def _level(self) -> float:
        """Return the tokens in the bucket without the reserved ones.

        The result may be above the capacity.
        """
        return self._tokens + self._rate * (self._loop.time() - self._at)

    def _serve(self) -> None:
        """Grant what can be granted now, and set a timer for the next grant."""
        self._schedule(None)
        if self._closed:
            return
        while (priority := self._next()) is not None:
            if self._key.refused and self._key_has_changed():
                self._key.accept()
            delay = self._delay()
            if delay > 0:
                self._schedule(min(delay, KEY_CHECK) if self._key.refused else delay)
                break
            granted = self._waiting[priority].popleft()
            try:
                self._withdraw()
            # An error of the store goes to the request that waited; the other requests go on.
            except Exception as error:  # noqa: BLE001
                granted.set_exception(error)
                continue
            granted.set_result(None)
            self._key.granted(self._loop.time())
            self._credit_others(priority)
        self._telemetry.budget(self._account, self._limit, self.remaining)

    def _next(self) -> Priority | None:
        """Return the class that is served next, None if nothing waits.

        It is the most urgent class, unless another one has waited for its guaranteed share.
        """
        for waiting in self._waiting.values():
            while waiting and waiting[0].done():
                waiting.popleft()
        present = [priority for priority, waiting in self._waiting.items() if waiting]
        if not present:
            return None
        overdue = max(present, key=self._credit.__getitem__)
        return overdue if self._credit[overdue] >= GUARANTEE - 1 else present[0]

    def _credit_others(self, served: Priority) -> None:
        for priority, waiting in self._waiting.items():
            if waiting and priority is not served:
                self._credit[priority] += 1
        self._credit[served] = max(0, self._credit[served] - (GUARANTEE - 1))

    def _delay(self) -> float:
        """Return the seconds until one request may be granted; 0 or less means now."""
        shortage = (1.0 - self.remaining) / self._rate
        now = self._loop.time()
        return max(shortage, self._throttle.until - now, self._key.wait(now))

    def _withdraw(self) -> None:
        """Take one token, reserving a new block in the store where there is none left.

        Reserved tokens count in the capacity. Where the refill would overflow it, a new block is
        reserved as well: otherwise a crash right after would find in the store a bucket that has
        filled up in the meantime, as if the tokens just spent were still there.
        """
        level = self._level()
        if self._reserved == 0 or level + self._reserved > self._capacity:
            whole = min(self._capacity, level + self._reserved)
            block = min(self._block, int(whole))
            self._keep(whole - block)
            self._reserved = block
        self._reserved -= 1

    def _keep(self, tokens: float) -> None:
        self._store.save_budget(
            self._account, BudgetState(tokens, self._clock.now(), self._paused_until)
        )
        self._tokens = tokens
        self._at = self._loop.time()

    def _schedule(self, delay: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = (
            None
            if delay is None
            else self._loop.call_later(max(delay, SHORTEST_TIMER), self._serve)
        )

    def _closed_error(self) -> RuntimeError:
        return RuntimeError(f"account {self._account}: its request budget is closed")


def _unknown() -> bool:
    """Return that nothing is known of another key."""
    return False
