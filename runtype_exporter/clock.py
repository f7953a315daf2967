"""Wall time, passed as an argument so that tests and the simulator can choose it.

Delays are not measured with it: they use the clock of the event loop.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """A source of wall time."""

    def now(self) -> float:
        """Return the seconds since the Unix epoch."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        """Return the seconds since the Unix epoch by the machine's clock."""
        return time.time()


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """Time that runs `speed` times as fast as `base`. It is `start` when `base` is `origin`."""

    base: Clock
    origin: float
    start: float
    speed: float

    def now(self) -> float:
        """Return the seconds since the Unix epoch in the scaled time."""
        return self.start + (self.base.now() - self.origin) * self.speed
