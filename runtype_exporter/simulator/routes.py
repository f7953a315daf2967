"""The API over a world.

A Starlette application with the documented operations, each with its scope and the name by which it
is recorded.

The handlers are in `reads` and `changes`; what stands before them is `door`.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette

from .access import Gate, Key, Recorder
from .changes import Changes
from .control import Control
from .door import Door
from .faults import Faults
from .reads import Reads
from .world import World


def simulator_app(
    world: World, *, keys: Sequence[Key], faults: Faults | None = None, control: bool = False
) -> Starlette:
    """The API of this world, for these keys.

    `app.state` holds `requests` (what was asked), `faults` (to switch on) and `world`. `control`
    opens the door for tests in another process: GET /-/truth, POST and DELETE /-/faults, POST
    /-/stop, without a key. Serve it without the server's own Date header.
    """
    reads, changes, recorder, faults = Reads(world), Changes(world), Recorder(), faults or Faults()
    door = Door(world, Gate(tuple(keys), world.api.retry_after), faults, recorder)
    read, write, execute = "SCHEDULES:READ", "SCHEDULES:WRITE", "SCHEDULES:EXECUTE"
    batches, start = "BATCHES:READ", "BATCHES:EXECUTE"
    routes = [
        door.route("GET", "/v1/schedules", "schedules", read, reads.schedules),
        door.route("POST", "/v1/schedules", "create", write, changes.create),
        door.route("GET", "/v1/schedules/sparklines", "sparklines", read, reads.sparklines),
        door.route("GET", "/v1/schedules/runs/all", "runs", read, reads.runs),
        door.route(
            "GET", "/v1/schedules/runs/{id}/results", "run_results", read, reads.run_results
        ),
        door.route(
            "GET", "/v1/schedules/batch/{id}/results", "batch_results", read, reads.batch_results
        ),
        door.route("GET", "/v1/schedules/{id}/runs", "schedule_runs", read, reads.schedule_runs),
        door.route("GET", "/v1/schedules/{id}/stats", "stats", read, reads.stats),
        door.route("POST", "/v1/schedules/{id}/run-now", "run_now", execute, changes.run_now),
        door.route("POST", "/v1/schedules/{id}/pause", "pause", write, changes.pause),
        door.route("POST", "/v1/schedules/{id}/resume", "resume", write, changes.resume),
        door.route("GET", "/v1/schedules/{id}", "schedule", read, reads.schedule),
        door.route("PUT", "/v1/schedules/{id}", "update", write, changes.update),
        door.route("DELETE", "/v1/schedules/{id}", "delete", write, changes.delete),
        door.route("GET", "/v1/batch/summary", "summary", batches, reads.summary),
        door.route("GET", "/v1/batch/status/{id}", "batch_status", batches, reads.batch_status),
        door.route("GET", "/v1/batch/{id}/cost", "cost", batches, reads.cost),
        door.route("POST", "/v1/batch/flow", "submit", start, changes.submit),
        door.route("POST", "/v1/batch/cancel/{id}", "cancel", start, changes.cancel),
        door.route("GET", "/v1/usage-limits", "usage_limits", "USAGE:READ", reads.usage_limits),
        door.route("GET", "/v1/usage-limits/daily", "usage", "USAGE:READ", reads.usage),
    ]
    app = Starlette(routes=routes + (Control(world, faults, recorder).routes() if control else []))
    app.state.requests, app.state.faults, app.state.world = recorder, faults, world
    return app
