"""Check every PromQL expression of the repository: `python -m tools.queries`.

Rules are checked first, because the others may use what the rules record. Then come dashboards,
the alert rules for Grafana, and the documentation.
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
from tools.promql import ExpressionCheck, KnownMetrics, Labels, annotation_problems, known_metrics

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
class QueryReport:
    """The result of checking expressions: their number, the metrics they use, and the problems."""

    known: KnownMetrics = field(default_factory=known_metrics)
    count: int = 0
    metrics: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def check(self, place: str, text: str) -> Labels | None:
        """Check one expression. Return the labels of its result."""
        checked = ExpressionCheck(text, self.known)
        self.count += 1
        self.metrics |= checked.metrics
        self.add_problems(place, checked.problems)
        return checked.labels

    def add_problems(self, place: str, problems: Iterable[str]) -> None:
        """Add problems found at a place."""
        self.problems += [f"{place}: {problem}" for problem in problems]


def check_all(root: Path = ROOT) -> dict[str, QueryReport]:
    """Return a report for each kind of place. All of them know what the rules record."""
    rules = QueryReport()
    check_rules(rules, _documents(root, RULES))
    others = {kind: QueryReport(rules.known) for kind in ("dashboards", "alerting", "docs")}
    for place, document in _documents(root, DASHBOARDS):
        Dashboard(place, document, others["dashboards"]).check()
    for place, document in _documents(root, ALERTING):
        _check_alerting(others["alerting"], place, document)
    for page in sorted({page for pattern in PAGES for page in root.glob(pattern)}):
        _check_page(others["docs"], str(page.relative_to(root)), page.read_text(encoding="utf-8"))
    return {"rules": rules, **others}


def check_rules(report: QueryReport, documents: Iterable[tuple[str, Any]]) -> None:
    """Check rules. A recording rule is checked once all that it reads is known.

    The order of files does not matter. Recording rules that never become ready are checked last,
    and then the alerts.
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
            if not _reads_any(entry[1]["expr"], names - {entry[1]["record"]}, report.known)
        ]
        # Rules that wait for each other are checked as they are.
        for place, rule in ready or waiting:
            _check_recording_rule(report, place, rule)
        waiting = [entry for entry in waiting if ready and entry not in ready]
    taken = sorted(recorded & known_metrics().series.keys())
    report.add_problems(
        "records",
        [f"{name} is a name of the catalogue" for name in taken],
    )
    alerts = [(place, rule) for place, rule in rules if "alert" in rule]
    results = [_check_alert(report, place, rule) for place, rule in alerts]
    if results:
        report.known = report.known.alerting(_union(results))


def _check_alert(report: QueryReport, place: str, rule: Any) -> Labels:
    """Check an alert's expression and texts. Return the labels that it has when it fires."""
    labels = report.check(place, rule["expr"]) or Labels()
    own = rule.get("labels", {})
    for text in [*own.values(), *rule.get("annotations", {}).values()]:
        report.add_problems(place, annotation_problems(text, labels, report.known))
    own_values = {
        name: None if "{{" in value else frozenset({value}) for name, value in own.items()
    }
    return labels.add({**own_values, "alertname": frozenset({rule["alert"]})})


def _check_recording_rule(report: QueryReport, place: str, rule: Any) -> None:
    """Check a recording rule.

    A rule that reads its own last value is checked twice: first to infer its labels.
    """
    own = {name: frozenset({value}) for name, value in rule.get("labels", {}).items()}
    if rule["record"] not in report.known.series and _reads_any(
        rule["expr"], {rule["record"]}, report.known
    ):
        first = ExpressionCheck(rule["expr"], report.known.recorded(rule["record"], Labels()))
        report.known = report.known.recorded(rule["record"], (first.labels or Labels()).add(own))
    labels = (report.check(place, rule["expr"]) or Labels()).add(own)
    report.known = report.known.recorded(rule["record"], labels)


def _reads_any(text: str, names: set[str], known: KnownMetrics) -> bool:
    """Return whether an expression reads one of the names that are not known yet."""
    return any(
        re.search(rf"(?<![\w:]){re.escape(name)}(?![\w:])", text)
        for name in names - known.series.keys()
    )


def _check_alerting(report: QueryReport, place: str, document: Any) -> None:
    """Check the rules that Grafana manages: queries, and expressions on their results."""
    for group in document.get("groups", []):
        for rule in group["rules"]:
            where = f"{place}: {rule['title']}"
            results: dict[str, Labels] = {}
            for step in rule["data"]:
                model = step["model"]
                if step["datasourceUid"] == "__expr__":
                    asked = _REFERENCE.findall(model["expression"]) or [model["expression"]]
                    report.add_problems(
                        where,
                        [
                            f"{step['refId']} asks for {ref}, which is not there"
                            for ref in asked
                            if ref not in results
                        ],
                    )
                    inputs = [results[ref] for ref in asked if ref in results]
                else:
                    inputs = [report.check(f"{where}: {step['refId']}", model["expr"]) or Labels()]
                results[step["refId"]] = _union(inputs)
            if rule["condition"] not in results:
                report.add_problems(where, [f"the condition {rule['condition']} is not there"])
            labels = results.get(rule["condition"], Labels()).add(
                dict.fromkeys(("alertname", "grafana_folder"))
            )
            for text in [*rule.get("labels", {}).values(), *rule.get("annotations", {}).values()]:
                report.add_problems(where, annotation_problems(text, labels, report.known))
                values = [one or other for one, other in _VALUES.findall(text)]
                report.add_problems(
                    where, [f"$values.{ref} is not there" for ref in values if ref not in results]
                )


def _union(inputs: list[Labels]) -> Labels:
    result = inputs[0] if inputs else Labels()
    for labels in inputs[1:]:
        result = result.union(labels)
    return result


def _check_page(report: QueryReport, place: str, text: str) -> None:
    """Check the blocks marked as PromQL. Empty lines separate expressions."""
    for block in _BLOCK.findall(text):
        for expression in re.split(r"\n\s*\n", block.strip()):
            report.check(place, expression)


def _documents(root: Path, pattern: str) -> Iterator[tuple[str, Any]]:
    for path in sorted(root.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        yield (
            str(path.relative_to(root)),
            (json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)),
        )


def main() -> int:
    """Print every problem. Return 1 if there is one."""
    reports = check_all()
    for kind, report in reports.items():
        for problem in report.problems:
            # A command prints its result.
            print(problem)  # noqa: T201
        result = f"{kind}: {report.count} expressions, {len(report.problems)} problems"
        print(result, file=sys.stderr)  # noqa: T201
    return 1 if any(report.problems for report in reports.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
