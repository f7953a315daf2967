"""Faults of the bytes and the connection: no answer, a slow, broken, or non-JSON answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus

import httpx
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from runtype_exporter.simulator.faults.faults import ApiFault

_CHUNK = 65536
_PIECES = 8


class HangingResponse(Response):
    """A response that sends nothing until the client disconnects."""

    # The unused parameters belong to the ASGI signature.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Wait for the disconnect."""
        while (await receive())["type"] != "http.disconnect":
            pass


class ResetResponse(Response):
    """A response that breaks the connection in the middle of its body."""

    # The unused parameters belong to the ASGI signature.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the headers and half the body.

        Raises:
            httpx.RemoteProtocolError: always. A server then closes the connection. An in-process
                transport passes it to its client, as a real transport would raise it.
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


async def _after(body: bytes, seconds: float) -> AsyncIterator[bytes]:
    await asyncio.sleep(seconds)
    yield body


async def _pieces(body: bytes, pause: float) -> AsyncIterator[bytes]:
    size = -(-len(body) // _PIECES)
    for begin in range(0, len(body), size):
        await asyncio.sleep(pause)
        yield body[begin : begin + size]


async def _padded(body: bytes, padding: int) -> AsyncIterator[bytes]:
    for begin in range(0, padding, _CHUNK):
        yield b" " * min(_CHUNK, padding - begin)
    yield body


def _with_surrogates(body: bytes, count: int) -> bytes:
    """Return a JSON object with one more text, of surrogates that have no partner."""
    return b'{"note":"' + rb"\ud800" * count + b'",' + body[1:]


def replacement(fault: ApiFault) -> Response | None:
    """Return the answer that replaces the right one, or None if the fault needs the right one."""
    if fault.kind == "status":
        return JSONResponse({"error": "simulated fault"}, int(fault.value or 500))
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


def changed(fault: ApiFault, right: Response) -> Response:
    """Return the right answer as this fault changes it; `right` itself if it changes nothing."""
    body, status = bytes(right.body), right.status_code
    media = "application/json"
    if fault.kind == "slow":
        pause = float(fault.value or 1.0)
        return StreamingResponse(_pieces(body, pause), status, media_type=media)
    if fault.kind == "slow_rows" and status == HTTPStatus.OK:
        seconds = float(fault.value or 1.0) * len(json.loads(body)["data"])
        return StreamingResponse(_after(body, seconds), status, media_type=media)
    if fault.kind == "oversize":
        padding = int(fault.value or 32 << 20)
        return StreamingResponse(_padded(body, padding), status, media_type=media)
    if fault.kind == "surrogates":
        return Response(_with_surrogates(body, int(fault.value or 1)), status, media_type=media)
    if fault.kind == "truncate":
        return Response(body[: len(body) // 2], status, media_type=media)
    return ResetResponse(body, status, media_type=media) if fault.kind == "reset" else right
