"""Marks on the time axis.

When the exporter started, and when it took up a changed configuration.
"""

from __future__ import annotations

from .fields import BLUE, GREY
from .layout import annotation

_LOADED = "runtype_exporter_config_last_reload_success_timestamp_seconds"
_BEGAN = "(process_start_time_seconds and on (job, instance) runtype_exporter_build_info)"

RESTARTS = (
    annotation("Exporter started", f"{_BEGAN} * 1000", GREY, "{{instance}}"),
    annotation(
        "Configuration loaded",
        # A start loads it too: that is no news beside the mark of the start.
        f"({_LOADED} and on (job, instance) ({_LOADED} - on (job, instance)"
        " process_start_time_seconds > 60)) * 1000",
        BLUE,
        "{{instance}}",
    ),
)
