"""Virtual time: an event loop that never sleeps, and the clocks of machines that run with it.

If nothing is ready, the selector of the loop moves the time of the loop to the next timer. Sockets
work, but real time does not pass while the loop waits for them. So a test over real sockets needs
an ordinary loop.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

STUCK_AFTER = 5.0
"""A loop without any timer waits this long for a thread or a socket, in real seconds; then it is
stuck."""


# The platform chooses the base class.
class _Selector(selectors.DefaultSelector):  # type: ignore[valid-type,misc]
    """A selector that returns what is ready, and else moves the time of the loop."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            ready = super().select(STUCK_AFTER)
            if not ready:
                raise RuntimeError(
                    "the virtual loop is stuck: no timer is set and nothing can be read"
                )
            return ready
        self.loop.advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that starts at second 0 and whose sleeps take no real time."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self._virtual_now = 0.0
        super().__init__(selector)
        # A timer must be due once time has been moved to it, whatever the rounding.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return the seconds since the loop was made."""
        return self._virtual_now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._virtual_now += seconds


class VirtualClock:
    """The clocks of a machine that run with the time of a loop: a wall clock and a monotonic one.

    `jump` and `drift` change the wall clock, as an administrator, a time server or a bad quartz
    would. The monotonic clock runs on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, start: float) -> None:
        self._loop = loop
        self._base, self._since, self._rate = start, loop.time(), 1.0
        self._suspended = 0.0

    def now(self) -> float:
        """Return the seconds since the Unix epoch."""
        return self._base + (self._loop.time() - self._since) * self._rate

    def monotonic(self) -> float:
        """Return the seconds since the loop was made, with those of suspends."""
        return self._loop.time() + self._suspended

    def jump(self, seconds: float) -> None:
        """Move the wall clock, but not the time of the loop."""
        self._base += seconds

    def drift(self, rate: float) -> None:
        """Let the wall clock run at a rate from now on: 1.0 is right, at 0.0 it stands still."""
        self._base, self._since, self._rate = self.now(), self._loop.time(), rate

    def suspend(self, seconds: float) -> None:
        """Move both clocks as a suspend of the machine does: the time of the loop stood still."""
        self._base += seconds
        self._suspended += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a virtual loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
