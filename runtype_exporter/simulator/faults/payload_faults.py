"""Faults of the JSON: wrong fields, rows and page information, made from a right payload."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, cast

HOSTILE_TAIL = '"\n\\{}é☃\u202e%00#'
"""Appended to every id while `hostile` is on. The simulator still finds what such an id names."""
HOSTILE_NAMES = (
    'quote " backslash \\ newline \n end',
    "\u202eright to left",
    "combining e\u0301 and astral \U0001f4a5",
    "{braces} %s $(sh) ' OR 1=1 --",
    "<script>alert(1)</script>",
    "x" * 5000,
    "\x00\x1f control",
    "",
)
GARBAGE_TIMES = (
    "yesterday",
    "",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "1700000000",
)
_NULLABLE = frozenset(
    {
        "name",
        "runAt",
        "nextRunAt",
        "lastRunAt",
        "startedAt",
        "completedAt",
        "executedAt",
        "failedAt",
        "error",
        "flowId",
        "flowName",
        "agentId",
        "agentExecutionId",
        "recordResultId",
        "totalRecords",
        "processedRecords",
        "failedRecords",
        "cron",
        "timezone",
        "recordType",
        "successRate",
        "avgDurationMs",
        "avgCostUsd",
        "remaining",
        "spendLimit",
    }
)
_NAMES = frozenset({"name", "flowName", "status"})
_IDS = frozenset({"id", "recordId", "recordResultId", "batchExecutionId", "scheduleId", "flowId"})
_FIRST_CURSOR = "WyJvZmZzZXQiLCAwXQ"
"""The offset cursor of the first page."""


def change_page(payload: dict[str, Any], kind: str, value: Any) -> None:
    """Repeat or remove rows, or make the next cursor lead back.

    A payload without rows or page information stays unchanged.
    """
    rows = payload.get("data", [])
    if kind == "duplicate":
        rows += rows[:1]
    elif kind == "short":
        del rows[-(value or 1) :]
    elif "pagination" in payload:
        payload["pagination"].update(nextCursor=value or _FIRST_CURSOR, hasMore=True)


def change_fields(payload: dict[str, Any], kind: str, value: Any, rng: Random) -> None:
    """Put nulls, unknown words, garbage or hostile text into the fields of every object."""
    for holder in list(_objects(payload)):
        for key, old in holder.items():
            if kind == "nulls" and key in (value or _NULLABLE):
                holder[key] = None
            elif kind == "words" and key == "status":
                holder[key] = value
            elif kind == "times" and key.endswith("At") and old:
                holder[key] = rng.choice(GARBAGE_TIMES)
            elif kind == "hostile" and key in _NAMES:
                holder[key] = rng.choice(HOSTILE_NAMES)
            elif kind == "hostile" and key in _IDS and old:
                holder[key] = old + HOSTILE_TAIL


def change_path(node: object, path: list[str], value: Any, *, drop: bool) -> None:
    """Set or drop the field at a path, in place. `ApiFault` describes the paths."""
    head, *rest = path
    if isinstance(node, list):
        for index, child in enumerate(node):
            if head in {"*", str(index)} or (head[:1] == "@" and head[1:] in child.values()):
                change_path(child, rest, value, drop=drop)
    elif isinstance(node, dict):
        if rest:
            change_path(node.get(head), rest, value, drop=drop)
        elif drop:
            node.pop(head, None)
        else:
            node[head] = value


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield cast("dict[str, Any]", value)
        value = list(value.values())
    if isinstance(value, list):
        for child in value:
            yield from _objects(child)
