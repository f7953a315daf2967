"""Between a request and its handler.

Recording, faults, the gate, the documented errors, the Date header, and finding what a path names.

What is answered is the handler's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import access, transport
from .access import Gate, Recorder, Refusal
from .batch import Batch
from .faults import Fault, Faults
from .render import Json
from .spoil import HOSTILE_TAIL
from .world import World

Handler = Callable[[Request, float, list[Fault]], Awaitable[Json]]


class Door:
    """One world's door."""

    def __init__(self, world: World, gate: Gate, faults: Faults, recorder: Recorder) -> None:
        self._world, self._gate, self._faults, self._recorder = world, gate, faults, recorder

    def route(self, method: str, path: str, operation: str, scope: str, handler: Handler) -> Route:
        """The route of one operation."""

        async def endpoint(request: Request) -> Response:
            now = self._world.clock.now()
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            self._recorder.asked(operation, now)
            struck = self._faults.strike(operation, target)
            response = next(
                (answer for fault in struck if (answer := transport.instead(fault))), None
            )
            if response is None:
                response = await self._answer(request, now, scope, handler, struck)
            response.headers["Date"] = formatdate(now, usegmt=True)
            silent = isinstance(response, (transport.HangingResponse, transport.ResetResponse))
            self._recorder.answered(
                access.Request(now, operation, target, 0 if silent else response.status_code)
            )
            return response

        return Route(path, endpoint, methods=[method])

    async def _answer(
        self, request: Request, now: float, scope: str, handler: Handler, struck: list[Fault]
    ) -> Response:
        try:
            self._gate.admit(request.headers.get("authorization", ""), scope, now)
            payload = await handler(request, now, struck)
        except Refusal as refusal:
            details: Json = (
                {"details": [{"message": refusal.text, "code": refusal.code}]}
                if refusal.code
                else {}
            )
            return JSONResponse(
                {"error": refusal.text, **details}, refusal.status, headers=refusal.headers
            )
        for fault in struck:
            self._faults.spoil(payload, fault)
        response: Response = JSONResponse(payload)
        return next(
            (bent for fault in struck if (bent := transport.bent(fault, response)) is not response),
            response,
        )


def known(id_: str) -> str:
    """An id as it was before a fault made it hostile."""
    return id_.removesuffix(HOSTILE_TAIL)


def named(request: Request) -> str:
    """The id in a request's path."""
    return known(str(request.path_params["id"]))


def named_schedule(world: World, request: Request, now: float, missing: int = 404) -> str:
    """The id of the schedule that a request's path names.

    Raises:
        Refusal: there is none; `missing` is the status that the operation has for it.
    """
    if named(request) not in world.schedules_at(now):
        raise Refusal(missing, "Schedule not found")
    return named(request)


def named_batch(world: World, request: Request, now: float, missing: int = 404) -> Batch:
    """The batch that a request's path names.

    Raises:
        Refusal: there is none; `missing` is the status that the operation has for it.
    """
    batch = world.batch(named(request), now)
    if batch is None:
        raise Refusal(missing, "Batch not found")
    return batch


async def body(request: Request) -> dict[str, Any]:
    """A request's JSON object.

    Raises:
        Refusal: 400, there is none.
    """
    try:
        content = await request.json()
    except ValueError as error:
        raise Refusal(400, "Invalid JSON") from error
    if not isinstance(content, dict):
        raise Refusal(400, "A JSON object is required")
    return content
