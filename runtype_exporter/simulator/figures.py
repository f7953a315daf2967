"""The API's JSON of figures that it works out itself.

Cost, the last seven days, statistics and the use of the plan.

It computes from what the world shows at a moment and knows no requests. Where a unit or a window is
a guess, it says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from math import inf
from typing import NamedTuple

from .batch import Batch
from .costs import dollars
from .render import Json, timestamp
from .world import World

_DAY = 86400.0
_WEEK = 7
_MONTH = 30 * _DAY
_NEAR = 80.0
"""Percent of a limit from which on an account is near it (documented for a header of executions).
"""
_TOKENS = 900
"""Platform tokens that one execution is taken for."""


class _Period(NamedTuple):
    """A day or a month of the plan, and the executions in it so far."""

    type: str
    begins: float
    ends: float
    used: int


def cost(world: World, batch: Batch, now: float) -> Json:
    """What a batch has cost by now."""
    return {"batchExecutionId": batch.id, "totalCostUsd": dollars(world.costs.micros(batch, now))}


def sparklines(world: World, schedule_ids: Iterable[str], now: float) -> Json:
    """The last seven days of these schedules."""
    return {
        "data": [{"scheduleId": id_, "last7Days": _week(world, id_, now)} for id_ in schedule_ids]
    }


def stats(world: World, schedule_id: str, now: float) -> Json:
    """A schedule's statistics over all its runs.

    The rate is a share of 1: the real window and unit are unknown.
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
    """The blocks that the plan has. The day is the UTC day, the month the plan's own."""
    plan = world.subscription
    answer: Json = {}
    if plan.daily is not None:
        day = now // _DAY * _DAY
        answer["daily"] = _block(
            world, plan.daily, _Period("daily", day, day + _DAY, executions(world, day, now))
        )
    if plan.monthly is not None or not answer:
        answer["monthly"] = _block(world, plan.monthly, _month(world, now))
    return answer


def usage(world: World, now: float) -> Json:
    """The same blocks among the month's token fields, which stand for executions."""
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
    """Executions from a moment until now.

    Each record counts when its batch is made, each run of an agent once.
    """
    records = sum(batch.total for batch in world.batches(now) if batch.created >= since)
    agents = sum(
        run.batch is None and not run.failed_start and run.created >= since
        for run in world.runs(now)
    )
    return records + agents


def _week(world: World, schedule_id: str, now: float) -> list[Json]:
    """Seven UTC days of runs by their creation, today the last."""
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


def _month(world: World, now: float) -> _Period:
    """The plan's present month."""
    plan = world.subscription
    renews = world.start + plan.renews
    begins = renews + (now - renews) // _MONTH * _MONTH
    before = plan.used if begins <= world.start else 0
    return _Period("monthly", begins, begins + _MONTH, before + executions(world, begins, now))


def _block(world: World, limit: int | None, period: _Period) -> Json:
    """One period's block. A limit of None is none."""
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
        "periodType": period.type,
        "inSlowMode": plan.slow_mode and limit is not None and used >= limit,
        "spendLimitEnabled": False,
        "spendLimit": None,
        "atSpendLimit": False,
    }


def _percent(used: int, limit: int | None) -> float:
    return round(100 * used / limit, 1) if limit else 0.0


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
