"""The files that Prometheus loads: which groups stand in which, and how they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from runtype_exporter.config import Config
from runtype_exporter.config.durations import written_duration
from runtype_exporter.rules.alerts import alert_groups, history_group, stale_after
from runtype_exporter.rules.counters import (
    COARSE_INTERVAL,
    FINE_INTERVAL,
    coarse_copies,
    fine_copies,
)
from runtype_exporter.rules.rule import RUNBOOKS, Alert, Group, Record
from runtype_exporter.rules.slo import slo_groups, trusted

_MADE: Final = (
    "# Made by `runtype-exporter rules`; change the configuration or the exporter, not this file."
)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file by its name. `about` is the comment on its first lines."""

    name: str
    about: str
    groups: tuple[Group, ...]


def rule_files(config: Config) -> tuple[RuleFile, ...]:
    """All rules of a configuration. The objectives' and the alerts' compute with the counters'."""
    counters = (
        Group("runtype-counters", FINE_INTERVAL, (*fine_copies(), trusted(stale_after(config)))),
        Group("runtype-counters-coarse", COARSE_INTERVAL, tuple(coarse_copies())),
    )
    slos = tuple(group for slo in config.slos for group in slo_groups(slo))
    return (
        RuleFile(
            "runtype-counters.yaml",
            "Copies of the ledger's counters, without instance and pod.",
            counters,
        ),
        RuleFile(
            "runtype-slo.yaml",
            "The objectives of the configuration: events, budgets, burn alerts.",
            slos,
        ),
        RuleFile(
            "runtype-alerts.yaml",
            "Alerts on batches, schedules, cost, usage, and the exporter itself.",
            (history_group(), *alert_groups(config)),
        ),
    )


def text_of(file: RuleFile, runbooks: str = RUNBOOKS) -> str:
    """A file's text. `runbooks` is what the runbooks' names are put behind."""
    return (
        f"{_MADE}\n#"
        f" {file.about}\n{as_yaml({'groups': [_group(group, runbooks) for group in file.groups]})}"
    )


def as_yaml(document: Any) -> str:
    """A document as a person would write it.

    Keys in their order, expressions of several lines as blocks.
    """
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def _group(group: Group, runbooks: str) -> dict[str, Any]:
    return {
        "name": group.name,
        "interval": written_duration(group.interval),
        "rules": [
            dict(_record(rule) if isinstance(rule, Record) else _alert(rule, runbooks))
            for rule in group.rules
        ],
    }


def _record(rule: Record) -> Iterator[tuple[str, Any]]:
    yield "record", rule.name
    yield "expr", rule.expr
    if rule.labels:
        yield "labels", dict(rule.labels)


def _alert(rule: Alert, runbooks: str) -> Iterator[tuple[str, Any]]:
    yield "alert", rule.name
    yield "expr", rule.expr
    if rule.hold:
        yield "for", written_duration(rule.hold)
    if rule.keep:
        yield "keep_firing_for", written_duration(rule.keep)
    yield "labels", {"severity": rule.severity, **rule.labels}
    yield (
        "annotations",
        {
            "summary": rule.summary,
            "description": rule.description,
            "runbook_url": f"{runbooks.rstrip('/')}/{rule.name}.md",
        },
    )


class _Dumper(yaml.SafeDumper):
    """Knows one more way to write a text than its parent, and must not change what others write."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Dumper.add_representer(str, _text)
