"""Decode answers: whole if all is well, else row by row, so that a bad row costs only itself.

A whole number may also come as `50.0` or as text (`"50"`). The decoder's lax mode, which allows
that, also takes 0, 1 and the words true and false for booleans, and the word null for a count that
is not known. Nothing else changes: text stays text, and a boolean is no number.

Work on a large answer gives the event loop turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar, get_args, get_origin

import msgspec

from runtype_exporter.runtype.errors import DecodeError
from runtype_exporter.runtype.fields import Struct
from runtype_exporter.runtype.pace import Pace
from runtype_exporter.runtype.rows import RowDecoder
from runtype_exporter.runtype.surrogates import replace_lone_surrogates

LARGE: Final = 1024 * 1024
"""A longer page is decoded in groups of rows. The decoder takes up to 20 ms for this many bytes."""

AnswerT = TypeVar("AnswerT")


class RowsPage(Struct, frozen=True, kw_only=True):
    """An answer that consists of rows. What is wrong with rows that were left out is `rejected`."""

    rejected: tuple[str, ...] = ()


RowsPageT = TypeVar("RowsPageT", bound=RowsPage)


class Decoder(Generic[AnswerT]):
    """Decodes one operation's answers."""

    def __init__(self, operation: str, type_: type[AnswerT], *, strict: bool = False) -> None:
        self.operation = operation
        self._whole: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            self._shape(type_), strict=strict
        )

    async def decode(self, body: bytes) -> AnswerT:
        """Return the answer as a value.

        Raises:
            DecodeError: it is not JSON or not of the documented types; the message names the field,
                never a value.
        """
        try:
            try:
                return await self._read(body, repaired=False)
            except msgspec.ValidationError:
                raise
            except (ValueError, RecursionError):
                text = await replace_lone_surrogates(body)
            return await self._read(text, repaired=True)
        except msgspec.ValidationError as error:
            # msgspec names the expected type and the path there. The types have no form whose
            # message quotes a value.
            what = f"the answer has another shape than the API documents: {error}"
        except (ValueError, RecursionError) as error:
            # Not the error's own text: the codec's quote bytes of the answer.
            what = (
                f"the answer is not JSON ({type(error).__name__} in {len(body)} bytes); does"
                " something stand between here and the API?"
            )
        raise DecodeError(self.operation, what)

    def _shape(self, type_: type[AnswerT]) -> type:
        """Return what the decoder should make of a whole answer."""
        return type_

    # The unused parameter is for pages, which override this method.
    async def _read(self, body: bytes, *, repaired: bool) -> AnswerT:  # noqa: ARG002
        """Return the answer. `repaired` says that nothing more can be done for broken text."""
        answer: AnswerT = self._whole.decode(body)
        return answer


class PageDecoder(Decoder[RowsPageT]):
    """Decodes the answers of an operation that reads rows."""

    def __init__(self, operation: str, type_: type[RowsPageT]) -> None:
        self._type = type_
        self._rows: dict[str, RowDecoder[Any]] = {
            field.name: RowDecoder(*get_args(field.type))
            for field in msgspec.structs.fields(type_)
            if get_origin(field.type) is list
        }
        self._envelope: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            self._page_with(type_, raw=True), strict=False
        )
        super().__init__(operation, type_)

    def _shape(self, type_: type[RowsPageT]) -> type:
        return self._page_with(type_, raw=False)

    def _page_with(self, type_: type[RowsPageT], *, raw: bool) -> type:
        """Return the type of a page as the API sends it: what is rejected is no part of it.

        A list of rows may be null.
        """
        fields: list[Any] = []
        for field in msgspec.structs.fields(type_):
            if field.name in self._rows:
                rows = list[msgspec.Raw] if raw else field.type
                fields.append((field.name, rows | None))
            elif field.name != "rejected":
                fields.append((field.name, field.type))
        return msgspec.defstruct(type_.__name__, fields, rename="camel", frozen=True, gc=False)

    async def _read(self, body: bytes, *, repaired: bool) -> RowsPageT:
        if len(body) <= LARGE:
            try:
                whole = self._whole.decode(body)
            except (ValueError, RecursionError) as error:
                # The fault is in the envelope, which shows it again, or in a row.
                if not (repaired or isinstance(error, msgspec.ValidationError)):
                    raise
            else:
                return self._page(whole, {name: getattr(whole, name) for name in self._rows}, [])
        envelope = self._envelope.decode(body)
        pace = Pace()
        await pace.worked(len(body))
        rejected: list[str] = []
        rows = {
            name: await decoder.decode(
                getattr(envelope, name) or [], rejected, pace, repaired=repaired
            )
            for name, decoder in self._rows.items()
        }
        return self._page(envelope, rows, rejected)

    def _page(
        self, sent: Any, rows: Mapping[str, list[Any] | None], rejected: list[str]
    ) -> RowsPageT:
        rest = {name: getattr(sent, name) for name in sent.__struct_fields__}
        lists = {name: found or [] for name, found in rows.items()}
        return self._type(**rest | lists, rejected=tuple(rejected))
