"""The collectors of one account, with reads that answer or fail as a test says."""

from __future__ import annotations

import pytest

from runtype_exporter.polling.collectors import Collectors
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.runtype import (
    ApiError,
    Forbidden,
    NetworkError,
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


class AccountReads:
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

    async def fail(self, collector: str, item: str = "", error: ApiError = FAILED) -> ReadFailed:
        async def call() -> None:
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


def shown(account: AccountReads, collector: str) -> tuple[bool, str]:
    return account.telemetry.collectors[collector]
