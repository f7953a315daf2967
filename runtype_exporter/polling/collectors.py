"""The collectors of one account: which may be read, what their reads showed, and when to try again.

Every read of the API goes through `Collectors.read`. It keeps the evidence for the judge of
failures, and the back-off of each item.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.limits import HOUR, MINUTE, SHORTEST_TIMER
from runtype_exporter.polling.failures import (
    FAILURES_TO_WITHDRAW,
    NO_EVIDENCE,
    Evidence,
    Reach,
    ReadFailed,
    judge,
)
from runtype_exporter.polling.streaks import CollectorState, Streak, after, back_off
from runtype_exporter.protocols import Telemetry, ignore
from runtype_exporter.runtype import (
    ApiError,
    Forbidden,
    NetworkError,
    PagingError,
    Throttled,
    Unauthorised,
)

LISTS: Final = frozenset({"schedules", "summary", "runs", "usage", "sparklines"})
"""The collectors with one item each. They are read at their interval and do not back off."""
CYCLE_LISTS: Final = frozenset({"summary", "runs"})
"""The lists that each cycle reads."""
FORBIDDEN_RETRY: Final = HOUR
"""A forbidden collector is tried again after this time, in seconds."""
TRIAL_INTERVAL: Final = MINUTE
"""While an account does not answer, or a collector is forbidden, one item is tried in this time."""
MOST_STREAKS: Final = 50_000
"""The failures of at most so many items are remembered."""

ReadT = TypeVar("ReadT")

_log = structlog.get_logger()


@dataclass(slots=True)
class Collectors:
    """The collectors of one account.

    `off` are those that the configuration switches off. `forbidden` has the seconds for which a
    collector stays forbidden, as an earlier process learned it.
    """

    account: str
    off: Collection[str]
    telemetry: Telemetry
    clock: Clock
    forbidden: Mapping[str, float] = field(default_factory=dict)
    withdraw: Callable[[str], None] = ignore
    """Called with each collector whose gauges are too old to be shown."""
    on_forbidden: Callable[[str, float], None] = ignore
    """Called when it changes for how many seconds a collector is forbidden; 0 if it is not."""
    confirm_refusals: bool = True
    """Whether a refusal (403) must come twice to count."""
    last_failure: str = field(default="", init=False)
    """The text of the last failure, "" after an answer of the same collector."""
    key_refused: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set while the last read was refused because of the key."""
    _states: dict[str, CollectorState] = field(default_factory=dict, init=False)
    _streaks: dict[tuple[str, str], Streak] = field(default_factory=dict, init=False)
    _answered: float | None = field(default=None, init=False)
    """When anything was last answered."""
    _failing: dict[str, float] = field(default_factory=dict, init=False)
    """The collectors that failed since then, with their first failure."""
    _unreachable_since: float | None = field(default=None, init=False)
    _next_trial: float = field(default=0.0, init=False)
    _reachable: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        """Take over what an earlier process learned."""
        self._reachable.set()
        now = self.clock.monotonic()
        for collector, seconds in self.forbidden.items():
            self._state(collector).forbidden_until = now + min(seconds, FORBIDDEN_RETRY)
            if collector not in self.off:
                # It is not read for a while, and must not be shown as one that works.
                self._show(collector, up=False, failure="")

    @property
    def up(self) -> bool | None:
        """Whether the API answers and accepts the key, None before the first read ended."""
        if self._unreachable_since is not None or self.key_refused.is_set():
            return False
        return True if self._answered is not None else None

    def is_enabled(self, collector: str) -> bool:
        """Return whether a collector is configured and not forbidden."""
        return (
            collector not in self.off
            and self.clock.monotonic() >= self._state(collector).forbidden_until
        )

    def may_read(self, collector: str, item: str) -> bool:
        """Return whether an item may be read: its collector is enabled, or the read is a trial.

        The items that made a collector forbidden may be refused for what they are. So one that
        never failed is tried, at most one in a minute.
        """
        return self.is_enabled(collector) or (
            collector not in self.off
            and (collector, item) not in self._streaks
            and self.clock.monotonic() >= self._state(collector).next_trial
        )

    def due(self, collector: str, item: str = "") -> bool:
        """Return whether an item may be read now: it does not back off.

        What began to fail with the account is always due: it may be the only item to try.
        """
        streak, since = self._streaks.get((collector, item)), self._unreachable_since
        if streak is None or (since is not None and streak.first >= since):
            return True
        return self.clock.monotonic() >= streak.retry_at

    def next_try(self, collector: str, item: str = "") -> float | None:
        """Return when an item that failed is tried again, in monotonic seconds, else None."""
        streak = self._streaks.get((collector, item))
        return None if streak is None else streak.retry_at

    def failures(self, collector: str, item: str = "") -> int:
        """Return how many reads of an item failed in a row, in this process."""
        streak = self._streaks.get((collector, item))
        return 0 if streak is None else streak.tries

    def answered_since(self, moment: float) -> bool:
        """Return whether anything of the account was answered after a monotonic moment."""
        return after(self._answered, moment)

    def forget(self, collector: str, item: str) -> None:
        """Forget the failures of an item that is not read any more."""
        self._streaks.pop((collector, item), None)
        self._state(collector).failed_items.discard(item)

    async def wait_for_account(self) -> None:
        """Return once an item may be read: the account answers, or a trial is due.

        While the account does not answer, one caller in a minute returns.
        """
        while not self._reachable.is_set():
            now = self.clock.monotonic()
            if now >= self._next_trial:
                self._next_trial = now + TRIAL_INTERVAL
                return
            try:
                async with asyncio.timeout(max(SHORTEST_TIMER, self._next_trial - now)):
                    await self._reachable.wait()
            except TimeoutError:
                continue

    async def read(
        self,
        collector: str,
        item: str,
        call: Callable[[], Awaitable[ReadT]],
        *,
        whole: bool = True,
    ) -> ReadT:
        """Return the answer of `call`. Record what it shows of the collector and the account.

        With `whole` false the answer is one page of several: call `complete` after the last one.

        Raises:
            ReadFailed: the read failed; the item backs off unless it is a list.
        """
        try:
            answer = await call()
        except ApiError as error:
            failure = self.fail(collector, item, error)
        else:
            self._record_answer(collector)
            streak = self._streaks.get((collector, item))
            progress = collector not in LISTS and streak is not None and not streak.is_paging
            if whole or progress:
                self.complete(collector, item)
            return answer
        # Raised here, so that the error does not carry the request as its context.
        raise failure

    def complete(self, collector: str, item: str = "") -> None:
        """Record that an item was read to its end: its failures are over."""
        self._streaks.pop((collector, item), None)
        self._state(collector).failed_items.clear()
        self._show(collector, up=True, failure="")

    def _record_answer(self, collector: str) -> None:
        state = self._state(collector)
        if state.forbidden_until:
            state.forbidden_until = 0.0
            self.on_forbidden(collector, 0.0)
        state.answered = self._answered = self.clock.monotonic()
        self._failing.clear()
        self.key_refused.clear()
        self.last_failure = ""
        self._recover()

    def fail(self, collector: str, item: str, error: ApiError) -> ReadFailed:
        """Record a failure, and return it with its reach."""
        now = self.clock.monotonic()
        state = self._state(collector)
        if isinstance(error, Unauthorised):
            self.key_refused.set()
            # Not after the cycle, which may wait for the next try of the key.
            self.telemetry.up(self.account, up=False)
        elif not isinstance(error, NetworkError):
            # Without an answer it is not known whether the key is accepted now.
            self.key_refused.clear()
        self.last_failure = str(error)
        if isinstance(error, Unauthorised | Throttled):
            # The budget pauses. Nothing is learned about the item.
            self._report(collector, error, up=state.up and not isinstance(error, Unauthorised))
            return ReadFailed(error, judge(error, NO_EVIDENCE), (collector, item))
        streak = self._streaks.setdefault((collector, item), Streak(first=now, last=now))
        streak.is_paging = isinstance(error, PagingError)
        elapsed, before = now - streak.last, streak.last
        streak.last, streak.tries = now, streak.tries + 1
        self._failing.setdefault(collector, now)
        state.failed_items.add(item)
        if isinstance(error, Forbidden):
            streak.refuse(now, state.answered, at_once=not self.confirm_refusals)
        reach = judge(
            error,
            Evidence(
                is_list=collector in LISTS,
                tries=streak.tries,
                account_silent=self._is_silent(streak),
                refused_items=self._refused_items(collector, state),
            ),
        )
        if collector not in LISTS:
            streak.retry_at = now + back_off(streak.tries)
        self._act(reach, collector, error, now)
        is_down = (
            reach is Reach.COLLECTOR
            or (collector in LISTS and streak.tries >= FAILURES_TO_WITHDRAW)
            or len(state.failed_items) >= FAILURES_TO_WITHDRAW
        )
        self._report(collector, error, up=not is_down)
        if len(self._streaks) > MOST_STREAKS:
            del self._streaks[next(iter(self._streaks))]
        return ReadFailed(
            error,
            reach,
            (collector, item),
            tries=streak.tries,
            elapsed=elapsed,
            others_answered=after(self._answered, before),
            same_read_answered=after(state.answered, before),
        )

    def _act(self, reach: Reach, collector: str, error: ApiError, now: float) -> None:
        """Carry out what a failure means beyond its item."""
        if reach is Reach.ACCOUNT:
            self._suspend(now, error)
        elif reach is Reach.COLLECTOR and isinstance(error, Forbidden):
            state = self._state(collector)
            state.next_trial = now + TRIAL_INTERVAL
            if now >= state.forbidden_until:
                self._forbid(collector, error)

    def _forbid(self, collector: str, error: ApiError) -> None:
        self._state(collector).forbidden_until = self.clock.monotonic() + FORBIDDEN_RETRY
        self.on_forbidden(collector, FORBIDDEN_RETRY)
        _log.warning(
            "collector forbidden, asked again in an hour",
            account=self.account,
            collector=collector,
            error=str(error),
        )

    def _report(self, collector: str, error: ApiError, *, up: bool) -> None:
        # The reads of single items log their own failures.
        if collector in LISTS and not isinstance(error, Forbidden):
            _log.warning(
                "read failed",
                account=self.account,
                collector=collector,
                reason=error.reason,
                error=str(error),
            )
        self._show(collector, up=up, failure=error.reason)
        if not up and collector in LISTS:
            self.withdraw(collector)

    def _show(self, collector: str, *, up: bool, failure: str) -> None:
        self._state(collector).up = up
        self.telemetry.collector(self.account, collector, up=up, failure=failure)

    def _refused_items(self, collector: str, state: CollectorState) -> int:
        """Return how many items were refused twice since the collector last answered."""
        streaks = (self._streaks.get((collector, name)) for name in state.failed_items)
        return sum(streak is not None and streak.refused_twice for streak in streaks)

    def _is_silent(self, streak: Streak) -> bool:
        """Return whether nothing answered since a streak began, and the lists fail as well.

        If nothing but one collector fails, one failure is not enough: it may be the only one that
        is read.
        """
        lists = {name for name in CYCLE_LISTS if self.is_enabled(name)}
        return (
            not after(self._answered, streak.first)
            and lists <= self._failing.keys()
            and (len(self._failing) > 1 or streak.tries >= FAILURES_TO_WITHDRAW)
        )

    def _suspend(self, now: float, error: ApiError) -> None:
        if self._unreachable_since is None:
            self._unreachable_since = min(self._failing.values(), default=now)
            self._next_trial = now + TRIAL_INTERVAL
            self._reachable.clear()
            _log.warning("the account does not answer", account=self.account, error=str(error))

    def _recover(self) -> None:
        """End a time without answers: what began to fail in it may be read at once."""
        if self._unreachable_since is None:
            return
        since, self._unreachable_since = self._unreachable_since, None
        for streak in self._streaks.values():
            if streak.first >= since:
                streak.retry_at = 0.0
        self._reachable.set()
        _log.info("the account answers again", account=self.account)

    def _state(self, collector: str) -> CollectorState:
        return self._states.setdefault(collector, CollectorState())
