"""From panels to a dashboard: the grid, the ids, the variables, the links to the others."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from .panels import DATASOURCE, Panel

WIDTH = 24

TITLES = {
    "runtype-overview": "Runtype / Overview",
    "runtype-batch": "Runtype / Batch",
    "runtype-slo": "Runtype / SLO",
    "runtype-exporter": "Runtype / Exporter",
}
"""Every dashboard's uid and title."""

NOTES = {
    "runtype-overview": "Is everything healthy, and which schedule is not?",
    "runtype-batch": "One schedule or batch in depth",
    "runtype-slo": "Every objective: budget left, burn rates, history",
    "runtype-exporter": "How the exporter itself is doing",
}


@dataclass(frozen=True)
class Line:
    """Panels side by side, all of one height; their widths fill the grid."""

    height: int
    cells: tuple[tuple[int, Panel], ...]


@dataclass(frozen=True)
class Section:
    """Lines below a heading; the first section of a dashboard has none."""

    title: str
    lines: tuple[Line, ...]


def line(height: int, *cells: tuple[int, Panel]) -> Line:
    """Panels of the widths given."""
    if sum(width for width, _ in cells) != WIDTH:
        raise ValueError(
            f"widths must add up to {WIDTH}: {[(width, panel['title']) for width, panel in cells]}"
        )
    return Line(height, cells)


def evenly(height: int, *panels: Panel) -> Line:
    """Panels of one width."""
    return line(height, *((WIDTH // len(panels), panel) for panel in panels))


def section(title: str, *lines: Line) -> Section:
    """Lines below a heading."""
    return Section(title, lines)


def address(uid: str, *settings: str) -> str:
    """The address of a dashboard that keeps the time range and the data source, for the links of tables."""
    kept = ("${__url_time_range}", "${datasource:queryparam}", *settings)
    return f"/d/{uid}?{'&'.join(kept)}"


ITS_ACCOUNT = "var-account=${__data.fields.Account:percentencode}"
"""For a link: the account of the row, for two accounts may have schedules of one name."""


def itself(variable: str) -> str:
    """For a link: the variable becomes the cell's value."""
    return f"var-{variable}=${{__value.raw:percentencode}}"


def dashboard(
    uid: str,
    variables: Sequence[dict[str, Any]],
    annotations: Sequence[dict[str, Any]],
    sections: Sequence[Section],
    since: str = "now-24h",
) -> dict[str, Any]:
    """A whole dashboard, in the classic JSON model that Grafana 11, 12 and 13 import."""
    return {
        "uid": uid,
        "title": TITLES[uid],
        "description": f"{NOTES[uid]}. Made from tools/dashboards by `make docs`.",
        "tags": ["runtype"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "liveNow": False,
        "weekStart": "",
        "timezone": "browser",
        "time": {"from": since, "to": "now"},
        "timepicker": {"refresh_intervals": ["30s", "1m", "5m", "15m", "1h"]},
        "refresh": "1m",
        "fiscalYearStartMonth": 0,
        "links": [_link(other) for other in TITLES if other != uid],
        "annotations": {"list": [_BUILT_IN, *annotations]},
        "templating": {"list": list(variables)},
        "panels": _placed(sections),
    }


_BUILT_IN = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}


def _link(uid: str) -> dict[str, Any]:
    return {
        "type": "link",
        "title": TITLES[uid].removeprefix("Runtype / "),
        "tooltip": NOTES[uid],
        "url": f"/d/{uid}",
        "icon": "dashboard",
        "tags": [],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
    }


def annotation(name: str, expr: str, colour: str, text: str) -> dict[str, Any]:
    """A mark at each time (in ms) that the expression's values tell."""
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expr,
        "step": "1m",
        "titleFormat": name,
        "textFormat": text,
        "useValueForTime": "on",
    }


def _placed(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Panels with their places, from the top down without a hole, numbered in that order."""
    placed: list[dict[str, Any]] = []
    y = 0
    for part in sections:
        if part.title:
            head = {"type": "row", "title": part.title, "collapsed": False, "panels": []}
            placed.append(_at(head, len(placed) + 1, (0, y, WIDTH, 1)))
            y += 1
        for row in part.lines:
            x = 0
            for width, panel in row.cells:
                placed.append(_at(panel, len(placed) + 1, (x, y, width, row.height)))
                x += width
            y += row.height
    return placed


def _at(panel: Panel, number: int, place: tuple[int, int, int, int]) -> dict[str, Any]:
    return {"id": number, "gridPos": dict(zip("xywh", place, strict=True)), **deepcopy(panel)}
