"""Reads every PromQL expression that the repository ships, and says what is wrong in which place.

`python -m tools.queries`.

Rules first, for what they record is known to all others; then dashboards, Grafana's own alert
rules, and the documentation.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tools.dashboard_queries import Dashboard
from tools.promql import Checked, Known, Labels, annotation_problems, known

ROOT = Path(__file__).resolve().parent.parent
RULES, DASHBOARDS, ALERTING = (
    "prometheus/rules/*.yaml",
    "grafana/dashboards/*.json",
    "grafana/provisioning/alerting/*.yaml",
)
PAGES = ("docs/**/*.md", "*.md", "deploy/*.md")

_BLOCK = re.compile(r"^```promql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REFERENCE = re.compile(r"\$\{?(\w+)\}?")
_VALUES = re.compile(r"\$values\.(\w+)|index\s+\$values\s+\"(\w+)\"")


@dataclass
class Reading:
    """What was read: how many expressions, which metrics of the catalogue they use, and each problem with its place."""

    known: Known = field(default_factory=known)
    count: int = 0
    metrics: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def check(self, place: str, text: str) -> Labels | None:
        """Look at one expression; the labels of its result."""
        checked = Checked(text, self.known)
        self.count += 1
        self.metrics |= checked.metrics
        self.say(place, checked.problems)
        return checked.labels

    def say(self, place: str, problems: Iterable[str]) -> None:
        """Remember problems of a place."""
        self.problems += [f"{place}: {problem}" for problem in problems]


def read_all(root: Path = ROOT) -> dict[str, Reading]:
    """A reading for each kind of place, all of them with what the rules record."""
    rules = Reading()
    read_rules(rules, _documents(root, RULES))
    after = {kind: Reading(rules.known) for kind in ("dashboards", "alerting", "docs")}
    for place, document in _documents(root, DASHBOARDS):
        Dashboard(place, document, after["dashboards"]).read()
    for place, document in _documents(root, ALERTING):
        _read_alerting(after["alerting"], place, document)
    for page in sorted({page for pattern in PAGES for page in root.glob(pattern)}):
        _read_page(after["docs"], str(page.relative_to(root)), page.read_text(encoding="utf-8"))
    return {"rules": rules, **after}


def read_rules(reading: Reading, documents: Iterable[tuple[str, Any]]) -> None:
    """Recording rules until nothing more becomes known, whatever file they are in.

    Then what is left, and the alerts.
    """
    rules = [
        (f"{place}: {rule.get('record') or rule.get('alert')}", rule)
        for place, document in documents
        for group in document["groups"]
        for rule in group["rules"]
    ]
    waiting = [(place, rule) for place, rule in rules if "record" in rule]
    recorded = {rule["record"] for _, rule in waiting}
    while waiting:
        names = {rule["record"] for _, rule in waiting}
        ready = [
            entry
            for entry in waiting
            if not _asks_for(entry[1]["expr"], names - {entry[1]["record"]}, reading.known)
        ]
        # Rules that wait for each other are read as they stand.
        for place, rule in ready or waiting:
            _record(reading, place, rule)
        waiting = [entry for entry in waiting if ready and entry not in ready]
    reading.say(
        "records",
        [f"{name} is a name of the catalogue" for name in sorted(recorded & known().series.keys())],
    )
    alerts = [(place, rule) for place, rule in rules if "alert" in rule]
    results = [_alert(reading, place, rule) for place, rule in alerts]
    if results:
        reading.known = reading.known.alerting(_together(results))


def _alert(reading: Reading, place: str, rule: Any) -> Labels:
    """An alert's expression and texts; the labels that it has when it fires."""
    labels = reading.check(place, rule["expr"]) or Labels()
    own = rule.get("labels", {})
    for text in [*own.values(), *rule.get("annotations", {}).values()]:
        reading.say(place, annotation_problems(text, labels, reading.known))
    said = {name: None if "{{" in value else frozenset({value}) for name, value in own.items()}
    return labels.add({**said, "alertname": frozenset({rule["alert"]})})


def _record(reading: Reading, place: str, rule: Any) -> None:
    """What a rule records.

    One that goes on from its own last value is read twice: to learn its labels, and then with them.
    """
    own = {name: frozenset({value}) for name, value in rule.get("labels", {}).items()}
    if rule["record"] not in reading.known.series and _asks_for(
        rule["expr"], {rule["record"]}, reading.known
    ):
        first = Checked(rule["expr"], reading.known.recorded(rule["record"], Labels()))
        reading.known = reading.known.recorded(rule["record"], (first.labels or Labels()).add(own))
    labels = (reading.check(place, rule["expr"]) or Labels()).add(own)
    reading.known = reading.known.recorded(rule["record"], labels)


def _asks_for(text: str, names: set[str], there: Known) -> bool:
    """Whether an expression needs a name that is still to be recorded."""
    return any(
        re.search(rf"(?<![\w:]){re.escape(name)}(?![\w:])", text)
        for name in names - there.series.keys()
    )


def _read_alerting(reading: Reading, place: str, document: Any) -> None:
    """Grafana-managed rules: queries, and expressions upon their results."""
    for group in document.get("groups", []):
        for rule in group["rules"]:
            where = f"{place}: {rule['title']}"
            results: dict[str, Labels] = {}
            for step in rule["data"]:
                model = step["model"]
                if step["datasourceUid"] == "__expr__":
                    asked = _REFERENCE.findall(model["expression"]) or [model["expression"]]
                    reading.say(
                        where,
                        [
                            f"{step['refId']} asks for {ref}, which is not there"
                            for ref in asked
                            if ref not in results
                        ],
                    )
                    inputs = [results[ref] for ref in asked if ref in results]
                else:
                    inputs = [reading.check(f"{where}: {step['refId']}", model["expr"]) or Labels()]
                results[step["refId"]] = _together(inputs)
            if rule["condition"] not in results:
                reading.say(where, [f"the condition {rule['condition']} is not there"])
            labels = results.get(rule["condition"], Labels()).add(
                dict.fromkeys(("alertname", "grafana_folder"))
            )
            for text in [*rule.get("labels", {}).values(), *rule.get("annotations", {}).values()]:
                reading.say(where, annotation_problems(text, labels, reading.known))
                values = [one or other for one, other in _VALUES.findall(text)]
                reading.say(
                    where, [f"$values.{ref} is not there" for ref in values if ref not in results]
                )


def _together(inputs: list[Labels]) -> Labels:
    result = inputs[0] if inputs else Labels()
    for labels in inputs[1:]:
        result = result.either(labels)
    return result


def _read_page(reading: Reading, place: str, text: str) -> None:
    """Blocks that are marked as PromQL; expressions are set apart by empty lines."""
    for block in _BLOCK.findall(text):
        for expression in re.split(r"\n\s*\n", block.strip()):
            reading.check(place, expression)


def _documents(root: Path, pattern: str) -> Iterator[tuple[str, Any]]:
    for path in sorted(root.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        yield (
            str(path.relative_to(root)),
            (json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)),
        )


def main() -> int:
    """Print every problem; 1 if there is one."""
    readings = read_all()
    for kind, reading in readings.items():
        for problem in reading.problems:
            print(problem)  # noqa: T201 - a command speaks on stdout
        result = f"{kind}: {reading.count} expressions, {len(reading.problems)} problems"
        print(result, file=sys.stderr)  # noqa: T201
    return 1 if any(reading.problems for reading in readings.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
