"""The rule files that Prometheus loads: their groups, and how they are written as YAML."""

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
from runtype_exporter.rules.rule import RUNBOOKS, AlertRule, RecordingRule, RuleGroup
from runtype_exporter.rules.slo import slo_groups, trusted_rule

_HEADER: Final = (
    "# Made by `runtype-exporter rules`; change the configuration or the exporter, not this file."
)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A rule file. `about` is the comment in its first lines."""

    name: str
    about: str
    groups: tuple[RuleGroup, ...]


def rule_files(config: Config) -> tuple[RuleFile, ...]:
    """Return all rule files of a configuration. The others use what the first one records."""
    counters = (
        RuleGroup(
            "runtype-counters", FINE_INTERVAL, (*fine_copies(), trusted_rule(stale_after(config)))
        ),
        RuleGroup("runtype-counters-coarse", COARSE_INTERVAL, tuple(coarse_copies())),
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
    """Return the text of a file. `runbooks` is the URL or path that the runbooks are below."""
    groups = [_group(group, runbooks) for group in file.groups]
    return f"{_HEADER}\n# {file.about}\n{as_yaml({'groups': groups})}"


def as_yaml(document: Any) -> str:
    """Return a document as readable YAML.

    Keys keep their order, and texts of several lines are written as blocks.
    """
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def _group(group: RuleGroup, runbooks: str) -> dict[str, Any]:
    return {
        "name": group.name,
        "interval": written_duration(group.interval),
        "rules": [
            dict(_record(rule) if isinstance(rule, RecordingRule) else _alert(rule, runbooks))
            for rule in group.rules
        ],
    }


def _record(rule: RecordingRule) -> Iterator[tuple[str, Any]]:
    yield "record", rule.name
    yield "expr", rule.expr
    if rule.labels:
        yield "labels", dict(rule.labels)


def _alert(rule: AlertRule, runbooks: str) -> Iterator[tuple[str, Any]]:
    yield "alert", rule.name
    yield "expr", rule.expr
    if rule.pending_for:
        yield "for", written_duration(rule.pending_for)
    if rule.keep_firing_for:
        yield "keep_firing_for", written_duration(rule.keep_firing_for)
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
    """A YAML dumper that writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Dumper.add_representer(str, _text)
