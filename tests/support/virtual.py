"""Virtual time: an event loop whose time jumps to the next timer, and a wall clock with it.

The loop's selector never sleeps: if nothing is ready, it moves the loop's time to the next timer,
so that a month takes seconds. Sockets still work, but real time does not pass while they are waited
for, so a test over real sockets needs an ordinary loop.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

STUCK_AFTER = 5.0
"""Real seconds that a loop without any timer waits for a thread or a socket before it is declared
stuck."""


class _Selector(selectors.DefaultSelector):  # type: ignore[valid-type,misc]  # the platform chooses the class
    """Reports what is ready at once, and otherwise lets the loop's time jump."""

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
    """An event loop that starts at second 0 and whose sleeps cost nothing."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self._virtual_now = 0.0
        super().__init__(selector)
        # A timer must be due once time has been moved to it, whatever the rounding.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._virtual_now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._virtual_now += seconds


class VirtualClock:
    """Wall time that runs with a loop's time.

    `jump` sets it wrong, as an administrator or a time server would.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, start: float) -> None:
        self._loop = loop
        self._offset = start - loop.time()

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return self._loop.time() + self._offset

    def jump(self, seconds: float) -> None:
        """Move the wall clock alone."""
        self._offset += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a virtual loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
