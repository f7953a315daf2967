"""The alerts as rules that Grafana manages, for those who alert from there.

It knows how a rule is made up, and no rule by name.

The expressions are the very ones of Prometheus, so the two cannot differ in meaning; what they
compute with is recorded by Prometheus all the same. The keys are those that Grafana's own reader of
these files knows (pkg/services/provisioning/alerting/rules_types.go).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from runtype_exporter.config.durations import written_duration
from runtype_exporter.rules import RUNBOOKS, Alert, Group, RuleFile, as_yaml

DATASOURCE: Final = "runtype-prometheus"
"""The uid of the data source that `grafana/provisioning/datasources/` sets up."""
_FOLDER: Final = "Runtype"
_HEAD: Final = "# Made by `make docs` from runtype_exporter/rules/; edit that, not this file.\n"
_RANGE: Final = 600
"""Seconds of data that a query may look at. Each is an instant query, so this only names the
moment."""


def grafana_alerts(files: Sequence[RuleFile]) -> str:
    """The file for /etc/grafana/provisioning/alerting."""
    groups = [
        _group(group, alerts)
        for file in files
        for group in file.groups
        if (alerts := [rule for rule in group.rules if isinstance(rule, Alert)])
    ]
    return _HEAD + as_yaml({"apiVersion": 1, "groups": groups})


def _group(group: Group, alerts: Sequence[Alert]) -> dict[str, Any]:
    return {
        "orgId": 1,
        "name": group.name,
        "folder": _FOLDER,
        "interval": written_duration(group.interval),
        "rules": [dict(_rule(alert)) for alert in alerts],
    }


def _rule(alert: Alert) -> Iterator[tuple[str, Any]]:
    yield "uid", _uid(alert)
    yield "title", _title(alert)
    yield "condition", "fires"
    yield "data", [dict(_query(alert)), dict(_condition())]
    # An expression that finds nothing is one that does not fire, here as in Prometheus.
    yield "noDataState", "OK"
    yield "execErrState", "Error"
    yield "for", written_duration(alert.hold)
    yield "keepFiringFor", written_duration(alert.keep)
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


def _query(alert: Alert) -> Iterator[tuple[str, Any]]:
    yield "refId", "value"
    yield "relativeTimeRange", {"from": _RANGE, "to": 0}
    yield "datasourceUid", DATASOURCE
    yield "model", {"refId": "value", "expr": alert.expr, "instant": True, "range": False}


def _condition() -> Iterator[tuple[str, Any]]:
    """Whatever the expression finds fires, whatever its value.

    A comparison with 0 would take `up == 0` for silence.
    """
    yield "refId", "fires"
    yield "datasourceUid", "__expr__"
    yield "model", {"refId": "fires", "type": "math", "expression": "is_number($value)"}


def _template(text: str) -> str:
    """The same template without a `$`, which some versions of Grafana take for a variable of the environment here."""
    return text.replace("$value", ".Values.value.Value").replace("$labels", ".Labels")


def _title(alert: Alert) -> str:
    """Grafana wants a rule's title to be unique in its folder."""
    which = [alert.labels[label] for label in ("slo", "long") if label in alert.labels]
    return " ".join([alert.name, *which])


def _uid(alert: Alert) -> str:
    """At most 40 characters, and the same for the same rule, so that provisioning replaces instead of adding."""
    return f"runtype-{hashlib.sha256(_title(alert).encode()).hexdigest()[:24]}"
