"""A door for tests in another process.

The truth, the requests so far, faults and the end of all schedules. It takes no key.

It is open only where `simulator_app` was told so; nothing of it belongs to the API.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .access import Recorder
from .faults import Fault, Faults
from .world import World


class Control:
    """The handlers of the door."""

    def __init__(self, world: World, faults: Faults, recorder: Recorder) -> None:
        self._world, self._faults, self._recorder = world, faults, recorder

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("/-/truth", self._truth, methods=["GET"]),
            Route("/-/stop", self._stop, methods=["POST"]),
            Route("/-/faults", self._arm, methods=["POST"]),
            Route("/-/faults", self._disarm, methods=["DELETE"]),
        ]

    async def _truth(self, _: Request) -> Response:
        now = self._world.clock.now()
        return JSONResponse(
            {
                "now": now,
                "quiet": self._world.quiet(now),
                "results": [[*key, count] for key, count in sorted(self._world.truth(now).items())],
                "runs": [
                    [*key, count] for key, count in sorted(self._world.truth_runs(now).items())
                ],
                "requests": dict(self._recorder.counts),
                "busiestHour": self._recorder.busiest_hour,
            }
        )

    async def _stop(self, _: Request) -> Response:
        now = self._world.clock.now()
        self._world.stop(now)
        return JSONResponse({"now": now})

    async def _arm(self, request: Request) -> Response:
        body = await request.json()
        try:
            faults = [
                Fault.from_json(spec) for spec in (body if isinstance(body, list) else [body])
            ]
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        self._faults.add(*faults)
        return JSONResponse({"added": len(faults)})

    async def _disarm(self, _: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)
