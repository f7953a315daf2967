"""*Batch*: one schedule, flow or batch in depth.

Gauges show the batches that the exporter follows now. Counters cover the whole time range.
"""

from __future__ import annotations

from typing import Any

from tools.dashboards import variables
from tools.dashboards.annotations import RESTARTS
from tools.dashboards.batch.batches import batches_section, progress_section
from tools.dashboards.batch.cost import cost_section
from tools.dashboards.batch.failures import failures_section
from tools.dashboards.batch.history import history_section
from tools.dashboards.batch.latency import latency_section
from tools.dashboards.layout import dashboard


def batch_dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    choices = [
        variables.datasource(),
        variables.account(),
        variables.kind(),
        variables.schedule(),
        variables.flow(),
        variables.batch(),
    ]
    sections = [
        batches_section(),
        progress_section(),
        latency_section(),
        failures_section(),
        history_section(),
        cost_section(),
    ]
    return dashboard("runtype-batch", choices, RESTARTS, sections)
