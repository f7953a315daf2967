"""The operations that change the account.

Submit and cancel a batch; make, change, pause, resume, delete and run a schedule.

A body is checked here and becomes a change of the world. The API documents bodies by two examples
alone: a target, a trigger and execution options; `name` and `enabled` beside them are taken from
the object that is read back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from .access import Refusal
from .cron import check
from .door import body, named_batch, named_schedule
from .faults import Fault
from .render import Json
from .values import ScheduleSpec
from .world import World


class Changes:
    """The changing handlers of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._made = 0

    # --- batches ---
    async def submit(self, request: Request, now: float, _: list[Fault]) -> Json:
        """POST /v1/batch/flow: `flowId` of a flow that the account knows, or any other name, and `recordIds` or `records`."""
        content = await body(request)
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

    async def cancel(self, request: Request, now: float, _: list[Fault]) -> Json:
        """POST /v1/batch/cancel/{id}.

        It declares no 404, so whatever cannot be cancelled is 400.
        """
        batch = named_batch(self.world, request, now, missing=400)
        if not self.world.cancel_batch(batch.id, now):
            raise Refusal(400, "Batch is neither queued nor running")
        return {"success": True, "message": "Batch cancelled"}

    # --- schedules ---
    async def run_now(self, request: Request, now: float, _: list[Fault]) -> Json:
        """POST /v1/schedules/{id}/run-now."""
        run = self.world.run_now(named_schedule(self.world, request, now), now)
        batch = run.batch.id if run.batch and run.batch.listed else None
        return {"runId": run.id, "batchExecutionId": batch, "status": "queued", "error": None}

    async def create(self, request: Request, now: float, _: list[Fault]) -> Json:
        """POST /v1/schedules."""
        content = await body(request)
        if "target" not in content or "trigger" not in content:
            raise Refusal(400, "target and trigger are required", code="MISSING_REQUIRED_FIELD")
        fields = self._fields(content)
        self._admit(now, more=fields.get("enabled", True))
        self._made += 1
        id_ = self.world.add_schedule(ScheduleSpec(key=f"made/{self._made}", **fields), now)
        return {"id": id_, "status": "created"}

    async def update(self, request: Request, now: float, _: list[Fault]) -> Json:
        """PUT /v1/schedules/{id}: what the body leaves out stays."""
        id_ = named_schedule(self.world, request, now)
        fields = self._fields(await body(request))
        self._admit(
            now, more=fields.get("enabled", False) and not self.world.schedules_at(now)[id_].enabled
        )
        self.world.update(id_, now, **fields)
        return {"id": id_, "status": "updated"}

    async def delete(self, request: Request, now: float, _: list[Fault]) -> Json:
        """DELETE /v1/schedules/{id}: it declares no 404."""
        self.world.delete(named_schedule(self.world, request, now, missing=400), now)
        return {"success": True}

    async def pause(self, request: Request, now: float, _: list[Fault]) -> Json:
        """POST /v1/schedules/{id}/pause: it declares no 404."""
        self.world.pause(named_schedule(self.world, request, now, missing=400), now)
        return {"status": "paused"}

    async def resume(self, request: Request, now: float, _: list[Fault]) -> Json:
        """POST /v1/schedules/{id}/resume: it declares no 404."""
        id_ = named_schedule(self.world, request, now, missing=400)
        self._admit(now, more=not self.world.schedules_at(now)[id_].enabled)
        self.world.resume(id_, now)
        return {"status": "resumed"}

    # --- shared ---
    def _admit(self, now: float, *, more: bool) -> None:
        enabled = sum(spec.enabled for spec in self.world.schedules_at(now).values())
        limit = self.world.subscription.schedules
        if more and limit is not None and enabled >= limit:
            raise Refusal(402, "Schedule limit reached")

    def _fields(self, content: dict[str, Any]) -> dict[str, Any]:
        """A body as fields of a schedule.

        Raises:
            Refusal: 400 where one is wrong, 404 where the account has no such target.
        """
        fields: dict[str, Any] = {}
        for key, kind in (("name", (str, type(None))), ("enabled", bool)):
            if key in content:
                fields[key] = _typed(content, key, kind)
        if "target" in content:
            fields |= self._target(_typed(content, "target", dict))
        if "trigger" in content:
            fields |= _trigger(_typed(content, "trigger", dict))
        return fields

    def _target(self, target: dict[str, Any]) -> dict[str, Any]:
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


def _trigger(trigger: dict[str, Any]) -> dict[str, Any]:
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
