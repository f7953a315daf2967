"""The Grafana dashboards, as code.

`DASHBOARDS` holds each file of `grafana/dashboards/` and what makes it.

`queries`, `fields`, `panels`, `tables`, `variables` and `layout` are the vocabulary; then one
module a dashboard. Plain Python, for what comes out is plain JSON: docs/dashboards.md says why no
SDK is used. `make docs` writes the files.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from .batch import batch
from .exporter import exporter
from .overview import overview
from .slo import slo

__all__ = ["DASHBOARDS", "PAGES"]

DASHBOARDS: dict[str, Callable[[], dict[str, Any]]] = {
    "grafana/dashboards/overview.json": overview,
    "grafana/dashboards/batch.json": batch,
    "grafana/dashboards/exporter.json": exporter,
    "grafana/dashboards/slo.json": slo,
}
"""Each dashboard's path and what makes it."""


def _text(make: Callable[[], dict[str, Any]]) -> str:
    return json.dumps(make(), indent=2, ensure_ascii=False) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    path: partial(_text, make) for path, make in DASHBOARDS.items()
}
"""The same as text, for `tools.generate_docs`."""
