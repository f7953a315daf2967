"""The kinds of panels that the dashboards are made of.

Each function takes a title, a description, the queries and the style of the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from tools.dashboards.field_config import ValueStyle, field_config
from tools.dashboards.queries import Target

Panel = dict[str, Any]

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def stat(
    title: str,
    description: str,
    query: Target | Sequence[Target],
    style: ValueStyle,
    **options: Any,
) -> Panel:
    """Return a panel of one large number (or two) whose background colour shows the state."""
    standard = {
        "colorMode": "background_solid",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "textMode": "value",
        "reduceOptions": LAST,
    }
    queries = [query] if isinstance(query, dict) else query
    return make_panel(
        "stat",
        title,
        description,
        queries,
        fieldConfig=field_config(style.as_background()),
        options={**standard, **options},
    )


def plain_stat(
    title: str, description: str, query: Target, style: ValueStyle, **options: Any
) -> Panel:
    """Return a panel of one number that says how much, without judging it."""
    panel = stat(title, description, query, style, **{"colorMode": "value", **options})
    return {**panel, "fieldConfig": field_config(style)}


def lines(
    title: str, description: str, queries: Sequence[Target], style: ValueStyle, **options: Any
) -> Panel:
    """Return a graph of lines over time.

    Gaps of up to 15 minutes are bridged, because between two batches there are no values.
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
    return _graph(title, description, queries, style, custom, options)


def areas(
    title: str, description: str, queries: Sequence[Target], style: ValueStyle, **options: Any
) -> Panel:
    """Return a graph of areas stacked over time."""
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
    return _graph(title, description, queries, style, custom, options)


def bars(
    title: str, description: str, queries: Sequence[Target], style: ValueStyle, **options: Any
) -> Panel:
    """Return a graph of stacked bars, one for the count in each interval.

    A bar stands left of its time, because the query looks back.
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
    # A bar is at least a minute wide, and there are no more bars than can be distinguished.
    return _graph(
        title,
        description,
        queries,
        style,
        custom,
        {"interval": "1m", "maxDataPoints": 90, "calcs": ["sum"], **options},
    )


def ranking(
    title: str, description: str, query: Target, style: ValueStyle, **options: Any
) -> Panel:
    """Return horizontal bars, one for each series."""
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
    return make_panel(
        "bargauge",
        title,
        description,
        [query],
        fieldConfig=field_config(style),
        options={**standard, **options},
    )


def heatmap(title: str, description: str, query: Target, style: ValueStyle) -> Panel:
    """Return a heatmap: the buckets of a histogram over time.

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
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": style.unit},
    }
    target = {**query, "format": "heatmap"}
    config = field_config(
        style,
        {
            "scaleDistribution": {"type": "linear"},
            "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        },
    )
    return make_panel(
        "heatmap",
        title,
        description,
        [target],
        fieldConfig=config,
        options=options,
        interval="1m",
        maxDataPoints=90,
    )


def timeline(title: str, description: str, queries: Sequence[Target], style: ValueStyle) -> Panel:
    """Return a timeline of states, one lane for each series."""
    options = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    config = field_config(style, {"fillOpacity": 75, "lineWidth": 0})
    return make_panel(
        "state-timeline", title, description, queries, fieldConfig=config, options=options
    )


def repeated(panel: Panel, variable: str) -> Panel:
    """Return the panel repeated for each value of a variable, three side by side."""
    return {**panel, "repeat": variable, "repeatDirection": "h", "maxPerRow": 3}


def legend(calcs: Sequence[str] = (), *, table: bool = False) -> dict[str, Any]:
    """Return a legend: a list below the graph, or a table to its right."""
    return {
        "calcs": list(calcs),
        "displayMode": "table" if table else "list",
        "placement": "right" if table else "bottom",
        "showLegend": True,
        **({"sortBy": _SORTED[calcs[0]], "sortDesc": True} if table and calcs else {}),
    }


_SORTED = {"sum": "Total", "lastNotNull": "Last *", "max": "Max", "mean": "Mean"}


# Private, and the arguments have the same names where it is called.
def _graph(  # noqa: PLR0913, PLR0917
    title: str,
    description: str,
    queries: Sequence[Target],
    style: ValueStyle,
    custom: Mapping[str, Any],
    options: dict[str, Any],
) -> Panel:
    remaining = dict(options)
    table = remaining.pop("table", False)
    legend_and_tooltip = {
        "legend": legend(remaining.pop("calcs", ()), table=table),
        "tooltip": {"mode": remaining.pop("tooltip", "multi"), "sort": "desc"},
    }
    config = field_config(style, {**custom, **remaining.pop("custom", {})})
    return make_panel(
        "timeseries",
        title,
        description,
        queries,
        fieldConfig=config,
        options=legend_and_tooltip,
        **remaining,
    )


def make_panel(
    kind: str, title: str, description: str, queries: Sequence[Target], **rest: Any
) -> Panel:
    """Return the JSON of a panel. The queries get the letters A, B, ... as `refId`."""
    targets = [
        {"refId": letter, "datasource": DATASOURCE, **query}
        for letter, query in zip(ascii_uppercase, queries, strict=False)
    ]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": targets,
        **rest,
    }
