"""Time, passed as an argument so that tests and the simulator can choose it.

Wall time may be set and may be wrong. Monotonic time only measures how much time passes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Protocol

# The time that a suspended machine sleeps must count. Not every platform has such a clock.
_MONOTONIC: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """A source of wall time and of monotonic time."""

    def now(self) -> float:
        """Return the seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Return the seconds since some moment; they never go back and are never set."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        """Return the seconds since the Unix epoch by the machine's clock."""
        return time.time()

    def monotonic(self) -> float:
        """Return the seconds since the machine was started, suspended ones included."""
        return time.clock_gettime(_MONOTONIC)


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

    def monotonic(self) -> float:
        """Return the monotonic seconds of `base`, scaled."""
        return self.base.monotonic() * self.speed
