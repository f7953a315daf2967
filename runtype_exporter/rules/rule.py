"""Rules as values: what is recorded, what alerts, and in which group it is evaluated.

It must not know what any rule says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

Severity = Literal["critical", "warning", "info"]
"""`critical`: wake somebody. `warning`: somebody looks today. `info`: worth knowing beside another
alert."""

RUNBOOKS: Final = "docs/runbooks"
"""Where the runbooks are, as long as nobody says where they are published."""


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule."""

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alerting rule.

    `hold` and `keep` are seconds: how long `expr` must hold before it fires, and how long it fires
    on after that.

    `summary` and `description` are Prometheus' templates. `runbook` is the name of the page that
    says what to do.
    """

    name: str
    severity: Severity
    expr: str
    summary: str
    description: str
    hold: float = 0.0
    keep: float = 0.0
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other, every `interval` seconds."""

    name: str
    interval: float
    rules: tuple[Record | Alert, ...]
