"""What of the ledger's file is also kept in memory, read once when it is opened.

It must not know what happens to it afterwards.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runtype_exporter.ledger import names, rows, schedules
from runtype_exporter.ledger.totals import Samples
from runtype_exporter.model import Batch, Horizon, Schedule, Series


@dataclass(frozen=True, slots=True)
class Contents:
    """What of the file is also kept in memory."""

    created: float
    open: dict[int, Batch]
    horizons: dict[str, Horizon]
    names: list[names.Fixed]
    samples: Samples
    changed: dict[Series, float]
    boundaries: dict[str, tuple[float, ...]]
    schedules: dict[str, Schedule]
    results: int


def read(connection: sqlite3.Connection) -> Contents:
    """All that is kept in memory.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: a row is not what was written.
    """
    (results,) = connection.execute("SELECT count(*) FROM results").fetchone()
    return Contents(
        rows.created(connection),
        rows.open_batches(connection),
        rows.horizons(connection),
        names.read(connection),
        rows.samples(connection),
        rows.changes(connection),
        rows.boundaries(connection),
        schedules.read(connection),
        results,
    )


def try_reading(connection: sqlite3.Connection) -> None:
    """Find out whether everything can be read back.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: a row is not what was written.
    """
    rows.all_batches(connection)
    read(connection)
