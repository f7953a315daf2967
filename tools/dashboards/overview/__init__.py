"""*Overview*: is everything healthy, and which schedule is not? How fast, how much?

Three panels need the rules of this project: error budget, firing alerts, alerts over time.
"""

from __future__ import annotations

from typing import Any

from tools.dashboards import variables
from tools.dashboards.annotations import RESTARTS
from tools.dashboards.layout import dashboard
from tools.dashboards.overview.cost import cost_section
from tools.dashboards.overview.records import latency_section, volume_section
from tools.dashboards.overview.schedules import schedules_section
from tools.dashboards.overview.status import status_section


def overview_dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    return dashboard(
        "runtype-overview",
        [variables.datasource(), variables.account(), variables.schedule(), variables.flow()],
        RESTARTS,
        [
            status_section(),
            schedules_section(),
            volume_section(),
            latency_section(),
            cost_section(),
        ],
    )
