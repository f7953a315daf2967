"""Status words as label values: an open set in the API, a bounded one here.

It knows words alone, not what they mean.
"""

from __future__ import annotations

OTHERS = 20
"""Words beyond the known ones that get a series of their own, in the life of a process."""
OTHER = "other"


class StatusLabels:
    """Which words stand for themselves: the known ones, and the first others that appear."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self._others: set[str] = set()

    def know(self, known: frozenset[str]) -> None:
        """Take over a reloaded configuration's words."""
        self._known = known

    def label(self, word: str) -> str:
        """The word itself, or `other`."""
        if word in self._known or word in self._others:
            return word
        if word == OTHER or len(self._others) >= OTHERS:
            return OTHER
        self._others.add(word)
        return word
