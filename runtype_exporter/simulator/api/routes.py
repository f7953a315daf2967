"""The application: every documented operation with its path, its scope and its recorded name."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette

from runtype_exporter.simulator.account.world import World
from runtype_exporter.simulator.api.auth import Authorizer, Key, RequestRecorder
from runtype_exporter.simulator.api.control import ControlHandlers
from runtype_exporter.simulator.api.middleware import Endpoint
from runtype_exporter.simulator.api.read_handlers import ReadHandlers
from runtype_exporter.simulator.api.write_handlers import WriteHandlers
from runtype_exporter.simulator.faults.faults import Faults


def simulator_app(
    world: World, *, keys: Sequence[Key], faults: Faults | None = None, control: bool = False
) -> Starlette:
    """Return the API of this world for these keys.

    `app.state` holds `requests` (the recorder), `faults` (to switch on) and `world`. `control` adds
    the routes for tests in another process: GET /-/truth, POST and DELETE /-/faults, POST /-/stop;
    they need no key. Serve the application without the server's own Date header.
    """
    recorder, faults = RequestRecorder(), faults or Faults()
    reads, writes = ReadHandlers(world), WriteHandlers(world)
    authorizer = Authorizer(tuple(keys), world.api.retry_after)
    route = Endpoint(world, authorizer, faults, recorder).route
    read, write, execute = "SCHEDULES:READ", "SCHEDULES:WRITE", "SCHEDULES:EXECUTE"
    batches, start = "BATCHES:READ", "BATCHES:EXECUTE"
    routes = [
        route("GET", "/v1/schedules", "schedules", read, reads.schedules),
        route("POST", "/v1/schedules", "create", write, writes.create),
        route("GET", "/v1/schedules/sparklines", "sparklines", read, reads.sparklines),
        route("GET", "/v1/schedules/runs/all", "runs", read, reads.runs),
        route("GET", "/v1/schedules/runs/{id}/results", "run_results", read, reads.run_results),
        route(
            "GET", "/v1/schedules/batch/{id}/results", "batch_results", read, reads.batch_results
        ),
        route("GET", "/v1/schedules/{id}/runs", "schedule_runs", read, reads.schedule_runs),
        route("GET", "/v1/schedules/{id}/stats", "stats", read, reads.stats),
        route("POST", "/v1/schedules/{id}/run-now", "run_now", execute, writes.run_now),
        route("POST", "/v1/schedules/{id}/pause", "pause", write, writes.pause),
        route("POST", "/v1/schedules/{id}/resume", "resume", write, writes.resume),
        route("GET", "/v1/schedules/{id}", "schedule", read, reads.schedule),
        route("PUT", "/v1/schedules/{id}", "update", write, writes.update),
        route("DELETE", "/v1/schedules/{id}", "delete", write, writes.delete),
        route("GET", "/v1/batch/summary", "summary", batches, reads.summary),
        route("GET", "/v1/batch/status/{id}", "batch_status", batches, reads.batch_status),
        route("GET", "/v1/batch/{id}/cost", "cost", batches, reads.cost),
        route("POST", "/v1/batch/flow", "submit", start, writes.submit),
        route("POST", "/v1/batch/cancel/{id}", "cancel", start, writes.cancel),
        route("GET", "/v1/usage-limits", "usage_limits", "USAGE:READ", reads.usage_limits),
        route("GET", "/v1/usage-limits/daily", "usage", "USAGE:READ", reads.usage),
    ]
    if control:
        routes += ControlHandlers(world, faults, recorder).routes()
    app = Starlette(routes=routes)
    app.state.requests, app.state.faults, app.state.world = recorder, faults, world
    return app
