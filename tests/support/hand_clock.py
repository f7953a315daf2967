"""A clock that a test moves by hand."""

from __future__ import annotations


class HandClock:
    """A wall clock and a monotonic one that show the same seconds, `at`."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at
