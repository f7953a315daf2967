"""Grafana's `fieldConfig`: units, thresholds, value mappings and colours.

All dashboards share one calm palette.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

GREEN, RED, BLUE, ORANGE = "semi-dark-green", "semi-dark-red", "semi-dark-blue", "semi-dark-orange"
PURPLE = "semi-dark-purple"
# Not Grafana's named colours: its yellow cannot be read on white, and its greys are for texts.
YELLOW, GREY = "#b7791f", "#8e95a3"

_BACKGROUND = {
    GREEN: "dark-green",
    RED: "dark-red",
    BLUE: "dark-blue",
    ORANGE: "#b4500f",
    GREY: "#6b7280",
}
"""Each colour as a background: darker, so that white text can be read on it."""

OUTCOMES = {
    "success": GREEN,
    "failure": RED,
    "cancelled": GREY,
    "unknown": PURPLE,
}
STARTS = {"on_time": GREEN, "late": YELLOW, "missed": RED, "failed": ORANGE}
QUANTILES = {"p50": BLUE, "p90": PURPLE, "p99": ORANGE}
STATES = {
    "queued": GREY,
    "running": BLUE,
    "completed": GREEN,
    "failed": RED,
    "cancelled": GREY,
    "unknown": PURPLE,
}
FAILED_WORDS = (
    "failed",
    "error",
    "errored",
    "failure",
    "timeout",
    "timed_out",
    "interrupted",
)
WAITING_WORDS = ("pending", "queued", "scheduled", "created")
RUNNING_WORDS = ("running", "processing", "in_progress", "started", "paused")
STATUSES = {
    **dict.fromkeys(("completed", "success", "succeeded"), GREEN),
    **dict.fromkeys(FAILED_WORDS, RED),
    **dict.fromkeys(("cancelled", "canceled", "skipped"), GREY),
    **dict.fromkeys(WAITING_WORDS, "light-blue"),
    **dict.fromkeys(RUNNING_WORDS, BLUE),
}
"""The status words that the exporter knows. Other words get a colour of the palette."""

Steps = tuple[tuple[float, str], ...]
"""Thresholds: from which value on which colour."""


def background_steps(steps: Steps) -> Steps:
    """Return the thresholds with background colours."""
    return tuple((value, _BACKGROUND.get(colour, colour)) for value, colour in steps)


@dataclass(frozen=True, kw_only=True)
class ValueStyle:
    """How the values of a panel are shown, and the text that stands where there is no value."""

    unit: str
    empty: str
    """The text where there is no value. It says in words that nothing happened."""
    decimals: int | None = None
    low: float | None = None
    high: float | None = None
    base: str = GREEN
    """The colour below the first threshold."""
    steps: Steps = ()
    mappings: Mapping[float, tuple[str, str]] = field(default_factory=dict)
    """Words and colours for single values."""
    colours: Mapping[str, str] = field(default_factory=dict)
    """Colours of series by their names."""
    palette: bool = False
    """Use one palette colour per series, not the threshold colours."""
    shades: str = ""
    """Use shades of this one colour. For panels whose series are all of one kind, such as failures.
    """
    overrides: tuple[dict[str, Any], ...] = ()

    def as_background(self) -> ValueStyle:
        """Return the style with background colours, and grey where there is no value.

        A missing value must not look healthy.
        """
        steps = ((0, self.base), *self.steps) if self.base != GREY else self.steps
        mappings = {
            value: (text, _BACKGROUND.get(colour, colour))
            for value, (text, colour) in self.mappings.items()
        }
        return replace(
            self, base=_BACKGROUND[GREY], steps=background_steps(steps), mappings=mappings
        )


def number(empty: str, **style: Any) -> ValueStyle:
    """Return the style of counts: whole numbers with thousands separators."""
    return ValueStyle(**{"unit": "locale", "empty": empty, "decimals": 0, **style})


def seconds(empty: str, **style: Any) -> ValueStyle:
    """Return the style of durations in seconds."""
    return ValueStyle(unit="s", empty=empty, **style)


def percent(empty: str, **style: Any) -> ValueStyle:
    """Return the style of shares from 0 to 1."""
    return ValueStyle(unit="percentunit", empty=empty, **style)


def dollars(empty: str, **style: Any) -> ValueStyle:
    """Return the style of costs."""
    return ValueStyle(unit="currencyUSD", empty=empty, decimals=2, **style)


def as_words(empty: str, mappings: Mapping[Any, tuple[str, str]]) -> ValueStyle:
    """Return the style of values that are shown as words."""
    return ValueStyle(unit="none", empty=empty, mappings=mappings)


def thresholds(base: str, steps: Steps) -> dict[str, Any]:
    """Return thresholds in Grafana's form."""
    above = [{"color": colour, "value": value} for value, colour in steps]
    return {"mode": "absolute", "steps": [{"color": base, "value": None}, *above]}


def value_mappings(mappings: Mapping[Any, tuple[str, str]]) -> list[dict[str, Any]]:
    """Return value mappings in Grafana's form: the word and the colour of each value."""
    options = {
        f"{value:g}" if isinstance(value, int | float) else value: {
            "text": text,
            "color": colour,
            "index": index,
        }
        for index, (value, (text, colour)) in enumerate(mappings.items())
    }
    return [{"type": "value", "options": options}] if options else []


def override(name: str, **properties: Any) -> dict[str, Any]:
    """Return an override for the series or column of this name.

    A double underscore in a property's name stands for the dot of a custom property.
    """
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": key.replace("__", "."), "value": value} for key, value in properties.items()
        ],
    }


def fixed_colour(name: str, colour: str) -> dict[str, Any]:
    """Return an override that gives a series its colour."""
    return override(name, color={"mode": "fixed", "fixedColor": colour})


def dashed_line(name: str, colour: str) -> dict[str, Any]:
    """Return an override that draws a series as a limit: a dashed line without filling."""
    return override(
        name,
        color={"mode": "fixed", "fixedColor": colour},
        custom__lineStyle={"fill": "dash", "dash": [8, 6]},
        custom__fillOpacity=0,
        custom__stacking={"mode": "none", "group": "A"},
    )


def field_config(style: ValueStyle, custom: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the `fieldConfig` of a panel."""
    defaults: dict[str, Any] = {"unit": style.unit, "noValue": style.empty}
    bounds = {"decimals": style.decimals, "min": style.low, "max": style.high}
    defaults |= {key: value for key, value in bounds.items() if value is not None}
    defaults["color"] = {
        "mode": "palette-classic" if style.palette or style.colours else "thresholds"
    }
    if style.shades:
        defaults["color"] = {"mode": "shades", "fixedColor": style.shades}
    defaults["thresholds"] = thresholds(style.base, style.steps)
    defaults["mappings"] = value_mappings(style.mappings)
    if custom:
        defaults["custom"] = dict(custom)
    colours = [fixed_colour(name, colour) for name, colour in style.colours.items()]
    return {"defaults": defaults, "overrides": [*colours, *style.overrides]}
