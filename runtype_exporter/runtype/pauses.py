"""How long an account's requests pause: after an answer that asks for it, and after a refused key.

Both are pure: they are called with the time, and know neither a timer nor a store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runtype_exporter.limits import HOUR, MINUTE

MAX_PAUSE: Final = HOUR
"""The longest pause that is believed, seconds. A broken header must not stop polling for a day."""
UNSPOKEN_PAUSE: Final = 60.0
"""How long requests pause if the API does not say how long, seconds."""
LONGEST_STEP: Final = 60.0
"""The longest pause that a header with too short a wait leads to, seconds."""
GOOD_TIME: Final = 10 * MINUTE
"""The time without a pause after which the first one is short again, seconds."""
KEY_PAUSE: Final = MINUTE
"""The time from a refused key to the next trial, and between trials, seconds."""


@dataclass(slots=True)
class Throttle:
    """The pauses that the API asks for: each is at least twice as long as the one before.

    A server may ask for no wait at all, or for one that has passed by its own clock. Without a
    growing minimum that would be a loop as fast as the network.
    """

    until: float
    """When the last pause ends or ended."""
    _least: float = 0.0

    def pause(self, wait: float | None, *, sent: float, now: float) -> None:
        """Record an answer that asks for `wait` seconds, None if it does not say how long.

        Only one answer of each pause makes the next one longer: those to requests that were sent
        before the last pause ended do not.
        """
        if now - self.until >= GOOD_TIME:
            self._least = 0.0
        if sent >= self.until or not self._least:
            self._least = min(max(1.0, 2 * self._least), LONGEST_STEP)
        seconds = UNSPOKEN_PAUSE if wait is None else wait
        self.until = max(self.until, now + min(max(seconds, self._least), MAX_PAUSE))


@dataclass(slots=True)
class KeyRefusal:
    """A key that the API refuses: one request a minute tries it again."""

    refused: bool = False
    next_trial: float = 0.0

    def refuse(self, now: float) -> None:
        """Record that the key was refused."""
        self.refused = True
        self.next_trial = now + KEY_PAUSE

    def granted(self, now: float) -> None:
        """Record that a request is sent. Without an answer, the next one has to wait."""
        if self.refused:
            self.next_trial = now + KEY_PAUSE

    def accept(self) -> None:
        """Record that the key was accepted, or is another one now."""
        self.refused = False

    def wait(self, now: float) -> float:
        """Return the seconds until a request may be sent; 0 or less means now."""
        return self.next_trial - now if self.refused else 0.0
