"""The layout of a dashboard: the grid, the panel ids, the variables, the links to the others."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tools.dashboards.panels import DATASOURCE, Panel

WIDTH = 24

TITLES = {
    "runtype-overview": "Runtype / Overview",
    "runtype-batch": "Runtype / Batch",
    "runtype-slo": "Runtype / SLO",
    "runtype-exporter": "Runtype / Exporter",
}
"""The title of each dashboard by its uid."""

NOTES = {
    "runtype-overview": "Is everything healthy, and which schedule is not?",
    "runtype-batch": "One schedule or batch in depth",
    "runtype-slo": "Every objective: budget left, burn rates, history",
    "runtype-exporter": "How the exporter itself is doing",
}


@dataclass(frozen=True)
class Row:
    """Panels side by side, all of one height. Their widths fill the grid."""

    height: int
    cells: tuple[tuple[int, Panel], ...]


@dataclass(frozen=True)
class Section:
    """Rows of panels below a heading. The first section of a dashboard has no heading."""

    title: str
    rows: tuple[Row, ...]


def row(height: int, *cells: tuple[int, Panel]) -> Row:
    """Return a row of panels with the given widths.

    Raises:
        ValueError: the widths do not fill the grid.
    """
    if sum(width for width, _ in cells) != WIDTH:
        raise ValueError(
            f"widths must add up to {WIDTH}: {[(width, panel['title']) for width, panel in cells]}"
        )
    return Row(height, cells)


def even_row(height: int, *panels: Panel) -> Row:
    """Return a row of panels of equal width."""
    return row(height, *((WIDTH // len(panels), panel) for panel in panels))


def section(title: str, *rows: Row) -> Section:
    """Return rows below a heading. An empty title is no heading."""
    return Section(title, rows)


def dashboard_url(uid: str, *settings: str) -> str:
    """Return the URL of a dashboard, for links in tables. Time range and data source are kept."""
    kept = ("${__url_time_range}", "${datasource:queryparam}", *settings)
    return f"/d/{uid}?{'&'.join(kept)}"


ROW_ACCOUNT_VAR = "var-account=${__data.fields.Account:percentencode}"
"""For a link: sets `account` to the row's account. Two accounts may have schedules of one name."""


def cell_var(variable: str) -> str:
    """Return the part of a link that sets a variable to the value of the clicked cell."""
    return f"var-{variable}=${{__value.raw:percentencode}}"


def dashboard(
    uid: str,
    variables: Sequence[dict[str, Any]],
    annotations: Sequence[dict[str, Any]],
    sections: Sequence[Section],
    since: str = "now-24h",
) -> dict[str, Any]:
    """Return a dashboard in the classic JSON model, which Grafana 11, 12 and 13 import."""
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
    """Return an annotation with a mark at each value of the expression, a time in ms."""
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
    """Return the panels with grid positions from the top down, numbered in that order."""
    placed: list[dict[str, Any]] = []
    y = 0
    for part in sections:
        if part.title:
            heading = {"type": "row", "title": part.title, "collapsed": False, "panels": []}
            placed.append(_at(heading, len(placed) + 1, (0, y, WIDTH, 1)))
            y += 1
        for line in part.rows:
            x = 0
            for width, panel in line.cells:
                placed.append(_at(panel, len(placed) + 1, (x, y, width, line.height)))
                x += width
            y += line.height
    return placed


def _at(panel: Panel, number: int, position: tuple[int, int, int, int]) -> dict[str, Any]:
    return {"id": number, "gridPos": dict(zip("xywh", position, strict=True)), **deepcopy(panel)}
