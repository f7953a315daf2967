"""The labels that a result may have, and what is known of their values.

It knows no metric and no expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Values = frozenset[str] | None
"""The closed set of a label's values, or None where any value may come."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that a series may have, each with its values.

    `open` where others may be there that nobody declared.
    """

    values: Mapping[str, Values] = field(default_factory=dict)
    open: bool = False

    @classmethod
    def of(cls, *names: str, open_: bool = False) -> Labels:
        """Labels with any value."""
        return cls(dict.fromkeys(names), open_)

    def __contains__(self, name: str) -> bool:
        return self.open or name in self.values

    def names(self) -> frozenset[str]:
        """Those that are known by name."""
        return frozenset(self.values)

    def of_value(self, name: str) -> Values:
        """The values that a label may have; no label is an empty one."""
        return self.values.get(name) if self.open or name in self.values else frozenset({""})

    def keep(self, names: Iterable[str]) -> Labels:
        """Only these, as `by` and `on` leave them."""
        return Labels({name: self.of_value(name) for name in names if name in self})

    def drop(self, names: Iterable[str]) -> Labels:
        """All but these, as `without` and `ignoring` leave them."""
        gone = set(names)
        return self._where(lambda name: name not in gone)

    def add(self, more: Mapping[str, Values]) -> Labels:
        """With these beside them or in their place."""
        return Labels({**self.values, **more}, self.open)

    def either(self, other: Labels) -> Labels:
        """What a series has that comes from here or from there."""
        return Labels(
            {
                name: _both(self.of_value(name), other.of_value(name))
                for name in [*self.values, *other.values]
            },
            self.open or other.open,
        )

    def lacking(self, names: Iterable[str]) -> list[str]:
        """Those of these names that no series here can have."""
        return [name for name in names if name != "__name__" and name not in self]

    def _where(self, kept: Callable[[str], bool]) -> Labels:
        return Labels(
            {name: values for name, values in self.values.items() if kept(name)}, self.open
        )


def _both(one: Values, other: Values) -> Values:
    return None if one is None or other is None else one | other
