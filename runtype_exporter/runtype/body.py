"""Read the body of an answer within a size limit.

Neither a long answer nor a small one that inflates may fill the memory.
"""

from __future__ import annotations

import zlib
from typing import Final, cast

import httpx

from runtype_exporter.runtype.errors import DecodeError, OversizedError

ACCEPTED: Final = "gzip"
"""The `Accept-Encoding` that `read_body` can read. It inflates piece by piece, which httpx's own
decoders do not do."""
_GZIP: Final = zlib.MAX_WBITS | 16
_MOST_DIGITS: Final = 18


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
    try:
        async for piece in cast("httpx.AsyncByteStream", response.stream):
            body += piece if inflated is None else inflated.feed(piece)
            if len(body) > limit:
                raise _oversized(operation, limit)
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

    def feed(self, data: bytes) -> bytes:
        out = bytearray()
        while data and self._left:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            piece = self._member.decompress(data, self._left)
            out += piece
            self._left -= len(piece)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return bytes(out)
