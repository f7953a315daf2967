"""Annotations: marks on the time axis of every dashboard for restarts and configuration reloads."""

from __future__ import annotations

from tools.dashboards.field_config import BLUE, GREY
from tools.dashboards.layout import annotation

_LOADED = "runtype_exporter_config_last_reload_success_timestamp_seconds"
_STARTED = "(process_start_time_seconds and on (job, instance) runtype_exporter_build_info)"

RESTARTS = (
    annotation("Exporter started", f"{_STARTED} * 1000", GREY, "{{instance}}"),
    annotation(
        "Configuration loaded",
        # A start loads the configuration too. The mark of the start is enough then.
        f"({_LOADED} and on (job, instance) ({_LOADED} - on (job, instance)"
        " process_start_time_seconds > 60)) * 1000",
        BLUE,
        "{{instance}}",
    ),
)
