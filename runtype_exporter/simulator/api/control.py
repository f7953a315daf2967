"""Control routes for tests in another process: the truth, faults, and the end of all schedules.

They need no key and are no part of the API. `simulator_app` adds them only with `control=True`.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtype_exporter.simulator.account.world import World
from runtype_exporter.simulator.api.auth import RequestRecorder
from runtype_exporter.simulator.faults.faults import ApiFault, Faults


class ControlHandlers:
    """The handlers of the control routes."""

    def __init__(self, world: World, faults: Faults, recorder: RequestRecorder) -> None:
        self._world, self._faults, self._recorder = world, faults, recorder

    def routes(self) -> list[Route]:
        """Return the control routes."""
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
                ApiFault.from_json(spec) for spec in (body if isinstance(body, list) else [body])
            ]
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        self._faults.add(*faults)
        return JSONResponse({"added": len(faults)})

    async def _disarm(self, _: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)
