"""The SQL that reads and writes counters, histograms and the bounds of histograms."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runtype_exporter import catalogue
from runtype_exporter.ledger.json_text import NewerContent
from runtype_exporter.ledger.totals import Samples
from runtype_exporter.model import HistogramValue, LabelValues, Sample, Series


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """The stored series that the catalogue knows, and the number of others by metric.

    `changed` is when each series last changed, in seconds since the Unix epoch. The series of
    `retired` metrics stay on disk.
    """

    samples: Samples
    changed: dict[Series, float]
    retired: dict[str, int]


def read(connection: sqlite3.Connection) -> StoredSeries:
    """Return the stored series.

    Raises:
        NewerContent: neither this version nor an earlier one has a metric of this name, type and
            number of labels.
        ValueError, TypeError, LookupError: a row is not what was written.
    """
    bounds = boundaries(connection)
    found = StoredSeries({}, {}, {})
    for metric, labels, created, value, counts, changed in connection.execute(
        "SELECT metric, labels, created, value, counts, changed FROM series"
    ):
        key = (metric, tuple(json.loads(labels)))
        if not _is_known(key, histogram=counts is not None):
            if (metric, len(key[1])) not in catalogue.RETIRED:
                raise NewerContent("an unknown metric, or a known one with other labels")
            found.retired[metric] = found.retired.get(metric, 0) + 1
            continue
        found.samples[key] = Sample(
            value if counts is None else _histogram(bounds[metric], json.loads(counts), value),
            created,
        )
        found.changed[key] = changed
    return found


def write(connection: sqlite3.Connection, planned: Samples, now: float) -> None:
    """Insert or update series, as changed at `now` (seconds since the Unix epoch)."""
    rows = []
    for (metric, labels), sample in planned.items():
        state, counts = sample.value, None
        if isinstance(state, HistogramValue):
            counts = json.dumps(state.counts, separators=(",", ":"))
            state = state.sum
        rows.append((metric, _labels(labels), sample.created, state, counts, now))
    connection.executemany(
        "INSERT OR REPLACE INTO series (metric, labels, created, value, counts, changed) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        rows,
    )


def delete(connection: sqlite3.Connection, ended: Iterable[Series]) -> None:
    """Delete series."""
    connection.executemany(
        "DELETE FROM series WHERE metric = ? AND labels = ?",
        [(metric, _labels(labels)) for metric, labels in ended],
    )


def boundaries(connection: sqlite3.Connection) -> dict[str, tuple[float, ...]]:
    """Return the stored bounds of each histogram, by metric."""
    return {
        metric: tuple(json.loads(bounds))
        for metric, bounds in connection.execute("SELECT metric, bounds FROM families")
    }


def write_boundaries(
    connection: sqlite3.Connection, bounds: Mapping[str, tuple[float, ...]]
) -> None:
    """Store the bounds of histograms."""
    connection.executemany(
        "INSERT OR REPLACE INTO families (metric, bounds) VALUES (?, ?)",
        [(metric, json.dumps(values)) for metric, values in bounds.items()],
    )


def _is_known(key: Series, *, histogram: bool) -> bool:
    metric = catalogue.BY_NAME.get(key[0])
    return (
        metric is not None
        and metric.owner == "ledger"
        and len(metric.labels) == len(key[1])
        and (metric.type == "histogram") == histogram
    )


def _histogram(bounds: tuple[float, ...], counts: list[int], total: float) -> HistogramValue:
    if len(counts) != len(bounds) + 1:
        raise ValueError("a histogram's counts do not fit its bounds")
    return HistogramValue(bounds, tuple(counts), total)


def _labels(labels: LabelValues) -> str:
    return json.dumps(labels, ensure_ascii=False)
