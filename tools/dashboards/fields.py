"""How values look: units, thresholds, words for numbers, colours.

One calm palette for all dashboards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

GREEN, RED, BLUE, ORANGE = "semi-dark-green", "semi-dark-red", "semi-dark-blue", "semi-dark-orange"
# Not Grafana's own: its yellow cannot be read on white, and its greys are texts.
YELLOW, GREY = "#b7791f", "#8e95a3"

_DEEP = {
    GREEN: "dark-green",
    RED: "dark-red",
    BLUE: "dark-blue",
    ORANGE: "#b4500f",
    GREY: "#6b7280",
}
"""The same as backgrounds: calm, and a white text stands out."""

OUTCOMES = {
    "success": GREEN,
    "failure": RED,
    "cancelled": GREY,
    "unknown": "semi-dark-purple",
    "lost": ORANGE,
}
STARTS = {"on_time": GREEN, "late": YELLOW, "missed": RED, "failed": ORANGE}
QUANTILES = {"p50": BLUE, "p90": "semi-dark-purple", "p99": ORANGE}
STATES = {
    "queued": GREY,
    "running": BLUE,
    "completed": GREEN,
    "failed": RED,
    "cancelled": GREY,
    "unknown": "semi-dark-purple",
}
FAILED_WORDS = ("failed", "error", "errored", "failure", "timeout", "timed_out")
WAITING_WORDS = ("pending", "queued", "scheduled", "created")
RUNNING_WORDS = ("running", "processing", "in_progress", "started")
STATUSES = {
    **dict.fromkeys(("completed", "success", "succeeded"), GREEN),
    **dict.fromkeys(FAILED_WORDS, RED),
    **dict.fromkeys(("cancelled", "canceled", "skipped"), GREY),
    **dict.fromkeys(WAITING_WORDS, "light-blue"),
    **dict.fromkeys(RUNNING_WORDS, BLUE),
}
"""The status words that the exporter knows; others get a colour of the palette."""

Steps = tuple[tuple[float, str], ...]


def deepened(steps: Steps) -> Steps:
    """Steps with the colours of backgrounds."""
    return tuple((value, _DEEP.get(colour, colour)) for value, colour in steps)


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a panel's values look, and what it says when there is none."""

    unit: str
    empty: str
    """Shown where there is no value: that nothing happened is said in words."""
    decimals: int | None = None
    low: float | None = None
    high: float | None = None
    base: str = GREEN
    steps: Steps = ()
    """From which value on which colour; below the first it is `base`."""
    words: Mapping[float, tuple[str, str]] = field(default_factory=dict)
    """A number's word and colour."""
    colours: Mapping[str, str] = field(default_factory=dict)
    """A series' colour by its name."""
    palette: bool = False
    """Colours of the palette, one a series, in the place of the thresholds'."""
    shades: str = ""
    """Shades of one colour, where every series is of one kind, such as failures."""
    overrides: tuple[dict[str, Any], ...] = ()
    links: tuple[dict[str, Any], ...] = ()

    def deep(self) -> Look:
        """The same with the colours of backgrounds, and grey where there is no value.

        Nothing to see is no sign of health.
        """
        steps = deepened(((0, self.base), *self.steps) if self.base != GREY else self.steps)
        table = {
            value: (text, _DEEP.get(colour, colour)) for value, (text, colour) in self.words.items()
        }
        return replace(self, base=_DEEP[GREY], steps=steps, words=table)


def thresholds(base: str, steps: Steps) -> dict[str, Any]:
    """Thresholds as Grafana wants them."""
    later = [{"color": colour, "value": value} for value, colour in steps]
    return {"mode": "absolute", "steps": [{"color": base, "value": None}, *later]}


def words(table: Mapping[Any, tuple[str, str]]) -> list[dict[str, Any]]:
    """Value mappings: a value's word and colour."""
    options = {
        f"{value:g}" if isinstance(value, int | float) else value: {
            "text": text,
            "color": colour,
            "index": index,
        }
        for index, (value, (text, colour)) in enumerate(table.items())
    }
    return [{"type": "value", "options": options}] if options else []


def named(name: str, **properties: Any) -> dict[str, Any]:
    """An override for one series or column.

    A double underscore stands for the dot of a custom property.
    """
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": key.replace("__", "."), "value": value} for key, value in properties.items()
        ],
    }


def painted(name: str, colour: str) -> dict[str, Any]:
    """An override that gives a series its colour."""
    return named(name, color={"mode": "fixed", "fixedColor": colour})


def dashed(name: str, colour: str) -> dict[str, Any]:
    """An override for a limit: a dashed line without filling."""
    return named(
        name,
        color={"mode": "fixed", "fixedColor": colour},
        custom__lineStyle={"fill": "dash", "dash": [8, 6]},
        custom__fillOpacity=0,
        custom__stacking={"mode": "none", "group": "A"},
    )


def field_config(look: Look, custom: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A panel's `fieldConfig`."""
    defaults: dict[str, Any] = {"unit": look.unit, "noValue": look.empty}
    bounds = {"decimals": look.decimals, "min": look.low, "max": look.high}
    defaults |= {key: value for key, value in bounds.items() if value is not None}
    defaults["color"] = {
        "mode": "palette-classic" if look.palette or look.colours else "thresholds"
    }
    if look.shades:
        defaults["color"] = {"mode": "shades", "fixedColor": look.shades}
    defaults["thresholds"] = thresholds(look.base, look.steps)
    defaults["mappings"] = words(look.words)
    if look.links:
        defaults["links"] = list(look.links)
    if custom:
        defaults["custom"] = dict(custom)
    overrides = [painted(name, colour) for name, colour in look.colours.items()]
    return {"defaults": defaults, "overrides": [*overrides, *look.overrides]}
