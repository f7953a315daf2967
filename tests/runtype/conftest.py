"""What stands in for the other rooms.

A store that remembers in memory, a telemetry that writes down.
"""

from __future__ import annotations

from typing import Any

import pytest

from runtype_exporter.model import Attempt, BudgetState


class Store:
    """Remembers budgets, and can be told to fail."""

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
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.budgets: list[tuple[str, int, float]] = []
        self.pauses: list[float] = []
        self.skews: list[float] = []

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

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"this room has no business with telemetry.{name}")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def telemetry() -> Recorder:
    return Recorder()
