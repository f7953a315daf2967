"""Read the body of an answer within a size limit.

Neither a long answer nor a small one that inflates may fill the memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, cast

import httpx

from runtype_exporter.runtype.errors import DecodeError, OversizedError
from runtype_exporter.runtype.pace import SLICE, Pace

ACCEPTED: Final = "gzip"
"""The `Accept-Encoding` that `read_body` can read. It inflates piece by piece, which httpx's own
decoders do not do."""
_GZIP: Final = zlib.MAX_WBITS | 16
_MOST_DIGITS: Final = 18
_OVERHEAD: Final = SLICE // 1000
"""The work on a piece besides its bytes, as if it were so many: a thousand empty ones are a slice.
"""


async def read_body(response: httpx.Response, operation: str, limit: int) -> bytes:
    """Return the inflated body of a response that was opened as a stream.

    Raises:
        OversizedError: it is, or says it is, longer than `limit` bytes.
        DecodeError: its encoding is unknown or broken.
        httpx.HTTPError: the connection broke off.
    """
    length = response.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:_MOST_DIGITS]) > limit:
        raise _oversized(operation, limit)
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise DecodeError(
            operation,
            "the answer has a content encoding that was not asked for;"
            " does something stand between here and the API?",
        )
    inflated = _Inflated(limit) if encoding == "gzip" else None
    body = bytearray()
    pace = Pace()
    try:
        async for sent in cast("httpx.AsyncByteStream", response.stream):
            for piece in (sent,) if inflated is None else inflated.feed(sent):
                body += piece
                if len(body) > limit:
                    raise _oversized(operation, limit)
                await pace.worked(len(piece) + _OVERHEAD)
        whole = inflated is None or inflated.ended
    except zlib.error:
        whole = False
    if not whole:
        raise DecodeError(operation, "the answer is broken: its gzip data are damaged or cut short")
    return bytes(body)


def _oversized(operation: str, limit: int) -> OversizedError:
    return OversizedError(
        operation, f"the answer is larger than {limit} bytes; a smaller page_size makes it smaller"
    )


class _Inflated:
    """Inflates gzip data, never by more than one byte above the limit."""

    def __init__(self, limit: int) -> None:
        self._left = limit + 1
        self._member = zlib.decompressobj(_GZIP)

    @property
    def ended(self) -> bool:
        return self._member.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the data inflate to, in pieces of a size that takes little time."""
        while data and self._left:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            piece = self._member.decompress(data, min(self._left, SLICE))
            self._left -= len(piece)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            yield piece
