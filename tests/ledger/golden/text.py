"""The JSON text of a golden file: long lists as tables with the names of their columns once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_RESULT = ("kind", "key", "state", "outcome", "status_word", "walk", "adopter_key")
_ADOPTION = ("record_key", "state", "outcome", "finished_at", "adopter_key")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "results": _RESULT,
    "results_changed": _RESULT,
    "results_removed": ("kind", "key"),
    "adoptions": _ADOPTION,
    "adoptions_changed": _ADOPTION,
    "rows": (
        "result_id",
        "record_id",
        "status",
        "outcome",
        "created_at",
        "finished_at",
        "time_fault",
    ),
    "runs": (
        "id",
        "account",
        "schedule_id",
        "batch_id",
        "created_at",
        "started_at",
        "outcome",
        "ended_at",
    ),
    "schedules": (
        "id",
        "account",
        "known_until",
        "listed",
        "enabled",
        "cron",
        "timezone",
        "run_at",
        "next_run_at",
        "due_times",
        "taken_run_ids",
        "vanished",
    ),
    "names": ("account", "kind", "id", "label"),
    "series": ("metric", "labels", "created_at", "changed_at", "value"),
}
"""The lists of objects that are written as tables, by their key, wherever it stands."""
_WIDTH = 240


def dumps(content: Mapping[str, Any]) -> str:
    """Return the text: the same text for the same content."""
    return _render({"columns": COLUMNS, **_packed(content)}, 0) + "\n"


def loads(text: str) -> dict[str, Any]:
    """Return the content that `dumps` wrote. The names of the columns are the text's own."""
    content = json.loads(text)
    return _unpacked(content, content.pop("columns"))


def _packed(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _packed(part, name) for name, part in value.items()}
    if not isinstance(value, list):
        return value
    if key not in COLUMNS or not all(isinstance(row, Mapping) for row in value):
        return [_packed(part) for part in value]
    if any(set(row) != set(COLUMNS[key]) for row in value):
        raise ValueError(f"{key}: other columns than {COLUMNS[key]}")
    return [[row[column] for column in COLUMNS[key]] for row in value]


def _unpacked(value: Any, columns: Mapping[str, list[str]], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _unpacked(part, columns, name) for name, part in value.items()}
    if not isinstance(value, list):
        return value
    if key not in columns or not all(isinstance(row, list) for row in value):
        return [_unpacked(part, columns) for part in value]
    return [dict(zip(columns[key], row, strict=True)) for row in value]


def _render(value: Any, depth: int) -> str:
    """Return a value on one line where it is short, else each of its parts on a line of its own."""
    line = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    if not isinstance(value, Mapping | list | tuple) or len(line) + depth <= _WIDTH or not value:
        return line
    indent = " " * (depth + 1)
    if isinstance(value, Mapping):
        parts = [
            f"{indent}{json.dumps(key, ensure_ascii=False)}: {_render(part, depth + 1)}"
            for key, part in value.items()
        ]
        return "{\n" + ",\n".join(parts) + f"\n{indent[1:]}}}"
    parts = [f"{indent}{_render(part, depth + 1)}" for part in value]
    return "[\n" + ",\n".join(parts) + f"\n{indent[1:]}]"
