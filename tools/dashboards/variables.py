"""The variables that dashboards share.

All of them means every value there is, also an empty one.
"""

from __future__ import annotations

from typing import Any

from .panels import DATASOURCE

EVERYTHING = {"selected": True, "text": "All", "value": "$__all"}


def datasource() -> dict[str, Any]:
    """Which Prometheus."""
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
    name: str, label: str, about: str, query: str, *, everything: str | None = ".*"
) -> dict[str, Any]:
    """Some, one or all of a label's values, sorted.

    `everything` is what "All" matches (None: what is listed).
    """
    return {
        "name": name,
        "label": label,
        "description": about,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": "StandardVariableQuery"},
        "regex": "",
        "sort": 5,
        "refresh": 2,
        "includeAll": True,
        **({"allValue": everything} if everything else {}),
        "multi": True,
        "current": EVERYTHING,
        "hide": 0,
        "options": [],
        "skipUrlSync": False,
    }


def account() -> dict[str, Any]:
    """The accounts of the configuration."""
    return choice(
        "account", "Account", "Accounts of the configuration", "label_values(runtype_up, account)"
    )


def instance() -> dict[str, Any]:
    """The exporters. "All" is what is listed.

    `process_*` and the like belong to every target of Prometheus.
    """
    query = "label_values(runtype_exporter_build_info, instance)"
    return choice(
        "instance", "Exporter", "Exporters that Prometheus scrapes", query, everything=None
    )


def slo() -> dict[str, Any]:
    """The service level objectives of the configuration."""
    query = 'label_values(runtype_slo_events_total{account=~"$account"}, slo)'
    return choice("slo", "SLO", "Service level objectives of the configuration", query)


def schedule() -> dict[str, Any]:
    """The schedules that ever ran.

    From the ledger, so that they stay when the schedules' own collector is forbidden.
    """
    query = 'label_values(runtype_schedule_runs_finished_total{account=~"$account"}, schedule)'
    return choice("schedule", "Schedule", "Schedules that ran; All includes ad-hoc batches", query)


def flow() -> dict[str, Any]:
    """The flows that ever finished a record."""
    query = (
        'label_values(runtype_records_finished_total{account=~"$account", schedule=~"$schedule"},'
        " flow)"
    )
    return choice("flow", "Flow", "Flows that finished a record", query)


def kind() -> dict[str, Any]:
    """Scheduled or ad hoc, as a pattern for the schedule's name: ad-hoc batches have none."""
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
    """The batches that have gauges of their own."""
    query = (
        'label_values(runtype_batch_total_records{account=~"$account", schedule=~"$schedule", '
        'schedule=~"$kind", flow=~"$flow"}, batch)'
    )
    return choice(
        "batch", "Batch", "Open batches, configured ones, and the newest closed ones", query
    )
