"""The Grafana dashboards, as code.

`queries`, `field_config`, `panels`, `tables`, `variables`, `layout` and `annotations` are the
building blocks. Then there is a package for each dashboard, with a module per section or topic.
It is plain Python, because the result is plain JSON: docs/dashboards.md says why no SDK is used.
`make docs` writes the files.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from tools.dashboards.batch import batch_dashboard
from tools.dashboards.exporter import exporter_dashboard
from tools.dashboards.overview import overview_dashboard
from tools.dashboards.slo import slo_dashboard

__all__ = ["DASHBOARDS", "PAGES"]

DASHBOARDS: dict[str, Callable[[], dict[str, Any]]] = {
    "grafana/dashboards/overview.json": overview_dashboard,
    "grafana/dashboards/batch.json": batch_dashboard,
    "grafana/dashboards/exporter.json": exporter_dashboard,
    "grafana/dashboards/slo.json": slo_dashboard,
}
"""The path of each dashboard, and the function that returns it."""


def _text(make: Callable[[], dict[str, Any]]) -> str:
    return json.dumps(make(), indent=2, ensure_ascii=False) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    path: partial(_text, make) for path, make in DASHBOARDS.items()
}
"""The path of each dashboard, and the function that returns its text (for `generate_docs`)."""
