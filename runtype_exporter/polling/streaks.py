"""The failures of items in a row, and the pauses that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from runtype_exporter.limits import HOUR, MINUTE

SHORTEST_BACK_OFF: Final = MINUTE
"""Pause of an item after its first failure, in seconds; doubled after each further one."""
LONGEST_BACK_OFF: Final = HOUR
"""Longest pause between two tries of an item, in seconds."""


@dataclass(slots=True)
class Streak:
    """The failures of one item in a row. Times are monotonic seconds."""

    first: float
    last: float
    tries: int = 0
    retry_at: float = 0.0
    first_refusal: float | None = None
    refused_twice: bool = False
    is_paging: bool = False
    """Whether the last failure was about pages that contradict each other. The pages themselves
    are answered then, so they do not end the streak."""

    def refuse(self, now: float, answered: float | None, *, at_once: bool = False) -> None:
        """Record a refusal (403). Those before the last answer of the collector do not count.

        With `at_once` the first one counts like two.
        """
        first = self.first_refusal
        if first is None or (answered is not None and answered > first):
            self.first_refusal, self.refused_twice = now, False
        elif now - first >= MINUTE:
            self.refused_twice = True
        self.refused_twice |= at_once


@dataclass(slots=True)
class CollectorState:
    """What is known of one collector. Times are monotonic seconds."""

    up: bool = True
    """Whether it was last shown as one that works."""
    forbidden_until: float = 0.0
    next_trial: float = 0.0
    """While it is forbidden, an item that never failed is tried from this moment on."""
    answered: float | None = None
    """When it last answered, None for never."""
    failed_items: set[str] = field(default_factory=set)
    """The items that failed since then."""


def back_off(tries: int) -> float:
    """Return the pause of an item after so many failures in a row, in seconds."""
    return min(LONGEST_BACK_OFF, SHORTEST_BACK_OFF * 2.0 ** min(tries - 1, 10))


def after(answered: float | None, moment: float) -> bool:
    """Return whether an answer, if there was one, came after a moment."""
    return answered is not None and answered > moment
