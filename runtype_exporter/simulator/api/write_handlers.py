"""The operations that change the account: a checked request body becomes a change of the world.

Submit and cancel a batch; create, update, pause, resume, delete and run a schedule. The API
documents bodies only by two examples: a target, a trigger and execution options. That `name` and
`enabled` are accepted too is a guess from the object that is read back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from runtype_exporter.simulator.account.cron import check
from runtype_exporter.simulator.account.world import World
from runtype_exporter.simulator.api.auth import Refusal
from runtype_exporter.simulator.api.middleware import find_batch, find_schedule, read_body
from runtype_exporter.simulator.api.render import Json
from runtype_exporter.simulator.faults.faults import ApiFault
from runtype_exporter.simulator.settings import ScheduleSpec


class WriteHandlers:
    """The handlers of one world that change it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._created = 0

    # --- batches ---
    async def submit(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """POST /v1/batch/flow with `flowId` or `agentId`, and `recordIds` or `records`.

        The id is that of a flow in the account; any other text is taken as a flow's name.
        """
        content = await read_body(request)
        records = content.get("recordIds") or content.get("records")
        flow = next((content[key] for key in ("flowId", "agentId") if content.get(key)), None)
        if not isinstance(records, list) or not isinstance(flow, str):
            raise Refusal(
                400, "flowId and a non-empty recordIds are required", code="MISSING_REQUIRED_FIELD"
            )
        ids = [record for record in records if isinstance(record, str)]
        batch = self.world.add_adhoc(
            len(records), at=now, flow=self.world.flow_name(flow), record_ids=ids
        )
        return {"batchExecutionId": batch.id, "status": self.world.api.batch_words["pending"]}

    async def cancel(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """POST /v1/batch/cancel/{id}. It declares no 404: every error is 400."""
        batch = find_batch(self.world, request, now, missing=400)
        if not self.world.cancel_batch(batch.id, now):
            raise Refusal(400, "Batch is neither queued nor running")
        return {"success": True, "message": "Batch cancelled"}

    # --- schedules ---
    async def run_now(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """POST /v1/schedules/{id}/run-now."""
        run = self.world.run_now(find_schedule(self.world, request, now), now)
        batch = run.batch.id if run.batch and run.batch.listed else None
        return {"runId": run.id, "batchExecutionId": batch, "status": "queued", "error": None}

    async def create(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """POST /v1/schedules."""
        content = await read_body(request)
        if "target" not in content or "trigger" not in content:
            raise Refusal(400, "target and trigger are required", code="MISSING_REQUIRED_FIELD")
        fields = self._fields(content)
        self._check_limit(now, more=fields.get("enabled", True))
        self._created += 1
        id_ = self.world.add_schedule(ScheduleSpec(key=f"made/{self._created}", **fields), now)
        return {"id": id_, "status": "created"}

    async def update(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """PUT /v1/schedules/{id}. A field that the body lacks stays unchanged."""
        id_ = find_schedule(self.world, request, now)
        fields = self._fields(await read_body(request))
        self._check_limit(
            now, more=fields.get("enabled", False) and not self.world.schedules_at(now)[id_].enabled
        )
        self.world.update(id_, now, **fields)
        return {"id": id_, "status": "updated"}

    async def delete(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """DELETE /v1/schedules/{id}. It declares no 404."""
        self.world.delete(find_schedule(self.world, request, now, missing=400), now)
        return {"success": True}

    async def pause(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """POST /v1/schedules/{id}/pause. It declares no 404."""
        self.world.pause(find_schedule(self.world, request, now, missing=400), now)
        return {"status": "paused"}

    async def resume(self, request: Request, now: float, _: list[ApiFault]) -> Json:
        """POST /v1/schedules/{id}/resume. It declares no 404."""
        id_ = find_schedule(self.world, request, now, missing=400)
        self._check_limit(now, more=not self.world.schedules_at(now)[id_].enabled)
        self.world.resume(id_, now)
        return {"status": "resumed"}

    # --- shared ---
    def _check_limit(self, now: float, *, more: bool) -> None:
        enabled = sum(spec.enabled for spec in self.world.schedules_at(now).values())
        limit = self.world.subscription.schedules
        if more and limit is not None and enabled >= limit:
            raise Refusal(402, "Schedule limit reached")

    def _fields(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return a body as fields of a schedule.

        Raises:
            Refusal: 400 if a field is wrong, 404 if the account has no such target.
        """
        fields: dict[str, Any] = {}
        for key, kind in (("name", (str, type(None))), ("enabled", bool)):
            if key in content:
                fields[key] = _typed(content, key, kind)
        if "target" in content:
            fields |= self._target_fields(_typed(content, "target", dict))
        if "trigger" in content:
            fields |= _trigger_fields(_typed(content, "trigger", dict))
        return fields

    def _target_fields(self, target: dict[str, Any]) -> dict[str, Any]:
        for key, kind, name in (
            ("flowId", "flow", self.world.flow_name),
            ("agentId", "agent", self.world.agent_name),
        ):
            if key in target:
                id_ = _typed(target, key, str)
                if name(id_) == id_:
                    raise Refusal(404, "Target not found")
                return {"flow": name(id_), "kind": kind}
        raise Refusal(400, "target needs a flowId or an agentId", code="MISSING_REQUIRED_FIELD")


def _typed(content: dict[str, Any], key: str, kind: type | tuple[type, ...]) -> Any:
    value = content.get(key)
    if not isinstance(value, kind):
        raise Refusal(400, f"{key} has the wrong type", code="INVALID_TYPE")
    return value


def _trigger_fields(trigger: dict[str, Any]) -> dict[str, Any]:
    kind = trigger.get("type")
    try:
        if kind == "recurring":
            cron, timezone = (
                _typed(trigger, "cron", str),
                _typed({"timezone": "UTC", **trigger}, "timezone", str),
            )
            check(cron, timezone)
            return {"cron": cron, "timezone": timezone, "run_at": None}
        if kind == "one_time":
            run_at = datetime.fromisoformat(_typed(trigger, "runAt", str))
            return {
                "cron": None,
                "run_at": (run_at if run_at.tzinfo else run_at.replace(tzinfo=UTC)).timestamp(),
            }
    except ValueError as error:
        raise Refusal(400, str(error), code="INVALID_FORMAT") from error
    raise Refusal(400, "trigger.type is recurring or one_time", code="INVALID_ENUM")
