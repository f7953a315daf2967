"""JSON texts that are stored: which keys and types they have, and what a newer version may add.

`codec` and `learned` have the tables of keys. A key, and a default value, stand in users' files.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from runtype_exporter.model import FinalPrefix, Labels, Probe, Sweep, SweepSnapshot, SweepTally

JsonObject = dict[str, Any]
Keys = Mapping[str, str]
"""The key on disk of each attribute."""

JsonTypes = frozenset[type]
"""The types that `json.loads` may return for one value. A bool is no int here."""
PartTypes = frozenset[tuple[type, ...]]
"""The types that the parts of a list may have together."""
_ON_DISK: Final[Mapping[Any, type]] = {
    Labels: list,
    Probe: list,
    FinalPrefix: list,
    SweepSnapshot: list,
    Sweep: dict,
    SweepTally: dict,
}
"""The JSON type of each class that is written as a part of another one."""


def types_of(hint: Any) -> JsonTypes:
    """Return the types of the JSON values of an attribute with this type hint."""
    if get_origin(hint) is Union or isinstance(hint, UnionType):
        return frozenset().union(*map(types_of, get_args(hint)))
    if get_origin(hint) is Literal:
        return frozenset(map(type, get_args(hint)))
    if get_origin(hint) is not None:
        return frozenset({list if get_origin(hint) in {tuple, frozenset} else dict})
    # A float without a fraction may have been written as an int.
    return frozenset({int, float} if hint is float else {_ON_DISK.get(hint, hint)})


class Fields:
    """The fields of one kind of JSON object: the attribute of each key, and its types."""

    def __init__(self, kind: type, *tables: Keys) -> None:
        hints = get_type_hints(kind)
        self.attributes = {key: name for table in tables for name, key in table.items()}
        self.types = frozenset(
            (key, type_) for key, name in self.attributes.items() for type_ in types_of(hints[name])
        )


def types_of_parts(kind: type, parts: Sequence[str]) -> PartTypes:
    """Return the types of the parts of a list, which are in the order of the attributes."""
    hints = get_type_hints(kind).values()
    return frozenset(product(*(types_of(hint) for hint, _ in zip(hints, parts, strict=True))))


WRONG_TYPE = "a value has another type than its attribute"


class NewerContent(Exception):  # noqa: N818  # it says what was found, which is no error by itself
    """Something in the ledger can only have been written by a newer version of the exporter.

    The text names the kind of content, never a value of it.
    """


def to_text(body: JsonObject) -> str:
    """Return an object as one short line."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def without_defaults(value: object, keys: Keys, defaults: Mapping[str, object]) -> JsonObject:
    """Return the attributes of a value that differ from their defaults, by key."""
    return {
        key: content
        for name, key in keys.items()
        if (content := getattr(value, name)) != defaults[name]
    }


def decode_fields(body: object, known: Fields, what: str) -> JsonObject:
    """Return the body's values by attribute.

    Raises:
        NewerContent: a key is unknown. To drop it could count a result twice.
        ValueError: a value has another type than its attribute.
    """
    if type(body) is not dict:
        raise ValueError(WRONG_TYPE)
    names = known.attributes
    # One pass in C: this is most of the time of opening a large ledger.
    if not known.types.issuperset(zip(body, map(type, body.values()), strict=True)):
        if body.keys() - names.keys():
            raise NewerContent(f"an unknown field of {what}")
        raise ValueError(WRONG_TYPE)
    return {names[key]: content for key, content in body.items()}


def expect_parts(values: Sequence[Any], known: PartTypes, what: str) -> Sequence[Any]:
    """Return the parts of a list.

    Raises:
        NewerContent: there are more than are known.
        ValueError: there are fewer, or one has another type.
    """
    if tuple(map(type, values)) not in known:
        if len(values) > len(next(iter(known))):
            raise NewerContent(f"an unknown part of {what}")
        raise ValueError(WRONG_TYPE)
    return values


def expect_items(values: Collection[Any], types: JsonTypes) -> None:
    """Check the types of items.

    Raises:
        ValueError: one has another type.
    """
    if not types.issuperset(map(type, values)):
        raise ValueError(WRONG_TYPE)
