"""Tables: instant queries joined on the labels that they share, one column a query or label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

from .fields import Look, Steps, field_config, named, thresholds, words
from .panels import Panel, _panel
from .queries import rows


@dataclass(frozen=True, kw_only=True)
class Column:
    """A label (by its name), a query (by its expression), or a label of a query's own, and how its values look."""

    title: str
    label: str = ""
    expr: str = ""
    unit: str = "string"
    empty: str = "-"
    decimals: int | None = None
    width: int | None = None
    base: str = "text"
    steps: Steps = ()
    words: Mapping[Any, tuple[str, str]] = field(default_factory=dict)
    cell: str = "auto"
    """`color-text`, `color-background` or `gauge`."""
    low: float | None = None
    high: float | None = None
    link: tuple[str, str] | None = None
    """What clicking does, and the address."""


def table(title: str, why: str, columns: Sequence[Column], empty: str, sort: str) -> Panel:
    """A table with a row for every set of labels that any query has.

    `sort` is a column, "-" before it begins with the highest.
    """
    queried = [column for column in columns if column.expr]
    names = {column.title: _source(column, queried) for column in columns}
    organize = {
        "id": "organize",
        "options": {
            "excludeByName": {
                "Time": True,
                **{_value(column, queried): True for column in queried if column.label},
            },
            "includeByName": {},
            "indexByName": {source: index for index, source in enumerate(names.values())},
            "renameByName": {source: name for name, source in names.items()},
        },
    }
    transformations = [{"id": "merge", "options": {}}, organize] if len(queried) > 1 else [organize]
    look = Look(unit="short", empty=empty, base="text")
    config = field_config(
        look,
        {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": False},
    )
    config["overrides"] = [_override(column) for column in columns]
    options = {
        "cellHeight": "sm",
        "showHeader": True,
        "sortBy": [{"displayName": sort.removeprefix("-"), "desc": sort[0] == "-"}],
    }
    return _panel(
        "table",
        title,
        why,
        [rows(column.expr) for column in queried],
        fieldConfig=config,
        options=options,
        transformations=transformations,
    )


def _source(column: Column, queried: Sequence[Column]) -> str:
    return column.label or _value(column, queried)


def _value(column: Column, queried: Sequence[Column]) -> str:
    return f"Value #{ascii_uppercase[queried.index(column)]}" if len(queried) > 1 else "Value"


def _override(column: Column) -> dict[str, Any]:
    properties: dict[str, Any] = {"unit": column.unit, "noValue": column.empty}
    if column.decimals is not None:
        properties["decimals"] = column.decimals
    if column.low is not None:
        properties["min"] = column.low
    if column.high is not None:
        properties["max"] = column.high
    if column.width is not None:
        properties["custom__width"] = column.width
    if column.steps or column.base != "text":
        properties["thresholds"] = thresholds(column.base, column.steps)
        properties["color"] = {"mode": "thresholds"}
    if column.words:
        properties["mappings"] = words(column.words)
    if column.cell != "auto":
        properties["custom__cellOptions"] = _cell(column.cell)
    if column.link:
        title, url = column.link
        properties["links"] = [{"title": title, "url": url, "targetBlank": False}]
    if not column.label:
        properties["custom__align"] = "right"
    return named(column.title, **properties)


def _cell(kind: str) -> dict[str, Any]:
    if kind == "gauge":
        return {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
    if kind == "color-background":
        return {"type": "color-background", "mode": "basic"}
    return {"type": kind}
