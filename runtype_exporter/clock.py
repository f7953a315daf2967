"""Wall time, passed in wherever it is needed, so that tests and the simulator choose it.

Waiting is not its business: that is asyncio's own clock, the loop's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Whatever tells the wall time."""

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since the Unix epoch, as the machine tells them."""
        return time.time()


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """Time that starts at `start` and runs `speed` times as fast as `base` has run since `origin`."""

    base: Clock
    origin: float
    start: float
    speed: float

    def now(self) -> float:
        """Seconds since the Unix epoch in the scaled time."""
        return self.start + (self.base.now() - self.origin) * self.speed
