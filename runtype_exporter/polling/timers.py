"""Waits by the wall clock, which may be set back: none lasts longer than it was to last. Pure.

The loop's own time would not do: it begins anew with each process, and the API's times and the
ledger's go by the wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WallClockTimer:
    """From one moment until another. By default it is over."""

    since: float = 0.0
    until: float = 0.0

    def over(self, now: float) -> bool:
        """Whether it has passed.

        A wait that has not begun yet began before the clock was set back: nobody knows how much of
        it is left.
        """
        return not self.since <= now < self.until


def still_pending(until: float, now: float, longest: float) -> bool:
    """Whether a wait that was stored still lasts.

    One with more to go than the longest ever has is from before the clock was set back.
    """
    return now < until <= now + longest
