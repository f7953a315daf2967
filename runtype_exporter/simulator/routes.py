"""The API over a world: a Starlette application with the documented reads of schedules and batches, batch submit and run-now.

It turns requests into reads of the world and refusals into the documented errors; shapes are `render`'s, faults are `faults`'.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import formatdate
from typing import TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import access, paging, render, transport
from .access import Gate, Key, Recorder, Refusal
from .batch import Batch, Run
from .control import Control
from .faults import Fault, Faults, start
from .paging import Listing
from .render import Json
from .spoil import HOSTILE_TAIL
from .world import World

T = TypeVar("T")
Handler = Callable[[Request, float, list[Fault]], Awaitable[Json]]


class Handlers:
    """The handlers of one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    # --- schedules ----------------------------------------------------------------------------------------------------
    async def schedules(self, request: Request, now: float, struck: list[Fault]) -> Json:
        """GET /v1/schedules."""
        query, world = request.query_params, self.world
        wanted = {None: {True, False}, "active": {True}, "paused": {False}}.get(query.get("status"))
        if wanted is None:
            raise Refusal(400, "Invalid status", code="INVALID_ENUM")
        search = query.get("search", "").lower()
        ids = [
            id_
            for id_, spec in world.schedules.items()
            if spec.enabled in wanted and search in (spec.name or "").lower()
        ]
        listing = Listing(ids, str, str)
        return self._cursor_page(query, listing, struck, lambda id_: render.schedule(world, id_, now))

    async def schedule(self, request: Request, now: float, _: list[Fault]) -> Json:
        """GET /v1/schedules/{id}."""
        return render.schedule(self.world, self._schedule(request), now)

    async def runs(self, request: Request, now: float, struck: list[Fault]) -> Json:
        """GET /v1/schedules/runs/all."""
        world = self.world
        listing = Listing(self._ordered(world.runs(now)), lambda run: run.id, lambda id_: world.run(id_, now))
        return self._cursor_page(request.query_params, listing, struck, lambda run: render.run(world, run, now))

    async def schedule_runs(self, request: Request, now: float, _: list[Fault]) -> Json:
        """GET /v1/schedules/{id}/runs: no pagination; the length of the real list is unknown, here it is one page."""
        runs = self._ordered(self.world.runs(now, self._schedule(request)))
        return {"data": [render.run(self.world, run, now) for run in runs[: self.world.api.page_cap]]}

    async def run_now(self, request: Request, now: float, _: list[Fault]) -> Json:
        """POST /v1/schedules/{id}/run-now."""
        run = self.world.run_now(self._schedule(request), now)
        batch = run.batch.id if run.batch and run.batch.listed else None
        return {"runId": run.id, "batchExecutionId": batch, "status": "queued", "error": None}

    # --- results ------------------------------------------------------------------------------------------------------
    async def batch_results(self, request: Request, now: float, struck: list[Fault]) -> Json:
        """GET /v1/schedules/batch/{id}/results."""
        return self._results(self._batch(request, now), request.query_params, now, struck)

    async def run_results(self, request: Request, now: float, struck: list[Fault]) -> Json:
        """GET /v1/schedules/runs/{id}/results: it declares no parameters; whether it heeds them is an option of the world."""
        run = self.world.run(_named(request), now)
        if run is None:
            raise Refusal(404, "Run not found")
        query = request.query_params if self.world.api.run_results_paged else {}
        return self._results(run.batch, query, now, struck)

    def _results(self, batch: Batch | None, query: Mapping[str, str], now: float, struck: list[Fault]) -> Json:
        api = self.world.api
        size = paging.limit(query, api.default_limit, api.page_cap, strict=False)
        asked = paging.offset(query)
        rows, total = batch.page(now, api, start(struck, asked), size, query.get("status")) if batch else ([], 0)
        return {
            "data": [render.result(self.world, batch, row, now) for row in rows] if batch else [],
            "pagination": {"limit": size, "offset": asked, "total": total, "hasMore": asked + size < total},
        }

    # --- batches ------------------------------------------------------------------------------------------------------
    async def batch_status(self, request: Request, now: float, _: list[Fault]) -> Json:
        """GET /v1/batch/status/{id}."""
        return render.batch_status(self.world, self._batch(request, now), now)

    async def summary(self, _: Request, now: float, __: list[Fault]) -> Json:
        """GET /v1/batch/summary."""
        return render.summary(self.world, self.world.summary(now), now)

    async def submit(self, request: Request, now: float, _: list[Fault]) -> Json:
        """POST /v1/batch/flow: `flowId` of a flow that the account knows, or any other name, and `recordIds` or `records`."""
        try:
            body = await request.json()
        except ValueError as error:
            raise Refusal(400, "Invalid JSON") from error
        records = (body.get("recordIds") or body.get("records")) if isinstance(body, dict) else None
        flow = (
            next((body[key] for key in ("flowId", "agentId") if body.get(key)), None)
            if isinstance(body, dict)
            else None
        )
        if not isinstance(records, list) or not isinstance(flow, str):
            raise Refusal(400, "flowId and a non-empty recordIds are required", code="MISSING_REQUIRED_FIELD")
        ids = [record for record in records if isinstance(record, str)]
        batch = self.world.add_adhoc(len(records), at=now, flow=self.world.flow_name(flow), record_ids=ids)
        return {"batchExecutionId": batch.id, "status": self.world.api.batch_words["pending"]}

    # --- shared -------------------------------------------------------------------------------------------------------
    def _cursor_page(
        self, query: Mapping[str, str], listing: Listing[T], struck: list[Fault], show: Callable[[T], Json]
    ) -> Json:
        api = self.world.api
        size = paging.limit(query, api.default_limit, api.page_cap, strict=True)
        window = paging.place(listing, query, size)
        begin = start(struck, window.start)
        shown = listing.items[begin : begin + window.stop - window.start]
        mode: paging.Mode = "offset" if api.offset_cursors else "item"
        return {"data": [show(item) for item in shown], "pagination": paging.pagination(listing, window, mode)}

    def _ordered(self, runs: Sequence[Run]) -> list[Run]:
        order = self.world.api.runs_order
        if order == "shuffled":
            return sorted(runs, key=lambda run: run.id[-16:])
        return list(runs) if order == "oldest" else list(reversed(runs))

    def _schedule(self, request: Request) -> str:
        if _named(request) not in self.world.schedules:
            raise Refusal(404, "Schedule not found")
        return _named(request)

    def _batch(self, request: Request, now: float) -> Batch:
        batch = self.world.batch(_named(request), now)
        if batch is None:
            raise Refusal(404, "Batch not found")
        return batch


