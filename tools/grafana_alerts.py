"""Generate the alerts as rules that Grafana manages, for users who alert from Grafana.

The expressions are the same as in Prometheus, so the alerts mean the same. Prometheus still
evaluates the recording rules that they read. The keys are those that Grafana reads in these files
(pkg/services/provisioning/alerting/rules_types.go).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from runtype_exporter.config.durations import written_duration
from runtype_exporter.rules import RUNBOOKS, AlertRule, RuleFile, RuleGroup, as_yaml

DATASOURCE: Final = "runtype-prometheus"
"""The uid of the data source that `grafana/provisioning/datasources/` sets up."""
_FOLDER: Final = "Runtype"
_HEAD: Final = "# Made by `make docs` from runtype_exporter/rules/; edit that, not this file.\n"
_RANGE: Final = 600
"""Seconds of data that a query may read. All are instant queries, so only its end matters."""


def grafana_alerts(files: Sequence[RuleFile]) -> str:
    """Return the file for /etc/grafana/provisioning/alerting."""
    groups = [
        _group(group, alerts)
        for file in files
        for group in file.groups
        if (alerts := [rule for rule in group.rules if isinstance(rule, AlertRule)])
    ]
    return _HEAD + as_yaml({"apiVersion": 1, "groups": groups})


def _group(group: RuleGroup, alerts: Sequence[AlertRule]) -> dict[str, Any]:
    return {
        "orgId": 1,
        "name": group.name,
        "folder": _FOLDER,
        "interval": written_duration(group.interval),
        "rules": [dict(_rule(alert)) for alert in alerts],
    }


def _rule(alert: AlertRule) -> Iterator[tuple[str, Any]]:
    yield "uid", _uid(alert)
    yield "title", _title(alert)
    yield "condition", "fires"
    yield "data", [dict(_query(alert)), dict(_condition())]
    # As in Prometheus, an expression without a result does not fire.
    yield "noDataState", "OK"
    yield "execErrState", "Error"
    yield "for", written_duration(alert.pending_for)
    yield "keepFiringFor", written_duration(alert.keep_firing_for)
    yield "labels", {"severity": alert.severity, **alert.labels}
    yield (
        "annotations",
        {
            "summary": _template(alert.summary),
            "description": _template(alert.description),
            "runbook_url": f"{RUNBOOKS}/{alert.name}.md",
        },
    )
    yield "isPaused", False


def _query(alert: AlertRule) -> Iterator[tuple[str, Any]]:
    yield "refId", "value"
    yield "relativeTimeRange", {"from": _RANGE, "to": 0}
    yield "datasourceUid", DATASOURCE
    yield "model", {"refId": "value", "expr": alert.expr, "instant": True, "range": False}


def _condition() -> Iterator[tuple[str, Any]]:
    """Return the condition that every result of the expression fires, whatever its value.

    The value may be 0 (`up == 0`), so it is not compared with anything.
    """
    yield "refId", "fires"
    yield "datasourceUid", "__expr__"
    yield "model", {"refId": "fires", "type": "math", "expression": "is_number($value)"}


def _template(text: str) -> str:
    """Return the template without a `$`.

    In these files some versions of Grafana replace `$word` by an environment variable.
    """
    return text.replace("$value", ".Values.value.Value").replace("$labels", ".Labels")


def _title(alert: AlertRule) -> str:
    """Return a title that is unique in the folder, as Grafana requires it."""
    parts = [alert.labels[label] for label in ("slo", "long") if label in alert.labels]
    return " ".join([alert.name, *parts])


def _uid(alert: AlertRule) -> str:
    """Return a uid of at most 40 characters.

    It is always the same for a rule, so that provisioning replaces the rule.
    """
    return f"runtype-{hashlib.sha256(_title(alert).encode()).hexdigest()[:24]}"
