"""The documented reads of schedules, batches and usage: a request becomes a read of the world.

`render` and `statistics` make the JSON; `middleware` has checked the key before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from starlette.requests import Request

from runtype_exporter.simulator.account.batch import SimulatedBatch, SimulatedRun
from runtype_exporter.simulator.account.world import World
from runtype_exporter.simulator.api import paging, render
from runtype_exporter.simulator.api.auth import Refusal
from runtype_exporter.simulator.api.middleware import (
    find_batch,
    find_schedule,
    original_id,
    path_id,
)
from runtype_exporter.simulator.api.paging import ItemT, Listing
from runtype_exporter.simulator.api.render import Json
from runtype_exporter.simulator.api.statistics import (
    batch_cost,
    daily_usage,
    schedule_stats,
    sparklines,
    usage_limits,
)
from runtype_exporter.simulator.faults.faults import ApiFault, page_start

_MAX_SPARKLINES = 100
"""Schedules that one request for sparklines may name (documented)."""


class ReadHandlers:
    """The handlers of one world that only read."""

    def __init__(self, world: World) -> None:
        self.world = world

    # --- schedules ---
    async def schedules(self, request: Request, now: float, struck: list[ApiFault]) -> Json:
        """GET /v1/schedules."""
        query, world = request.query_params, self.world
        wanted = {None: {True, False}, "active": {True}, "paused": {False}}.get(query.get("status"))
        if wanted is None:
            raise Refusal(400, "Invalid status", code="INVALID_ENUM")
        search = query.get("search", "").lower()
        ids = [
            id_
            for id_, spec in world.schedules_at(now).items()
            if spec.enabled in wanted and search in (spec.name or "").lower()
        ]
        listing = Listing(ids, str, str)
        return self._cursor_page(
            query, listing, struck, lambda id_: render.schedule(world, id_, now)
        )

    async def schedule(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """GET /v1/schedules/{id}."""
        return render.schedule(self.world, find_schedule(self.world, request, now), now)

    async def runs(self, request: Request, now: float, struck: list[ApiFault]) -> Json:
        """GET /v1/schedules/runs/all, with the runs of deleted schedules."""
        world = self.world
        listing = Listing(
            self._ordered(world.runs(now)), lambda run: run.id, lambda id_: world.run(id_, now)
        )
        return self._cursor_page(
            request.query_params, listing, struck, lambda run: render.run(world, run, now)
        )

    async def schedule_runs(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """GET /v1/schedules/{id}/runs.

        It has no pagination. The length of the real list is unknown; here it is one page.
        """
        runs = self._ordered(self.world.runs(now, find_schedule(self.world, request, now)))
        return {
            "data": [render.run(self.world, run, now) for run in runs[: self.world.api.page_cap]]
        }

    async def sparklines(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """GET /v1/schedules/sparklines.

        All schedules, or those in `ids`; an unknown id is left out. What the real API does with
        more than 100 ids is unknown; here it is an error.
        """
        ids, existing = request.query_params.get("ids"), self.world.schedules_at(now)
        asked = list(existing) if ids is None else [original_id(id_) for id_ in ids.split(",")]
        if ids is not None and len(asked) > _MAX_SPARKLINES:
            raise Refusal(400, "Too many ids", code="INVALID_RANGE")
        return sparklines(self.world, (id_ for id_ in asked if id_ in existing), now)

    async def stats(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """GET /v1/schedules/{id}/stats."""
        return schedule_stats(self.world, find_schedule(self.world, request, now), now)

    # --- results ---
    async def batch_results(self, request: Request, now: float, struck: list[ApiFault]) -> Json:
        """GET /v1/schedules/batch/{id}/results."""
        return self._results(
            find_batch(self.world, request, now), request.query_params, now, struck
        )

    async def run_results(self, request: Request, now: float, struck: list[ApiFault]) -> Json:
        """GET /v1/schedules/runs/{id}/results.

        It declares no parameters. Whether it respects them is an option of the world.
        """
        run = self.world.run(path_id(request), now)
        if run is None:
            raise Refusal(404, "Run not found")
        query = request.query_params if self.world.api.run_results_paged else {}
        return self._results(run.batch, query, now, struck)

    def _results(
        self,
        batch: SimulatedBatch | None,
        query: Mapping[str, str],
        now: float,
        struck: list[ApiFault],
    ) -> Json:
        api = self.world.api
        size = paging.limit(query, api.default_limit, api.page_cap, strict=False)
        asked = paging.offset(query)
        rows, total = (
            batch.page(now, api, page_start(struck, asked), size, query.get("status"))
            if batch
            else ([], 0)
        )
        return {
            "data": [render.result(self.world, batch, row, now) for row in rows] if batch else [],
            "pagination": {
                "limit": size,
                "offset": asked,
                "total": total,
                "hasMore": asked + size < total,
            },
        }

    # --- batches and usage ---
    async def batch_status(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """GET /v1/batch/status/{id}."""
        return render.batch_status(self.world, find_batch(self.world, request, now), now)

    async def summary(self, _: Request, now: float, __: list[ApiFault]) -> Json:
        """GET /v1/batch/summary."""
        return render.summary(self.world, self.world.summary(now), now)

    async def cost(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """GET /v1/batch/{id}/cost."""
        return batch_cost(self.world, find_batch(self.world, request, now), now)

    async def usage(self, _: Request, now: float, __: list[ApiFault]) -> Json:
        """GET /v1/usage-limits/daily."""
        return daily_usage(self.world, now)

    async def usage_limits(self, _: Request, now: float, __: list[ApiFault]) -> Json:
        """GET /v1/usage-limits."""
        return usage_limits(self.world, now)

    # --- shared ---
    def _cursor_page(
        self,
        query: Mapping[str, str],
        listing: Listing[ItemT],
        struck: list[ApiFault],
        show: Callable[[ItemT], Json],
    ) -> Json:
        api = self.world.api
        size = paging.limit(query, api.default_limit, api.page_cap, strict=True)
        window = paging.page_window(listing, query, size)
        begin = page_start(struck, window.start)
        shown = listing.items[begin : begin + window.stop - window.start]
        mode: paging.CursorMode = "offset" if api.offset_cursors else "item"
        return {
            "data": [show(item) for item in shown],
            "pagination": paging.pagination(listing, window, mode),
        }

    def _ordered(self, runs: Sequence[SimulatedRun]) -> list[SimulatedRun]:
        order = self.world.api.runs_order
        if order == "shuffled":
            return sorted(runs, key=lambda run: run.id[-16:])
        # An API sorts by the creation times that it shows.
        in_order = self.world.shown_time.sort(runs, lambda run: run.created)
        return in_order if order == "oldest" else in_order[::-1]