def _named(request: Request) -> str:
    return str(request.path_params["id"]).removesuffix(HOSTILE_TAIL)


class _Door:
    """Between a request and its handler: recording, faults, the gate, the documented errors and the Date header."""

    def __init__(self, world: World, gate: Gate, faults: Faults, recorder: Recorder) -> None:
        self._world, self._gate, self._faults, self._recorder = world, gate, faults, recorder

    def route(self, method: str, path: str, operation: str, scope: str, handler: Handler) -> Route:
        """The route of one operation."""

        async def endpoint(request: Request) -> Response:
            now = self._world.clock.now()
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            self._recorder.asked(operation, now)
            struck = self._faults.strike(operation, target)
            response = next((answer for fault in struck if (answer := transport.instead(fault))), None)
            if response is None:
                response = await self._answer(request, now, scope, handler, struck)
            response.headers["Date"] = formatdate(now, usegmt=True)
            silent = isinstance(response, (transport.HangingResponse, transport.ResetResponse))
            self._recorder.answered(access.Request(now, operation, target, 0 if silent else response.status_code))
            return response

        return Route(path, endpoint, methods=[method])

    async def _answer(
        self, request: Request, now: float, scope: str, handler: Handler, struck: list[Fault]
    ) -> Response:
        try:
            self._gate.admit(request.headers.get("authorization", ""), scope, now)
            payload = await handler(request, now, struck)
        except Refusal as refusal:
            details: Json = {"details": [{"message": refusal.text, "code": refusal.code}]} if refusal.code else {}
            return JSONResponse({"error": refusal.text, **details}, refusal.status, headers=refusal.headers)
        for fault in struck:
            self._faults.spoil(payload, fault)
        response: Response = JSONResponse(payload)
        return next((bent for fault in struck if (bent := transport.bent(fault, response)) is not response), response)


def simulator_app(
    world: World, *, keys: Sequence[Key], faults: Faults | None = None, control: bool = False
) -> Starlette:
    """The API of this world, for these keys.

    `app.state` holds `requests` (what was asked), `faults` (to switch on) and `world`. `control` opens the door for tests in another
    process: GET /-/truth, POST and DELETE /-/faults, POST /-/stop, without a key. Serve it without the server's own Date header.
    """
    api, recorder, faults = Handlers(world), Recorder(), faults or Faults()
    door = _Door(world, Gate(tuple(keys), world.api.retry_after), faults, recorder)
    read, execute, batches = "SCHEDULES:READ", "SCHEDULES:EXECUTE", "BATCHES:READ"
    routes = [
        door.route("GET", "/v1/schedules", "schedules", read, api.schedules),
        door.route("GET", "/v1/schedules/runs/all", "runs", read, api.runs),
        door.route("GET", "/v1/schedules/runs/{id}/results", "run_results", read, api.run_results),
        door.route("GET", "/v1/schedules/batch/{id}/results", "batch_results", read, api.batch_results),
        door.route("GET", "/v1/schedules/{id}/runs", "schedule_runs", read, api.schedule_runs),
        door.route("POST", "/v1/schedules/{id}/run-now", "run_now", execute, api.run_now),
        door.route("GET", "/v1/schedules/{id}", "schedule", read, api.schedule),
        door.route("GET", "/v1/batch/summary", "summary", batches, api.summary),
        door.route("GET", "/v1/batch/status/{id}", "batch_status", batches, api.batch_status),
        door.route("POST", "/v1/batch/flow", "submit", "BATCHES:EXECUTE", api.submit),
    ]
    app = Starlette(routes=routes + (Control(world, faults, recorder).routes() if control else []))
    app.state.requests, app.state.faults, app.state.world = recorder, faults, world
    return app
