"""Answers that never come, come slowly, break off, or are no JSON.

What a fault does to the bytes and the connection.

It knows nothing of what the bytes mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .faults import Fault

_CHUNK = 65536
_PIECES = 8


class HangingResponse(Response):
    """Says nothing until the client goes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # the ASGI signature
        """Wait for the disconnect."""
        while (await receive())["type"] != "http.disconnect":
            pass


class ResetResponse(Response):
    """Breaks the connection off in the middle of its body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # the ASGI signature
        """Send the headers and half the body.

        Raises:
            httpx.RemoteProtocolError: always. A server closes the connection on it; an in-process
                transport hands its client what a real one would raise.
        """
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        await send(
            {
                "type": "http.response.body",
                "body": self.body[: len(self.body) // 2],
                "more_body": True,
            }
        )
        raise httpx.RemoteProtocolError(
            "peer closed connection without sending complete message body (simulated)"
        )


async def _pieces(body: bytes, pause: float) -> AsyncIterator[bytes]:
    size = -(-len(body) // _PIECES)
    for begin in range(0, len(body), size):
        await asyncio.sleep(pause)
        yield body[begin : begin + size]


async def _padded(body: bytes, padding: int) -> AsyncIterator[bytes]:
    for begin in range(0, padding, _CHUNK):
        yield b" " * min(_CHUNK, padding - begin)
    yield body


def instead(fault: Fault) -> Response | None:
    """The answer that takes the place of the right one before it is made.

    None if this fault needs the right one.
    """
    if fault.kind == "status":
        return JSONResponse(
            {"error": "simulated fault"}, int(fault.value or 500), headers=dict(fault.headers)
        )
    if fault.kind == "html":
        return HTMLResponse(
            "<html><body>Bad gateway, says the edge</body></html>", int(fault.value or 200)
        )
    if fault.kind == "redirect":
        return Response(
            status_code=307,
            headers={"Location": str(fault.value or "https://elsewhere.example/v1")},
        )
    return HangingResponse() if fault.kind == "hang" else None


def bent(fault: Fault, right: Response) -> Response:
    """The right answer as this fault lets it through."""
    body, code = bytes(right.body), right.status_code
    kind = "application/json"
    if fault.kind == "slow":
        return StreamingResponse(_pieces(body, float(fault.value or 1.0)), code, media_type=kind)
    if fault.kind == "oversize":
        return StreamingResponse(_padded(body, int(fault.value or 32 << 20)), code, media_type=kind)
    if fault.kind == "truncate":
        return Response(body[: len(body) // 2], code, media_type=kind)
    return ResetResponse(body, code, media_type=kind) if fault.kind == "reset" else right
