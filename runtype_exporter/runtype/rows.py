"""Decode the rows of a page: many at once, and each for itself where one of them is bad.

A field that is null, or a time that is none, costs nothing where the row can do without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

from runtype_exporter.catalogue import REJECTED_REASONS
from runtype_exporter.runtype.fields import ODD_TIMESTAMP, Struct, Timestamp, fault
from runtype_exporter.runtype.pace import SLICE, Pace

RowT = TypeVar("RowT", bound=Struct)

MAX_REJECTED: Final = 10_000
"""With more bad rows than this, a page is not understood at all."""
_GROUP: Final = 500
"""The rows that are decoded at once."""
_BAD_ROW: Final = SLICE // 64
"""The work on a bad row, as if it were so many bytes."""
_ABSENT: Final = msgspec.Raw()


class TooManyRejected(msgspec.ValidationError):
    """A page consists of bad rows."""


class RowDecoder(Generic[RowT]):
    """Decodes rows of one type."""

    def __init__(self, type_: type[RowT]) -> None:
        self._type = type_
        self._group = msgspec.json.Decoder(list[type_], strict=False)  # type: ignore[valid-type]
        self._fields = msgspec.structs.fields(type_)
        self._decoders = [msgspec.json.Decoder(field.type, strict=False) for field in self._fields]
        self._parts: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            msgspec.defstruct(
                type_.__name__,
                [(field.name, msgspec.Raw, _ABSENT) for field in self._fields],
                rename={field.name: field.encode_name for field in self._fields},
            )
        )

    async def decode(
        self, rows: Sequence[msgspec.Raw], rejected: list[str], pace: Pace, *, repaired: bool
    ) -> list[RowT]:
        """Return the rows that can be understood, and add what is wrong with the others.

        Unless the body was `repaired`, text that is broken is left to its caller, as an error.

        Raises:
            TooManyRejected: there are too many bad rows.
            ValueError: text is broken.
            RecursionError: a value is nested too deep.
        """
        found: list[RowT] = []
        for start in range(0, len(rows), _GROUP):
            group = rows[start : start + _GROUP]
            text = b"[%b]" % b",".join(group)
            try:
                found += self._group.decode(text)
            except (ValueError, RecursionError) as error:
                if not (repaired or isinstance(error, msgspec.ValidationError)):
                    raise
                await pace.worked(len(text))
                for row in group:
                    one = self._alone(row, repaired=repaired)
                    if isinstance(one, str):
                        rejected.append(one)
                    else:
                        found.append(one)
                    if len(rejected) > MAX_REJECTED:
                        raise TooManyRejected(f"more than {MAX_REJECTED} rows are bad") from None
                    await pace.worked(_BAD_ROW)
            await pace.worked(len(text))
        return found

    def _alone(self, row: msgspec.Raw, *, repaired: bool) -> RowT | str:
        """Return a row, or what is wrong with it."""
        try:
            parts = self._parts.decode(row)
        except (ValueError, RecursionError) as error:
            if not (repaired or isinstance(error, msgspec.ValidationError)):
                raise
            return "type"
        values = {}
        faults = []
        for field, decoder in zip(self._fields, self._decoders, strict=True):
            part = getattr(parts, field.name)
            try:
                values[field.name] = decoder.decode(part)
            except (ValueError, RecursionError) as error:
                if not (repaired or part == _ABSENT or isinstance(error, msgspec.ValidationError)):
                    raise
                if field.type == Timestamp and part != _ABSENT:
                    values[field.name] = ODD_TIMESTAMP
                elif field.required or bytes(part) not in (b"", b"null"):
                    faults.append(fault(field))
        return min(faults, key=REJECTED_REASONS.index) if faults else self._type(**values)
