"""The variables that the dashboards share.

"All" matches every value, the empty one too.
"""

from __future__ import annotations

from typing import Any

from tools.dashboards.panels import DATASOURCE

ALL = {"selected": True, "text": "All", "value": "$__all"}


def datasource() -> dict[str, Any]:
    """Return the variable that chooses the Prometheus data source."""
    return {
        "name": "datasource",
        "label": "Data source",
        "description": "The Prometheus that scrapes the exporter",
        "type": "datasource",
        "query": "prometheus",
        "regex": "",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "skipUrlSync": False,
    }


def choice(
    name: str, label: str, description: str, query: str, *, all_value: str | None = ".*"
) -> dict[str, Any]:
    """Return a variable with the sorted values of a label: one, some or all can be chosen.

    `all_value` is the pattern that "All" stands for. None: the listed values.
    """
    return {
        "name": name,
        "label": label,
        "description": description,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": "StandardVariableQuery"},
        "regex": "",
        "sort": 5,
        "refresh": 2,
        "includeAll": True,
        **({"allValue": all_value} if all_value else {}),
        "multi": True,
        "current": ALL,
        "hide": 0,
        "options": [],
        "skipUrlSync": False,
    }


def account() -> dict[str, Any]:
    """Return the variable of the configured accounts."""
    return choice(
        "account", "Account", "Accounts of the configuration", "label_values(runtype_up, account)"
    )


def instance() -> dict[str, Any]:
    """Return the variable of the exporters. "All" stands for the listed ones.

    Metrics such as `process_*` exist for every target of Prometheus, not only for exporters.
    """
    query = "label_values(runtype_exporter_build_info, instance)"
    return choice(
        "instance", "Exporter", "Exporters that Prometheus scrapes", query, all_value=None
    )


def slo() -> dict[str, Any]:
    """Return the variable of the configured service level objectives."""
    query = 'label_values(runtype_slo_events_total{account=~"$account"}, slo)'
    return choice("slo", "SLO", "Service level objectives of the configuration", query)


def schedule() -> dict[str, Any]:
    """Return the variable of the schedules that ever ran.

    The counter is in the ledger, so schedules stay when their own collector is forbidden.
    """
    query = 'label_values(runtype_schedule_runs_finished_total{account=~"$account"}, schedule)'
    return choice("schedule", "Schedule", "Schedules that ran; All includes ad-hoc batches", query)


def flow() -> dict[str, Any]:
    """Return the variable of the flows that ever finished a record."""
    query = (
        'label_values(runtype_records_finished_total{account=~"$account", schedule=~"$schedule"},'
        " flow)"
    )
    return choice("flow", "Flow", "Flows that finished a record", query)


def kind() -> dict[str, Any]:
    """Return the variable "scheduled or ad hoc": a pattern for the schedule's name.

    Ad-hoc batches have no schedule.
    """
    options = {"all": ".*", "scheduled": ".+", "ad hoc": "()"}
    return {
        "name": "kind",
        "label": "Batches",
        "description": "Scheduled batches, ad-hoc ones (for these leave Schedule at All), or both",
        "type": "custom",
        "query": ", ".join(f"{text} : {value}" for text, value in options.items()),
        "current": {"selected": True, "text": "all", "value": ".*"},
        "options": [
            {"selected": text == "all", "text": text, "value": value}
            for text, value in options.items()
        ],
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "skipUrlSync": False,
    }


def batch() -> dict[str, Any]:
    """Return the variable of the batches that have their own gauges."""
    query = (
        'label_values(runtype_batch_total_records{account=~"$account", schedule=~"$schedule", '
        'schedule=~"$kind", flow=~"$flow"}, batch)'
    )
    return choice(
        "batch", "Batch", "Open batches, configured ones, and the newest closed ones", query
    )
