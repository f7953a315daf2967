"""Tables: instant queries joined on their common labels, with a column per query or label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

from tools.dashboards.field_config import (
    Steps,
    ValueStyle,
    field_config,
    override,
    thresholds,
    value_mappings,
)
from tools.dashboards.panels import Panel, make_panel
from tools.dashboards.queries import table_query


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table, and the style of its values.

    It shows a label, or the result of a query, or a label that only that query has (both set).
    """

    title: str
    label: str = ""
    expr: str = ""
    unit: str = "string"
    empty: str = "-"
    decimals: int | None = None
    width: int | None = None
    base: str = "text"
    steps: Steps = ()
    mappings: Mapping[Any, tuple[str, str]] = field(default_factory=dict)
    cell: str = "auto"
    """`color-text`, `color-background` or `gauge`."""
    low: float | None = None
    high: float | None = None
    link: tuple[str, str] | None = None
    """The title and the URL of a link."""


def label_column(title: str, label: str, **style: Any) -> Column:
    """Return a column of a label's values."""
    return Column(title=title, label=label, **style)


def number_column(title: str, expr: str, **style: Any) -> Column:
    """Return a column of counts: whole numbers with thousands separators."""
    return Column(**{"title": title, "expr": expr, "unit": "locale", "decimals": 0, **style})


def ratio_column(title: str, expr: str, **style: Any) -> Column:
    """Return a column of plain numbers, such as ratios and rates."""
    return Column(title=title, expr=expr, unit="none", **style)


def seconds_column(title: str, expr: str, **style: Any) -> Column:
    """Return a column of durations in seconds."""
    return Column(title=title, expr=expr, unit="s", **style)


def percent_column(title: str, expr: str, **style: Any) -> Column:
    """Return a column of shares from 0 to 1."""
    return Column(title=title, expr=expr, unit="percentunit", **style)


def gauge_column(title: str, expr: str, **style: Any) -> Column:
    """Return a column of shares from 0 to 1, each drawn as a bar."""
    return percent_column(title, expr, low=0, high=1, cell="gauge", **style)


def dollars_column(title: str, expr: str, **style: Any) -> Column:
    """Return a column of costs."""
    return Column(title=title, expr=expr, unit="currencyUSD", decimals=2, **style)


def time_column(title: str, expr: str, unit: str = "dateTimeFromNow", **style: Any) -> Column:
    """Return a column of times, from Unix seconds."""
    return Column(title=title, expr=f"{expr} * 1000", unit=unit, **style)


def word_column(
    title: str, expr: str, mappings: Mapping[Any, tuple[str, str]], **style: Any
) -> Column:
    """Return a column of numbers that are shown as coloured words."""
    return Column(
        title=title, expr=expr, unit="none", mappings=mappings, cell="color-text", **style
    )


def table(
    title: str, description: str, columns: Sequence[Column], *, empty: str, sort: str
) -> Panel:
    """Return a table with a row for every set of labels that any query returns.

    `sort` is the title of a column. With a "-" before it, the highest value comes first.
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
    config = field_config(
        ValueStyle(unit="short", empty=empty, base="text"),
        {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": False},
    )
    config["overrides"] = [_override(column) for column in columns]
    options = {
        "cellHeight": "sm",
        "showHeader": True,
        "sortBy": [{"displayName": sort.removeprefix("-"), "desc": sort[0] == "-"}],
    }
    return make_panel(
        "table",
        title,
        description,
        [table_query(column.expr) for column in queried],
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
    if column.mappings:
        properties["mappings"] = value_mappings(column.mappings)
    if column.cell != "auto":
        properties["custom__cellOptions"] = _cell(column.cell)
    if column.link:
        title, url = column.link
        properties["links"] = [{"title": title, "url": url, "targetBlank": False}]
    if not column.label:
        properties["custom__align"] = "right"
    return override(column.title, **properties)


def _cell(kind: str) -> dict[str, Any]:
    if kind == "gauge":
        return {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
    if kind == "color-background":
        return {"type": "color-background", "mode": "basic"}
    return {"type": kind}
