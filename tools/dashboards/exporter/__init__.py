"""*Exporter*: does it poll, within its budget, without lag and without drift?

And how are its ledger and its process?
"""

from __future__ import annotations

from typing import Any

from tools.dashboards import variables
from tools.dashboards.annotations import RESTARTS
from tools.dashboards.exporter.accuracy import accuracy_section
from tools.dashboards.exporter.api import api_section
from tools.dashboards.exporter.ledger import ledger_section
from tools.dashboards.exporter.polling import polls_section
from tools.dashboards.exporter.process import process_section
from tools.dashboards.exporter.status import status_section
from tools.dashboards.exporter.sweeps import sweeps_section
from tools.dashboards.layout import dashboard


def exporter_dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    choices = [variables.datasource(), variables.account(), variables.instance()]
    sections = [
        status_section(),
        polls_section(),
        api_section(),
        sweeps_section(),
        accuracy_section(),
        ledger_section(),
        process_section(),
    ]
    return dashboard("runtype-exporter", choices, RESTARTS, sections)
