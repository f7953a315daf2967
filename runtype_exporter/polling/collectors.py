"""The reads of an account that can be missing without stopping the others.

Switched off, forbidden by the key's scopes, or failing.

It decides what a failure of one read means for the rest of a cycle; it must not know what the reads
are for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.polling.timers import WallClockTimer
from runtype_exporter.protocols import Telemetry
from runtype_exporter.runtype import ApiError, Forbidden, NetworkError, Throttled, Unauthorised

FORBIDDEN_RETRY = 3600.0
"""A read that the key's scopes forbid is asked again after this long, seconds."""
FAILURES_TO_WITHDRAW = 3

_log = structlog.get_logger()


def _nothing(_: str) -> None:
    """Hear and do nothing."""


@dataclass(slots=True)
class _CollectorState:
    failures: int = 0
    forbidden: WallClockTimer = field(default_factory=WallClockTimer)
    answered: bool = False


@dataclass(slots=True)
class CollectorStates:
    """One account's reads by name. `off` are those that the configuration switches off."""

    account: str
    off: Collection[str]
    telemetry: Telemetry
    clock: Clock
    withdraw: Callable[[str], None] = _nothing
    """Hears of each read whose gauges are no longer to be trusted."""
    asked: bool = field(default=False, init=False)
    """Whether this cycle asked for anything."""
    reached: bool = field(default=False, init=False)
    """Whether this cycle met an API that answers."""
    failure: str = field(default="", init=False)
    """The reason of this cycle's first failure, "" for none."""
    _states: dict[str, _CollectorState] = field(default_factory=dict, init=False)

    def start_cycle(self) -> None:
        """Forget what the cycle before met."""
        self.asked = self.reached = False
        self.failure = ""

    def is_enabled(self, name: str) -> bool:
        """Whether the read may be asked now."""
        return name not in self.off and self._state(name).forbidden.over(self.clock.now())

    def never_answered(self, name: str) -> bool:
        """Whether the read may still tell what it has never told.

        It is asked, has not answered yet and has not failed too often.
        """
        state = self._state(name)
        return (
            self.is_enabled(name) and not state.answered and state.failures < FAILURES_TO_WITHDRAW
        )

    async def read(self, name: str, reader: Callable[[], Awaitable[None]]) -> bool:
        """Ask, if that is open. Whether it answered.

        Raises:
            ApiError: of the kinds that leave no sense in asking for anything else now:
                unauthorised, throttled, unreachable.
        """
        if not self.is_enabled(name):
            return False
        self.asked = True
        try:
            await reader()
        except ApiError as error:
            self._failed(name, error)
            if isinstance(error, Unauthorised | Throttled | NetworkError):
                raise
            return False
        self.reached = True
        self.record_answer(name)
        return True

    async def read_in_background(
        self, name: str, reader: Callable[[], Awaitable[None]]
    ) -> ApiError | None:
        """Ask beside the cycles, if that is open.

        A failure, which is handed back, is none of a cycle's.
        """
        if not self.is_enabled(name):
            return None
        try:
            await reader()
        except ApiError as error:
            self._count(name, error)
            return error
        self.record_answer(name)
        return None

    def record_answer(self, name: str) -> None:
        """The read works."""
        state = self._state(name)
        state.failures = 0
        state.answered = True
        self.telemetry.collector(self.account, name, up=True, failure="")

    def forbid(self, name: str, error: ApiError) -> None:
        """The key's scopes do not cover the read: leave it alone for an hour."""
        now = self.clock.now()
        self._state(name).forbidden = WallClockTimer(now, now + FORBIDDEN_RETRY)
        self._report(name, error, up=False)
        _log.warning(
            "collector forbidden, asked again in an hour",
            account=self.account,
            collector=name,
            error=str(error),
        )

    def record_single_failure(self, name: str, error: ApiError) -> None:
        """A read failed for one thing.

        That is no failure of the cycle, unless nothing else has answered.

        Raises:
            ApiError: the very error, if this may be everybody's failure.
        """
        if not self.reached:
            raise error
        self.telemetry.collector(self.account, name, up=True, failure=error.reason)

    def _failed(self, name: str, error: ApiError) -> None:
        self._count(name, error)
        self.reached = self.reached or isinstance(error, Forbidden | Throttled)
        self.failure = self.failure or error.reason

    def _count(self, name: str, error: ApiError) -> None:
        state = self._state(name)
        state.failures += 1
        if isinstance(error, Forbidden):
            self.forbid(name, error)
        else:
            _log.warning(
                "read failed",
                account=self.account,
                collector=name,
                reason=error.reason,
                error=str(error),
            )
            self._report(name, error, up=state.failures < FAILURES_TO_WITHDRAW)

    def _report(self, name: str, error: ApiError, *, up: bool) -> None:
        self.telemetry.collector(self.account, name, up=up, failure=error.reason)
        if not up:
            self.withdraw(name)

    def _state(self, name: str) -> _CollectorState:
        return self._states.setdefault(name, _CollectorState())
