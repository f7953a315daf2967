"""Numbers that several packages must agree on."""

from __future__ import annotations

from typing import Final

MINUTE: Final = 60.0
"""Seconds."""
HOUR: Final = 3600.0
"""Seconds."""
DAY: Final = 86400.0
"""Seconds."""
SHORTEST_TIMER: Final = 0.001
"""The shortest wait for a moment, in seconds. Rounding errors must not make a loop spin."""
EARLIEST: Final = 1_420_070_400.0
"""2015-01-01T00:00:00Z, in seconds since the Unix epoch. The API is younger than that."""

DISCOVERY_SHARE: Final = 0.25
"""The share of an account's request budget that polling cycles may take."""

MAX_ID: Final = 512
"""The longest id that the API is asked for, characters."""


def shortest_cycle_interval(requests: int, requests_per_hour: int) -> float:
    """Return the shortest interval between polling cycles of so many requests, in seconds.

    With it, cycles take at most their share of the budget (`DISCOVERY_SHARE`).
    """
    return requests * HOUR / (requests_per_hour * DISCOVERY_SHARE)
