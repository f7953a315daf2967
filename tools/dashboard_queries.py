"""Check the expressions of a Grafana dashboard.

They are in its variables, its annotations, and its panels with their legends and links.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol

from tools.promql import Labels, expand, legend_problems, link_problems, substitute, variables

_LABEL_VALUES = re.compile(r"label_values\((?:(?P<series>.*),)?\s*(?P<label>\w+)\s*\)", re.DOTALL)
_RESULT = re.compile(r"query_result\((?P<expression>.*)\)", re.DOTALL)


class Checker(Protocol):
    """An object that checks expressions and collects problems."""

    def check(self, place: str, text: str) -> Labels | None:
        """Check one expression. Return the labels of its result."""

    def add_problems(self, place: str, problems: list[str]) -> None:
        """Add problems found at a place."""


class Dashboard:
    """The JSON of one dashboard, and the checker that it reports to."""

    def __init__(self, place: str, document: Any, checker: Checker) -> None:
        self._place, self._document, self._checker = place, document, checker
        self._variables = {
            variable["name"]: variable
            for variable in document.get("templating", {}).get("list", [])
        }
        self._options = {
            name: _options(variable)
            for name, variable in self._variables.items()
            if variable["type"] in ("custom", "interval")
        }

    def check(self) -> None:
        """Check every expression, and every text that names a label of a result."""
        for name, variable in self._variables.items():
            if variable["type"] == "query":
                self._variable(f"{self._place}: ${name}", variable)
        for entry in self._document.get("annotations", {}).get("list", []):
            if entry.get("expr"):
                self._expression(f"{self._place}: annotation {entry['name']!r}", entry["expr"])
        for panel in panels(self._document):
            self._panel(f"{self._place}: {panel.get('title') or panel.get('id')}", panel)

    def _expression(self, place: str, text: str) -> Labels:
        """Check an expression with every option of its variables. Return the result's labels."""
        unknown = [name for name in variables(text) if name not in self._variables]
        self._checker.add_problems(
            place, [f"${name} is no variable of the dashboard" for name in unknown]
        )
        results = [
            self._checker.check(place, variant) or Labels()
            for variant in expand(text, self._options)
        ]
        labels = results[0]
        for other in results[1:]:
            labels = labels.union(other)
        return labels

    def _variable(self, place: str, variable: Any) -> None:
        query = variable["query"]
        text = query if isinstance(query, str) else query["query"]
        if match := _LABEL_VALUES.fullmatch(text.strip()):
            if match["series"]:
                labels = self._expression(place, match["series"])
                self._checker.add_problems(
                    place,
                    [
                        f"the series have no label {label}"
                        for label in labels.missing([match["label"]])
                    ],
                )
        elif match := _RESULT.fullmatch(text.strip()):
            self._expression(place, match["expression"])
        else:
            self._checker.add_problems(
                place, [f"{text!r} is no query that this check knows: teach it"]
            )

    def _panel(self, place: str, panel: Any) -> None:
        results = Labels()
        for target in panel.get("targets", []):
            if "expr" in target:
                labels = self._expression(place, target["expr"])
                self._checker.add_problems(
                    place, legend_problems(target.get("legendFormat") or "", labels)
                )
                results = results.union(labels)
        for link in _links(panel):
            self._checker.add_problems(place, link_problems(link["url"], results))
        if (repeat := panel.get("repeat")) and repeat not in self._variables:
            self._checker.add_problems(
                place, [f"repeats by ${repeat}, which is no variable of the dashboard"]
            )


def panel_queries(document: Any) -> Iterator[tuple[str, str]]:
    """Yield the title and the expression of each query, as Grafana first sends it.

    Variables have the values that the dashboard starts with.
    """
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
    """Yield every panel, also those in collapsed rows."""
    for panel in document.get("panels", []):
        yield panel
        yield from panels(panel)


def _options(variable: Any) -> list[str]:
    """Return the values of a variable whose options are in the file."""
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
