"""The API's computed JSON: costs, the last seven days, statistics, and the use of the plan.

Where a unit or a window of the real API is unknown, a docstring names the guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from math import inf
from typing import NamedTuple

from runtype_exporter.simulator.account.batch import SimulatedBatch
from runtype_exporter.simulator.account.costs import dollars
from runtype_exporter.simulator.account.world import World
from runtype_exporter.simulator.api.render import Json, timestamp

_DAY = 86400.0
_WEEK = 7
_MONTH = 30 * _DAY
_NEAR = 80.0
"""Percent of a limit at which an account is near it (documented for a header of executions)."""
_TOKENS = 900
"""Platform tokens that one execution counts as (a guess)."""


class _PlanPeriod(NamedTuple):
    """A day or a month of the plan, and the executions in it so far."""

    kind: str
    begins: float
    ends: float
    used: int


def batch_cost(world: World, batch: SimulatedBatch, now: float) -> Json:
    """Return what a batch has cost by now."""
    return {"batchExecutionId": batch.id, "totalCostUsd": dollars(world.costs.micros(batch, now))}


def sparklines(world: World, schedule_ids: Iterable[str], now: float) -> Json:
    """Return the last seven days of these schedules."""
    return {
        "data": [{"scheduleId": id_, "last7Days": _week(world, id_, now)} for id_ in schedule_ids]
    }


def schedule_stats(world: World, schedule_id: str, now: float) -> Json:
    """Return a schedule's statistics over all its runs.

    The success rate is between 0 and 1. The real window and unit are unknown.
    """
    ended = [run for run in world.runs(now, schedule_id) if run.ends <= now]
    outcomes = Counter(run.outcome for run in ended)
    completed, failed = outcomes["success"], outcomes["failure"]
    durations = [run.ends - run.started for run in ended if run.started < inf]
    costs = [world.costs.micros(run.batch, now) for run in ended if run.batch is not None]
    return {
        "total": len(world.runs(now, schedule_id)),
        "completed": completed,
        "failed": failed,
        "successRate": completed / (completed + failed) if completed + failed else None,
        "avgDurationMs": round(1000 * sum(durations) / len(durations), 1) if durations else None,
        "avgCostUsd": dollars(sum(costs)) / len(costs) if costs else None,
        "last7Days": _week(world, schedule_id, now),
    }


def daily_usage(world: World, now: float) -> Json:
    """Return the blocks that the plan has: the UTC day, the plan's own month, or both."""
    plan = world.subscription
    answer: Json = {}
    if plan.daily is not None:
        day = now // _DAY * _DAY
        answer["daily"] = _block(
            world, plan.daily, _PlanPeriod("daily", day, day + _DAY, executions(world, day, now))
        )
    if plan.monthly is not None or not answer:
        answer["monthly"] = _block(world, plan.monthly, _month(world, now))
    return answer


def usage_limits(world: World, now: float) -> Json:
    """Return the month in tokens, computed from its executions, with the blocks of the plan."""
    month = _month(world, now)
    used, limit = month.used, world.subscription.monthly
    percent = _percent(used, limit)
    return {
        "usage": {
            "userId": "user_simulated",
            "month": _date(month.begins)[:7],
            "platformTokensUsed": used * _TOKENS,
            "platformTokenLimit": None if limit is None else limit * _TOKENS,
            "percentUsed": percent,
            "remaining": None if limit is None else max(limit - used, 0) * _TOKENS,
            "isNearLimit": percent >= _NEAR,
            "isOverLimit": limit is not None and used > limit,
            "isUnlimited": limit is None,
            "spendLimitEnabled": False,
            "spendLimit": None,
            "atSpendLimit": False,
            **daily_usage(world, now),
        }
    }


def executions(world: World, since: float, now: float) -> int:
    """Return the number of executions from a moment until now.

    Each record counts when its batch is created, each run of an agent once.
    """
    records = sum(batch.total for batch in world.batches(now) if batch.created >= since)
    agents = sum(
        run.batch is None and not run.failed_start and run.created >= since
        for run in world.runs(now)
    )
    return records + agents


def _week(world: World, schedule_id: str, now: float) -> list[Json]:
    """Return the runs of the last seven UTC days by their creation, today last."""
    today = now // _DAY
    runs, failed = Counter[float](), Counter[float]()
    for run in world.runs(now, schedule_id):
        day = run.created // _DAY
        runs[day] += 1
        failed[day] += run.state(now) == "failure"
    days = [today - back for back in reversed(range(_WEEK))]
    return [
        {"date": _date(day * _DAY), "runs": runs[day], "failed": failed[day]}
        for day in days
        if runs[day] or world.api.empty_days
    ]


def _month(world: World, now: float) -> _PlanPeriod:
    """Return the plan's current month."""
    plan = world.subscription
    renews = world.start + plan.renews
    begins = renews + (now - renews) // _MONTH * _MONTH
    before = plan.used if begins <= world.start else 0
    return _PlanPeriod("monthly", begins, begins + _MONTH, before + executions(world, begins, now))


def _block(world: World, limit: int | None, period: _PlanPeriod) -> Json:
    """Return the block of one period. A limit of None means unlimited."""
    plan, used = world.subscription, period.used
    percent = _percent(used, limit)
    over = 0 if limit is None else max(used - limit, 0)
    return {
        "date": _date(period.begins),
        "executionsUsed": used,
        "executionLimit": limit or 0,
        "percentUsed": percent,
        "remaining": None if limit is None else max(limit - used, 0),
        "isNearLimit": percent >= _NEAR,
        "isAtLimit": limit is not None and used >= limit,
        "isOverage": over > 0 and not plan.slow_mode,
        "overageCount": over,
        "tier": plan.tier,
        "resetsAt": timestamp(period.ends),
        "isUnlimited": limit is None,
        "periodType": period.kind,
        "inSlowMode": plan.slow_mode and limit is not None and used >= limit,
        "spendLimitEnabled": False,
        "spendLimit": None,
        "atSpendLimit": False,
    }


def _percent(used: int, limit: int | None) -> float:
    return round(100 * used / limit, 1) if limit else 0.0


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
