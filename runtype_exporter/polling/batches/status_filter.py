"""The status filter of configured batches. A batch with a filter is shown, not counted. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from runtype_exporter.config import ConfiguredBatch
from runtype_exporter.model import Batch


def configured_filter(batch: Batch, entries: Iterable[ConfiguredBatch]) -> str | None:
    """Return the filter that the configuration gives a batch, None for none."""
    return next((entry.status for entry in entries if entry.id == batch.ref.id), None)


def status_filter(batch: Batch, entries: Iterable[ConfiguredBatch]) -> str | None:
    """Return the filter with which a batch is swept, None for no filter.

    A batch that is also discovered is swept without a filter, since its results count.
    """
    known = {*batch.probes, *(batch.probes_at_last_sweep or {})}
    discovered = bool(batch.schedule) or not known <= {"status"}
    return None if discovered else configured_filter(batch, entries)
