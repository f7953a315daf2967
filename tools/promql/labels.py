"""The labels that a result may have, and the known values of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Values = frozenset[str] | None
"""The closed set of a label's values. None: any value is possible."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that a series may have, each with its values.

    `open`: there may be other labels too, which are not declared.
    """

    values: Mapping[str, Values] = field(default_factory=dict)
    open: bool = False

    @classmethod
    def of(cls, *names: str, open_: bool = False) -> Labels:
        """Return labels with any value."""
        return cls(dict.fromkeys(names), open_)

    def __contains__(self, name: str) -> bool:
        return self.open or name in self.values

    def names(self) -> frozenset[str]:
        """Return the declared names."""
        return frozenset(self.values)

    def values_of(self, name: str) -> Values:
        """Return the values that a label may have. A label that does not exist has the value ""."""
        return self.values.get(name) if self.open or name in self.values else frozenset({""})

    def keep(self, names: Iterable[str]) -> Labels:
        """Return only these labels, as after `by` and `on`."""
        return Labels({name: self.values_of(name) for name in names if name in self})

    def drop(self, names: Iterable[str]) -> Labels:
        """Return all labels but these, as after `without` and `ignoring`."""
        gone = set(names)
        return self._where(lambda name: name not in gone)

    def add(self, more: Mapping[str, Values]) -> Labels:
        """Return the labels with these added or replaced."""
        return Labels({**self.values, **more}, self.open)

    def union(self, other: Labels) -> Labels:
        """Return the labels of series that may come from either side."""
        return Labels(
            {
                name: _both(self.values_of(name), other.values_of(name))
                for name in [*self.values, *other.values]
            },
            self.open or other.open,
        )

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return the names that no series can have."""
        return [name for name in names if name != "__name__" and name not in self]

    def _where(self, kept: Callable[[str], bool]) -> Labels:
        return Labels(
            {name: values for name, values in self.values.items() if kept(name)}, self.open
        )


def _both(one: Values, other: Values) -> Values:
    return None if one is None or other is None else one | other
