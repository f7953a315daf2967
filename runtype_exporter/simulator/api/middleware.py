"""What every request passes before and after its handler.

It is recorded, faults hit it, its key is checked, errors take the documented form, and the answer
gets its Date header. Helpers for handlers find what a path names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtype_exporter.simulator.account.batch import SimulatedBatch
from runtype_exporter.simulator.account.world import World
from runtype_exporter.simulator.api.auth import (
    Authorizer,
    RecordedRequest,
    Refusal,
    RequestRecorder,
)
from runtype_exporter.simulator.api.render import Json
from runtype_exporter.simulator.faults import transport
from runtype_exporter.simulator.faults.faults import ApiFault, Faults
from runtype_exporter.simulator.faults.header_faults import change_headers
from runtype_exporter.simulator.faults.payload_faults import HOSTILE_TAIL

Handler = Callable[[Request, float, list[ApiFault]], Awaitable[Json]]


class Endpoint:
    """The maker of one world's routes: it wraps each handler in what all requests pass."""

    def __init__(
        self, world: World, authorizer: Authorizer, faults: Faults, recorder: RequestRecorder
    ) -> None:
        self._world, self._authorizer = world, authorizer
        self._faults, self._recorder = faults, recorder

    def route(self, method: str, path: str, operation: str, scope: str, handler: Handler) -> Route:
        """Return the route of one operation."""

        async def respond(request: Request) -> Response:
            now = self._world.clock.now()
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            self._recorder.received(operation, now)
            cookies = len(request.headers.get("cookie", ""))
            struck = self._faults.strike(operation, target, cookies)
            response = next(
                (answer for fault in struck if (answer := transport.replacement(fault))), None
            )
            if response is None:
                response = await self._answer(request, now, scope, handler, struck)
            shown = self._world.shown_time.shown(now)
            response.headers["Date"] = formatdate(shown, usegmt=True)
            for fault in struck:
                change_headers(response.headers, fault, shown, self._recorder.total)
            silent = isinstance(response, (transport.HangingResponse, transport.ResetResponse))
            self._recorder.answered(
                RecordedRequest(now, operation, target, 0 if silent else response.status_code)
            )
            return response

        return Route(path, respond, methods=[method])

    async def _answer(
        self, request: Request, now: float, scope: str, handler: Handler, struck: list[ApiFault]
    ) -> Response:
        try:
            self._authorizer.authorize(request.headers.get("authorization", ""), scope, now)
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
            self._faults.change_payload(payload, fault)
        right: Response = JSONResponse(payload)
        # The first fault that changes the bytes wins.
        return next(
            (
                answer
                for fault in struck
                if (answer := transport.changed(fault, right)) is not right
            ),
            right,
        )


def original_id(id_: str) -> str:
    """Return an id as it was before a fault made it hostile."""
    return id_.removesuffix(HOSTILE_TAIL)


def path_id(request: Request) -> str:
    """Return the id in a request's path."""
    return original_id(str(request.path_params["id"]))


def find_schedule(world: World, request: Request, now: float, missing: int = 404) -> str:
    """Return the id of the schedule that a request's path names.

    Raises:
        Refusal: the schedule does not exist; its status is `missing`, as the operation declares it.
    """
    if path_id(request) not in world.schedules_at(now):
        raise Refusal(missing, "Schedule not found")
    return path_id(request)


def find_batch(world: World, request: Request, now: float, missing: int = 404) -> SimulatedBatch:
    """Return the batch that a request's path names.

    Raises:
        Refusal: the batch does not exist; its status is `missing`, as the operation declares it.
    """
    batch = world.batch(path_id(request), now)
    if batch is None:
        raise Refusal(missing, "Batch not found")
    return batch


async def read_body(request: Request) -> dict[str, Any]:
    """Return a request's JSON object.

    Raises:
        Refusal: 400, the body is no JSON object.
    """
    try:
        content = await request.json()
    except ValueError as error:
        raise Refusal(400, "Invalid JSON") from error
    if not isinstance(content, dict):
        raise Refusal(400, "A JSON object is required")
    return content
