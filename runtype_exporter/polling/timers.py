"""Timers by the wall clock, which may be set back: none lasts longer than planned. Pure.

The event loop's own time would not do: it starts at 0 in each process, and the times of the API and
of the ledger are wall clock times.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WallClockTimer:
    """A wait from one moment until another. The default one is over."""

    since: float = 0.0
    until: float = 0.0

    def over(self, now: float) -> bool:
        """Return whether the wait is over.

        If `since` is in the future, the clock was set back; the wait then counts as over.
        """
        return not self.since <= now < self.until


def still_pending(until: float, now: float, longest: float) -> bool:
    """Return whether a wait whose end was stored still lasts.

    If more than `longest` seconds are left, the clock was set back; the wait then counts as over.
    """
    return now < until <= now + longest
