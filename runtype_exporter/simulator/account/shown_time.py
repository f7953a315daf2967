"""The times that the API shows. Its clock may be set to another time, the account's goes on."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from math import inf
from typing import TypeVar

ShownT = TypeVar("ShownT")


class ShownTime:
    """The clock of the API's machines: the account's time, and the steps that it was set by.

    A moment keeps the time that the clock showed then, so a list may show a later run with an
    earlier time. Moments and steps are in seconds.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[float, float]] = []

    def step(self, at: float, seconds: float) -> None:
        """Set the clock forward, or back if `seconds` is negative, at a moment."""
        insort(self._steps, (at, seconds))

    def shown(self, at: float) -> float:
        """Return what the clock showed at a moment of the account; inf stays inf."""
        if at == inf or not self._steps:
            return at
        passed = bisect_right(self._steps, (at, inf))
        return at + sum(seconds for _, seconds in self._steps[:passed])

    def sort(self, items: Sequence[ShownT], moment: Callable[[ShownT], float]) -> list[ShownT]:
        """Return items in the order of the times that the clock showed at their moments.

        They must be in the order of these moments.
        """
        if not self._steps:
            return list(items)
        return sorted(items, key=lambda item: self.shown(moment(item)))
