"""Reads the expressions of a Grafana dashboard.

Its variables, its panels with legends and links, its annotations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol

from tools.promql import Labels, expand, legend_problems, link_problems, substitute, variables

_LABEL_VALUES = re.compile(r"label_values\((?:(?P<series>.*),)?\s*(?P<label>\w+)\s*\)", re.DOTALL)
_RESULT = re.compile(r"query_result\((?P<expression>.*)\)", re.DOTALL)


class Reads(Protocol):
    """Who looks at the expressions and remembers what is wrong."""

    def check(self, place: str, text: str) -> Labels | None:
        """Look at one expression; the labels of its result."""

    def say(self, place: str, problems: list[str]) -> None:
        """Remember problems of a place."""


class Dashboard:
    """One dashboard's JSON."""

    def __init__(self, place: str, document: Any, reads: Reads) -> None:
        self._place, self._document, self._reads = place, document, reads
        self._variables = {
            variable["name"]: variable
            for variable in document.get("templating", {}).get("list", [])
        }
        self._options = {
            name: _options(variable)
            for name, variable in self._variables.items()
            if variable["type"] in ("custom", "interval")
        }

    def read(self) -> None:
        """Everything in it that is an expression or names a label of one."""
        for name, variable in self._variables.items():
            if variable["type"] == "query":
                self._variable(f"{self._place}: ${name}", variable)
        for entry in self._document.get("annotations", {}).get("list", []):
            if entry.get("expr"):
                self._expression(f"{self._place}: annotation {entry['name']!r}", entry["expr"])
        for panel in panels(self._document):
            self._panel(f"{self._place}: {panel.get('title') or panel.get('id')}", panel)

    def _expression(self, place: str, text: str) -> Labels:
        """The labels of a result, with whatever options the variables in it may have."""
        unknown = [name for name in variables(text) if name not in self._variables]
        self._reads.say(place, [f"${name} is no variable of the dashboard" for name in unknown])
        results = [
            self._reads.check(place, variant) or Labels() for variant in expand(text, self._options)
        ]
        labels = results[0]
        for other in results[1:]:
            labels = labels.either(other)
        return labels

    def _variable(self, place: str, variable: Any) -> None:
        query = variable["query"]
        text = query if isinstance(query, str) else query["query"]
        if match := _LABEL_VALUES.fullmatch(text.strip()):
            if match["series"]:
                labels = self._expression(place, match["series"])
                self._reads.say(
                    place,
                    [
                        f"the series have no label {label}"
                        for label in labels.lacking([match["label"]])
                    ],
                )
        elif match := _RESULT.fullmatch(text.strip()):
            self._expression(place, match["expression"])
        else:
            self._reads.say(place, [f"{text!r} is no query that this check knows: teach it"])

    def _panel(self, place: str, panel: Any) -> None:
        results = Labels()
        for target in panel.get("targets", []):
            if "expr" in target:
                labels = self._expression(place, target["expr"])
                self._reads.say(place, legend_problems(target.get("legendFormat") or "", labels))
                results = results.either(labels)
        for link in _links(panel):
            self._reads.say(place, link_problems(link["url"], results))
        if (repeat := panel.get("repeat")) and repeat not in self._variables:
            self._reads.say(place, [f"repeats by ${repeat}, which is no variable of the dashboard"])


def shown(document: Any) -> Iterator[tuple[str, str]]:
    """Each panel's title and expression, as Grafana sends it where every variable is left at what the dashboard begins with."""
    values = {}
    for variable in document.get("templating", {}).get("list", []):
        current = variable.get("current", {}).get("value", "")
        values[variable["name"]] = (
            (variable.get("allValue") or ".*") if "$__all" in current else str(current)
        )
    for panel in panels(document):
        for target in panel.get("targets", []):
            if "expr" in target:
                yield panel.get("title", ""), substitute(target["expr"], values)


def panels(document: Any) -> Iterator[Any]:
    """Every panel, also those in collapsed rows."""
    for panel in document.get("panels", []):
        yield panel
        yield from panels(panel)


def _options(variable: Any) -> list[str]:
    """The values of a variable whose options stand in the file."""
    named = [
        option["value"]
        for option in variable.get("options", [])
        if option["value"] not in ("$__all", "__auto")
    ]
    listed = [
        re.split(r"\s:\s", option)[-1].strip() for option in variable.get("query", "").split(",")
    ]
    return named or [option for option in listed if option]


def _links(panel: Any) -> Iterator[Any]:
    config = panel.get("fieldConfig", {})
    yield from panel.get("links", [])
    yield from config.get("defaults", {}).get("links", [])
    for override in config.get("overrides", []):
        for item in override["properties"]:
            if item["id"] == "links":
                yield from item["value"]
