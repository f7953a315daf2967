"""A share of an account's request budget, for reads that must not take it all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from runtype_exporter.clock import Clock
from runtype_exporter.limits import HOUR

BURST = 5
"""So many requests of a share may be sent at once."""


@dataclass(slots=True)
class Share:
    """A token bucket that grants `share` of `requests_per_hour`, at most `BURST` at once.

    With `paced` false it grants everything at once: the budget alone limits the requests.
    """

    requests_per_hour: int
    share: float
    clock: Clock
    paced: bool = True
    _tokens: float = field(default=float(BURST), init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        """Start with a full bucket."""
        self._at = self.clock.monotonic()

    @property
    def seconds_per_request(self) -> float:
        """Return the mean time between two requests, in seconds."""
        return HOUR / (self.requests_per_hour * self.share)

    async def take(self) -> None:
        """Wait until one request may be sent."""
        if not self.paced:
            return
        self._refill()
        # Reserved before the wait, so that two callers do not wait for the same token.
        self._tokens -= 1.0
        if self._tokens < 0.0:
            await asyncio.sleep(-self._tokens * self.seconds_per_request)

    def _refill(self) -> None:
        now = self.clock.monotonic()
        gained = (now - self._at) / self.seconds_per_request
        self._tokens, self._at = min(float(BURST), self._tokens + gained), now
