"""What an account has learned about the API as JSON text and back, without default values.

As in `codec`, the keys stand in users' files: a change of the table is a new format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Final, get_args

from runtype_exporter.ledger.json_text import (
    Fields,
    Keys,
    NewerContent,
    decode_fields,
    expect_items,
    expect_parts,
    to_text,
    types_of,
    without_defaults,
)
from runtype_exporter.model import Learned, RunOrder

LEARNED: Final[Keys] = {
    "run_order": "run_order",
    "page_sizes": "page_sizes",
    "forbidden": "forbidden",
    "unknown_schedules": "unknown_schedules",
    "sources": "sources",
    "absent": "absent",
}
ABSENCE = ("since", "lists")
"""The parts of a list, in order."""

_DEFAULTS = {field.name: getattr(Learned(), field.name) for field in fields(Learned)}
_FIELDS = Fields(Learned, LEARNED)
_COUNT, _TIME, _WORD, _ABSENCE = map(types_of, (int, float, str, tuple[float, int]))
_ABSENCE_TYPES = frozenset({(int, int), (float, int)})
_ORDERS = frozenset(get_args(RunOrder))


def encode_learned(learned: Learned) -> str:
    """Return the text of what an account has learned."""
    body = without_defaults(learned, LEARNED, _DEFAULTS)
    body = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in body.items()
    }
    if learned.unknown_schedules:
        body[LEARNED["unknown_schedules"]] = sorted(learned.unknown_schedules)
    return to_text(body)


def decode_learned(text: str) -> Learned:
    """Return what `encode_learned` wrote.

    Raises:
        NewerContent: a newer version of the exporter wrote it.
        ValueError, TypeError, LookupError, AttributeError: the text is not what was written.
    """
    values = decode_fields(json.loads(text), _FIELDS, "what an account has learned")
    if values.get("run_order", "unknown") not in _ORDERS:
        raise NewerContent("an unknown order of the run list")
    unknown = values.pop("unknown_schedules", [])
    expect_items(unknown, _WORD)
    expect_items(values.get("page_sizes", {}).values(), _COUNT)
    for name in ("forbidden", "sources"):
        expect_items(values.get(name, {}).values(), _TIME)
    absent = values.pop("absent", {})
    expect_items(absent.values(), _ABSENCE)
    return Learned(
        unknown_schedules=frozenset(unknown),
        absent={
            id_: tuple(expect_parts(parts, _ABSENCE_TYPES, "an absence"))
            for id_, parts in absent.items()
        },
        **values,
    )
