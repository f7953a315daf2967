"""The API's JSON objects, field by field as documented.

Every field that would hold customer data in a real account holds a marked text.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from typing import Any

from runtype_exporter.simulator.account.batch import SimulatedBatch, SimulatedRow, SimulatedRun
from runtype_exporter.simulator.account.history import SummaryBatches
from runtype_exporter.simulator.account.world import World
from runtype_exporter.simulator.settings import MARKER

Json = dict[str, Any]


def timestamp(at: float | None) -> str | None:
    """Return a moment in ISO 8601 with milliseconds and Z, or None for never."""
    if at is None or at == inf:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def schedule(world: World, id_: str, now: float) -> Json:
    """Return a schedule as the list and the single read show it."""
    known = world.schedule(id_)
    spec = known.spec(now)
    agent = spec.kind in {"agent", "agent_batch"}
    target = world.factory.agent_id(spec.flow) if agent else world.factory.flow_id(spec.flow)
    return {
        "id": id_,
        "name": spec.name,
        "enabled": spec.enabled,
        "triggerType": "recurring" if spec.cron else "one_time",
        "cron": spec.cron,
        "runAt": _shown(world, spec.run_at),
        "timezone": spec.timezone,
        "nextRunAt": _shown(world, world.next_run(id_, now)),
        "lastRunAt": _shown(world, world.last_run(id_, now)),
        "flowId": None if agent else target,
        "agentId": target if agent else None,
        "recordIds": None,
        "recordType": None if agent else "company",
        "inputs": {"note": f"{MARKER}-inputs"},
        "executionOptions": {
            "recordConcurrency": spec.traffic.concurrency,
            "progressFlushSize": world.api.flush,
        },
        "productSurfaceId": None,
        "organizationId": None,
        "userId": "user_simulated",
        "createdAt": _shown(world, known.created),
        "updatedAt": _shown(world, known.updated(now)),
    }


def run(world: World, run: SimulatedRun, now: float) -> Json:
    """Return a run as both run lists show it.

    A run of an agent, and one that failed at its start, has no batch and no counts.
    """
    state, batch = run.state(now), run.batch
    over = now >= run.ends
    processed, failed = batch.counts(now, world.api) if batch else (None, None)
    return {
        "id": run.id,
        "scheduleId": run.schedule,
        "status": world.api.run_words[state],
        "createdAt": _shown(world, run.created),
        "startedAt": _shown(world, run.started) if now >= run.started else None,
        "completedAt": _shown(world, run.ends) if over else None,
        "error": f"{MARKER}-run-error" if over and run.outcome == "failure" else None,
        "flowId": None if run.agent_id else world.factory.flow_id(run.spec.flow),
        "agentId": run.agent_id,
        "agentExecutionId": (
            None if batch or run.failed_start else run.id.replace("run_", "agentexec_")
        ),
        "batchExecutionId": batch.id if batch and batch.listed else None,
        "totalRecords": batch.total if batch else None,
        "processedRecords": processed,
        "failedRecords": failed,
    }


def batch_status(world: World, batch: SimulatedBatch, now: float) -> Json:
    """Return a batch as its status endpoint shows it."""
    processed, failed = batch.counts(now, world.api)
    answer: Json = {
        "batchExecutionId": batch.id,
        "flowId": batch.target.flow_id,
        "status": world.api.batch_words[batch.shown_state(now)],
        "startedAt": _shown(world, batch.shown_start(now)),
        "totalRecords": batch.total,
        "processedRecords": processed,
        "failedRecords": failed,
        "progress": _progress(batch, now),
    }
    if not batch.is_active(now):
        answer["completedAt"] = _shown(world, batch.ends)
        answer["successCount"] = batch.final.get("success", 0)
    return answer


def summary(world: World, listed: SummaryBatches, now: float) -> Json:
    """Return the account's active and recently ended batches.

    With a limit on the active ones, their count still has all.
    """
    active = listed.active[: world.api.active_limit]
    return {
        "activeBatches": len(listed.active),
        "recentlyCompleted": len(listed.recent),
        "batches": [_summary_item(world, batch, now) for batch in active],
        "recent": [_summary_item(world, batch, now) for batch in listed.recent],
    }


def _summary_item(world: World, batch: SimulatedBatch, now: float) -> Json:
    processed, failed = batch.counts(now, world.api)
    return {
        "id": batch.id,
        "flowName": batch.target.flow_name,
        "status": world.api.batch_words[batch.shown_state(now)],
        "progress": _progress(batch, now),
        "startedAt": _shown(world, batch.shown_start(now)),
        "totalRecords": batch.total,
        "processedRecords": processed,
        "failedRecords": failed,
    }


def _progress(batch: SimulatedBatch, now: float) -> int:
    if now >= batch.ends or not batch.total:
        return 100
    return 100 * batch.work.counts(now).ended // batch.total


def result(world: World, batch: SimulatedBatch, row: SimulatedRow, now: float) -> Json:
    """Return one result of a record.

    A failure has only `failedAt`, a success only `executedAt`, any other result neither.
    """
    record, attempt, api = row.place.record, row.attempt, world.api
    record_id = world.factory.record_id(batch, record)
    final = now >= attempt.finished
    shown = api.result_ids == "always" or (api.result_ids == "when_final" and final)
    answer: Json = {
        "recordResultId": (
            world.factory.result_id(batch, record, row.place.attempt) if shown else None
        ),
        "recordId": record_id,
        "record": {"id": record_id, "name": f"{MARKER}-record-{record}", "type": "company"},
        "status": row.word(api.record_words),
        "createdAt": _shown(world, attempt.created),
        "executedAt": _shown(world, attempt.finished) if row.state == "success" else None,
        "failedAt": _shown(world, attempt.finished) if row.state == "failure" else None,
        "error": f"{MARKER}-error" if row.state == "failure" else None,
        "flowId": batch.target.flow_id or None,
        "flowName": None if batch.target.agent_id else batch.target.flow_name,
        "agentExecutionId": (
            record_id.replace("record_", "agentexec_") if batch.target.agent_id else None
        ),
    }
    if row.state == "success":
        answer["result"] = {"answer": f"{MARKER}-result".ljust(api.payload, ".")}
    return answer


def _shown(world: World, at: float | None) -> str | None:
    return None if at is None else timestamp(world.shown_time.shown(at))
