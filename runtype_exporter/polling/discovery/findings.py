"""What one cycle finds out, collected by its parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from runtype_exporter.model import Batch, Source
from runtype_exporter.polling.batches.lifecycle import ProbeReading

ProbeReadings = dict[str, dict[Source, ProbeReading]]
"""The probes that a cycle read of each batch, by batch id and source."""


@dataclass(slots=True)
class CycleFindings:
    """The findings of the present cycle of one account."""

    requests: int = 0
    """Requests of the cycle, retries not counted."""
    readings: ProbeReadings = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    """The ids of the batches that the cycle changed, in order: a set that keeps its order."""
    undated_runs: set[str] = field(default_factory=set)
    """Runs without a creation time. They must not be forgotten, because they are listed."""

    def clear(self) -> None:
        """Reset the findings for the next cycle."""
        self.requests = 0
        self.readings.clear()
        self.changed.clear()
        self.undated_runs.clear()

    def add_changed(self, batches: Iterable[Batch]) -> None:
        """Record that the cycle changed these batches. They may change again before it ends."""
        self.changed |= dict.fromkeys(batch.ref.id for batch in batches)

    def add_reading(self, batch_id: str, source: Source, reading: ProbeReading) -> None:
        """Add what a list shows of a batch."""
        self.readings.setdefault(batch_id, {})[source] = reading
