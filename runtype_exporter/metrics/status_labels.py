"""Status words as label values: an open set in the API, a limited one here."""

from __future__ import annotations

OTHERS = 20
"""How many unknown words get a series of their own in the life of a process."""
OTHER = "other"


class StatusLabels:
    """The words that are shown as they are: the known ones and the first few unknown ones."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self._others: set[str] = set()

    def know(self, known: frozenset[str]) -> None:
        """Apply the known words of a reloaded configuration."""
        self._known = known

    def label(self, word: str) -> str:
        """Return the word itself, or `other`."""
        if word in self._known or word in self._others:
            return word
        if word == OTHER or len(self._others) >= OTHERS:
            return OTHER
        self._others.add(word)
        return word
