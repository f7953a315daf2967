"""Check the labels in annotations, legends and links, and the queries within annotations."""

from __future__ import annotations

import re

from tools.promql.check import ExpressionCheck
from tools.promql.known import KnownMetrics
from tools.promql.labels import Labels

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL = re.compile(r"""(?:\$labels|\.Labels)\.(\w+)|index\s+(?:\$labels|\.Labels)\s+"(\w+)\"""")
_STRING = r"""("(?:\\.|[^"\\])*"|`[^`]*`)"""
_QUERY = re.compile(
    rf"\bquery\s+{_STRING}|\bprintf\s+{_STRING}[^|]*\|\s*query\b|\bquery\s+\(printf\s+{_STRING}"
)
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_FIELD = re.compile(r"\$\{__field\.labels\.(\w+)")


def annotation_problems(text: str, labels: Labels | None, known: KnownMetrics) -> list[str]:
    """Return the labels that an alert's text uses and the expression's result does not have.

    The labels of the rule itself are not in `$labels`: Prometheus adds them later.
    """
    problems = []
    for action in _ACTION.findall(text):
        for match in _LABEL.finditer(action):
            label = match[1] or match[2]
            if label not in (labels or Labels()):
                problems.append(f"{{{{{action}}}}}: the expression's result has no label {label}")
        for match in _QUERY.finditer(action):
            query = _unquoted(next(filter(None, match.groups())))
            problems += [
                f"{{{{{action}}}}}: {problem}" for problem in ExpressionCheck(query, known).problems
            ]
    return problems


def legend_problems(text: str, labels: Labels | None) -> list[str]:
    """Return problems: labels of a legend (`{{account}}`) that the result does not have."""
    missing = (labels or Labels()).missing(_LEGEND.findall(text))
    return [
        f"the legend {text!r} names {label}, which the result does not have" for label in missing
    ]


def link_problems(text: str, labels: Labels) -> list[str]:
    """Return problems: labels in a link (`${__field.labels.x}`) that no result of the panel has."""
    missing = labels.missing(_FIELD.findall(text))
    return [
        f"the link {text!r} names {label}, which no result of the panel has" for label in missing
    ]


def _unquoted(text: str) -> str:
    """Return a Go string as PromQL. The values that `printf` inserts may be anything."""
    inner = text[1:-1] if text[0] == "`" else re.sub(r"\\(.)", r"\1", text[1:-1])
    return (
        re.sub(r"%[qv]", '"grafana_variable"', inner)
        .replace("%s", "grafana_variable")
        .replace("%d", "1")
    )
