"""The types of the fields of answers, and what is wrong with a row where a field is."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A number of records: never negative, and within what JSON numbers hold exactly."""
Dollars = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
"""A cost. More than a million for one batch is an error, and no counter could take it back."""
Amount = Annotated[float, msgspec.Meta(ge=0)]
"""A quantity that is documented as a number, not as a whole one."""
OpaqueId = Annotated[str, msgspec.Meta(min_length=1)]
"""An opaque identity."""
Timestamp = str | float | bool | None
"""Text, null, or something else that the API sends in its place. `parse_timestamp` checks it later,
so that one bad time does not lose a row."""
ODD_TIMESTAMP: Final = ""
"""In place of a list or an object where a time should be: no time either."""


class Struct(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """A frozen struct that the garbage collector does not track: answers have no cycles."""


def fault(field: msgspec.structs.FieldInfo) -> str:
    """Return what is wrong with a row if this field is: one of `catalogue.REJECTED_REASONS`."""
    if _is(field.type, OpaqueId):
        return "identity"
    if field.name == "status":
        return "status"
    return "count" if _is(field.type, Count) else "type"


def _is(type_: Any, kind: Any) -> bool:
    return type_ in (kind, kind | None)
