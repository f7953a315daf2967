"""The kinds of panels that the dashboards are made of.

Each takes a title, a description, its queries and how its values look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from .fields import Look, field_config
from .queries import Target

Panel = dict[str, Any]

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def stat(
    title: str, why: str, query: Target | Sequence[Target], look: Look, **options: Any
) -> Panel:
    """One number to read from across the room (or two); its background tells how things stand."""
    standard = {
        "colorMode": "background_solid",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "textMode": "value",
        "reduceOptions": LAST,
    }
    queries = [query] if isinstance(query, dict) else query
    return _panel(
        "stat",
        title,
        why,
        queries,
        fieldConfig=field_config(look.deep()),
        options={**standard, **options},
    )


def figure(title: str, why: str, query: Target, look: Look, **options: Any) -> Panel:
    """One number that tells how much, not whether it is well."""
    panel = stat(title, why, query, look, **{"colorMode": "value", **options})
    return {**panel, "fieldConfig": field_config(look)}


def lines(title: str, why: str, queries: Sequence[Target], look: Look, **options: Any) -> Panel:
    """Lines over time.

    Gaps up to a quarter of an hour are bridged: between two batches there is nothing to see.
    """
    custom = {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 2,
        "fillOpacity": 8,
        "gradientMode": "opacity",
        "showPoints": "auto",
        "pointSize": 4,
        "spanNulls": 900_000,
        "stacking": {"mode": "none", "group": "A"},
        "thresholdsStyle": {"mode": "off"},
    }
    return _graph(title, why, queries, look, custom, options)


def areas(title: str, why: str, queries: Sequence[Target], look: Look, **options: Any) -> Panel:
    """Areas stacked over time."""
    custom = {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter",
        "lineWidth": 1,
        "fillOpacity": 55,
        "gradientMode": "none",
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal", "group": "A"},
        "thresholdsStyle": {"mode": "off"},
    }
    return _graph(title, why, queries, look, custom, options)


def bars(title: str, why: str, queries: Sequence[Target], look: Look, **options: Any) -> Panel:
    """Counts a bar, stacked.

    A bar stands for what came before its time, as the query looks back.
    """
    custom = {
        "drawStyle": "bars",
        "barAlignment": -1,
        "barWidthFactor": 0.8,
        "lineWidth": 0,
        "fillOpacity": 80,
        "gradientMode": "none",
        "showPoints": "never",
        "stacking": {"mode": "normal", "group": "A"},
        "thresholdsStyle": {"mode": "off"},
    }
    # A bar is at least a minute wide, whatever the range, and a panel has no more than can be told
    # apart.
    return _graph(
        title,
        why,
        queries,
        look,
        custom,
        {"interval": "1m", "maxDataPoints": 90, "calcs": ["sum"], **options},
    )


def ranking(title: str, why: str, query: Target, look: Look, **options: Any) -> Panel:
    """Horizontal bars, one a series."""
    standard = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "valueMode": "text",
        "namePlacement": "left",
        "showUnfilled": True,
        "minVizHeight": 16,
        "maxVizHeight": 28,
        "minVizWidth": 8,
        "sizing": "auto",
        "text": {"titleSize": 12, "valueSize": 15},
        "reduceOptions": LAST,
    }
    return _panel(
        "bargauge",
        title,
        why,
        [query],
        fieldConfig=field_config(look),
        options={**standard, **options},
    )


def heatmap(title: str, why: str, query: Target, look: Look) -> Panel:
    """Buckets of a histogram over time.

    Where the query asks for exemplars, dots are single observations.
    """
    options = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": "short"},
        "color": {
            "mode": "scheme",
            "scheme": "Blues",
            "scale": "exponential",
            "exponent": 0.5,
            "steps": 64,
            "reverse": False,
        },
        "exemplars": {"color": "rgba(255,120,10,0.8)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": look.unit},
    }
    target = {**query, "format": "heatmap"}
    config = field_config(
        look,
        {
            "scaleDistribution": {"type": "linear"},
            "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        },
    )
    return _panel(
        "heatmap",
        title,
        why,
        [target],
        fieldConfig=config,
        options=options,
        interval="1m",
        maxDataPoints=90,
    )


def timeline(title: str, why: str, queries: Sequence[Target], look: Look) -> Panel:
    """States over time, one lane a series."""
    options = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    config = field_config(look, {"fillOpacity": 75, "lineWidth": 0})
    return _panel("state-timeline", title, why, queries, fieldConfig=config, options=options)


def repeated(panel: Panel, variable: str) -> Panel:
    """One panel for each value of a variable, three side by side."""
    return {**panel, "repeat": variable, "repeatDirection": "h", "maxPerRow": 3}


def legend(calcs: Sequence[str] = (), *, table: bool = False) -> dict[str, Any]:
    """A list below the graph, or a table to its right."""
    return {
        "calcs": list(calcs),
        "displayMode": "table" if table else "list",
        "placement": "right" if table else "bottom",
        "showLegend": True,
        **({"sortBy": _SORTED[calcs[0]], "sortDesc": True} if table and calcs else {}),
    }


_SORTED = {"sum": "Total", "lastNotNull": "Last *", "max": "Max", "mean": "Mean"}


def _graph(  # noqa: PLR0913, PLR0917  # private, and each has its own name at the call
    title: str,
    why: str,
    queries: Sequence[Target],
    look: Look,
    custom: Mapping[str, Any],
    options: dict[str, Any],
) -> Panel:
    given = dict(options)
    table = given.pop("table", False)
    shown = {
        "legend": legend(given.pop("calcs", ()), table=table),
        "tooltip": {"mode": given.pop("tooltip", "multi"), "sort": "desc"},
    }
    config = field_config(look, {**custom, **given.pop("custom", {})})
    return _panel("timeseries", title, why, queries, fieldConfig=config, options=shown, **given)


def _panel(kind: str, title: str, why: str, queries: Sequence[Target], **rest: Any) -> Panel:
    targets = [
        {"refId": letter, "datasource": DATASOURCE, **query}
        for letter, query in zip(ascii_uppercase, queries, strict=False)
    ]
    return {
        "type": kind,
        "title": title,
        "description": why,
        "datasource": DATASOURCE,
        "targets": targets,
        **rest,
    }
