"""Types for rules: recording rules, alerting rules and rule groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

Severity = Literal["critical", "warning", "info"]
"""`critical`: wake somebody. `warning`: look at it today. `info`: read it together with another
alert."""

RUNBOOKS: Final = "docs/runbooks"
"""The default location of the runbooks, where no published location is given."""


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A recording rule."""

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """An alerting rule. `summary` and `description` are Prometheus templates.

    Its runbook is the page of the same name.
    """

    name: str
    severity: Severity
    expr: str
    summary: str
    description: str
    pending_for: float = 0.0
    """Seconds that `expr` must be true before the alert fires: `for` in Prometheus."""
    keep_firing_for: float = 0.0
    """Seconds that the alert goes on firing after `expr` was last true."""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """A group of rules that are evaluated one after the other, every `interval` seconds."""

    name: str
    interval: float
    rules: tuple[RecordingRule | AlertRule, ...]
