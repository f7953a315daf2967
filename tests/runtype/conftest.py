"""Test doubles: a budget store in memory, a telemetry that records, an API without a network."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from runtype_exporter.protocols import Attempt, BudgetState
from runtype_exporter.runtype import ApiTime, Budget, Client, Exchange
from tests.support.virtual import VirtualClock

START = 1_780_000_000.0
KEY = "rt_live_KEY-MARK"
SUMMARY = {"batches": [], "recent": []}


class Store:
    """Remembers budgets; `failure` makes it fail."""

    def __init__(self, state: BudgetState | None = None) -> None:
        self.state = state
        self.saves = 0
        self.failure: Exception | None = None

    def load_budget(self, account: str) -> BudgetState | None:
        return self.state

    def save_budget(self, account: str, state: BudgetState) -> None:
        if self.failure is not None:
            raise self.failure
        self.saves += 1
        self.state = state


class Recorder:
    """Records every call."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.budgets: list[tuple[str, int, float]] = []
        self.pauses: list[float] = []
        self.skews: list[float] = []
        self.sources: list[str] = []
        self.rows: list[tuple[str, str]] = []

    @property
    def codes(self) -> list[str]:
        return [attempt.code for attempt in self.attempts]

    def attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    def budget(self, account: str, limit: int, remaining: float) -> None:
        self.budgets.append((account, limit, remaining))

    def throttled(self, account: str, until: float) -> None:
        self.pauses.append(until)

    def skew(self, account: str, seconds: float) -> None:
        self.skews.append(seconds)

    def time_source(self, account: str, source: str) -> None:
        self.sources.append(source)

    def rejected(self, account: str, operation: str, reason: str) -> None:
        self.rows.append((operation, reason))

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"runtype must not call telemetry.{name}")


class Api:
    """A simulated API and the client that reads it.

    It gives the answers in turn, the last one again and again, and remembers the requests.
    """

    def __init__(
        self, *answers, base_url="https://api.test", key=KEY, limit=1000, page_size=100, **options
    ):
        self.loop = asyncio.get_running_loop()
        self.clock = VirtualClock(self.loop, START)
        self.store = Store()
        self.telemetry = Recorder()
        self.budget = Budget("acme", limit, self.store, self.clock, self.telemetry)
        self.api_time = ApiTime("acme", self.clock, self.telemetry)
        self.answers = list(answers)
        self.requests = []
        self.times = []
        exchange = Exchange(
            "acme",
            base_url,
            key,
            budget=self.budget,
            telemetry=self.telemetry,
            clock=self.clock,
            api_time=self.api_time,
            transport=httpx.MockTransport(self.answer),
            jitter=lambda: 0.5,
            **options,
        )
        self.client = Client(exchange, page_size=page_size)

    async def answer(self, request):
        self.requests.append(request)
        self.times.append(self.loop.time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return httpx.Response(200, json=SUMMARY)
        return answer

    @property
    def urls(self):
        return [str(request.url) for request in self.requests]

    @property
    def spent(self):
        return 100 - round(self.budget.remaining)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def telemetry() -> Recorder:
    return Recorder()
