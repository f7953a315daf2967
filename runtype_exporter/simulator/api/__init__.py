"""The documented HTTP API over a simulated account: keys, limits, paging, and the JSON objects."""

from __future__ import annotations

from runtype_exporter.simulator.api.auth import Key
from runtype_exporter.simulator.api.routes import simulator_app

__all__ = ["Key", "simulator_app"]
