"""The state of each collector: enabled or off, forbidden by the key's scopes, or failing.

A collector that is missing does not stop the others. Here it is decided what a failure of one read
means for the rest of a cycle.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.polling.timers import WallClockTimer
from runtype_exporter.protocols import Telemetry, ignore
from runtype_exporter.runtype import ApiError, Forbidden, NetworkError, Throttled, Unauthorised

FORBIDDEN_RETRY = 3600.0
"""A collector that the key's scopes forbid is tried again after this time, in seconds."""
FAILURES_TO_WITHDRAW = 3
"""After so many failures in a row the gauges of a collector are withdrawn."""

_log = structlog.get_logger()


@dataclass(slots=True)
class _CollectorState:
    failures: int = 0
    forbidden: WallClockTimer = field(default_factory=WallClockTimer)
    answered: bool = False


@dataclass(slots=True)
class CollectorStates:
    """The collectors of one account by name.

    `off` are those that the configuration switches off.
    """

    account: str
    off: Collection[str]
    telemetry: Telemetry
    clock: Clock
    withdraw: Callable[[str], None] = ignore
    """Called with each collector whose gauges are too old to be shown."""
    asked: bool = field(default=False, init=False)
    """Whether this cycle sent any request."""
    reached: bool = field(default=False, init=False)
    """Whether the API answered in this cycle."""
    failure: str = field(default="", init=False)
    """The reason of the first failure in this cycle, "" for none."""
    _states: dict[str, _CollectorState] = field(default_factory=dict, init=False)

    def start_cycle(self) -> None:
        """Reset what is known of the last cycle."""
        self.asked = self.reached = False
        self.failure = ""

    def is_enabled(self, name: str) -> bool:
        """Return whether the collector may be read now."""
        return name not in self.off and self._state(name).forbidden.over(self.clock.now())

    def never_answered(self, name: str) -> bool:
        """Return whether it is worth waiting for the first answer of the collector.

        True if it is enabled, has never answered and has failed fewer than 3 times in a row.
        """
        state = self._state(name)
        return (
            self.is_enabled(name) and not state.answered and state.failures < FAILURES_TO_WITHDRAW
        )

    async def read(self, name: str, reader: Callable[[], Awaitable[None]]) -> bool:
        """Run `reader` if the collector is enabled. Return whether it was answered.

        Raises:
            ApiError: no other request makes sense now: the key is refused, the account is
                throttled, or the API cannot be reached.
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
        """Run `reader` outside of the cycles, if the collector is enabled.

        A failure is returned and does not count as a failure of the cycle.
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
        """Record that the collector works."""
        state = self._state(name)
        state.failures = 0
        state.answered = True
        self.telemetry.collector(self.account, name, up=True, failure="")

    def forbid(self, name: str, error: ApiError) -> None:
        """Disable the collector for an hour, because the key's scopes do not cover it."""
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
        """Record a failure that concerns one item only.

        Raises:
            ApiError: the given error, if nothing was answered in this cycle, since the whole API
                may be down then.
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
