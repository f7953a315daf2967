"""*SLO*: every objective, its budget, how fast it burns, and which schedules burn it.

The panels read what the recording rules record (docs/slo.md).
"""

from __future__ import annotations

from typing import Any

from tools.dashboards import variables
from tools.dashboards.annotations import RESTARTS
from tools.dashboards.layout import dashboard
from tools.dashboards.slo.alerts import alerts_section
from tools.dashboards.slo.burn_rates import history_section, windows_section
from tools.dashboards.slo.events import events_section
from tools.dashboards.slo.objectives import objectives_section


def slo_dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    choices = [variables.datasource(), variables.account(), variables.slo()]
    sections = [
        objectives_section(),
        history_section(),
        windows_section(),
        events_section(),
        alerts_section(),
    ]
    return dashboard("runtype-slo", choices, RESTARTS, sections, since="now-7d")
