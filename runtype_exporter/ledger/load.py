"""The part of the ledger that is also kept in memory. It is read once, when the file is opened."""

from __future__ import annotations

import sqlite3
import traceback
from dataclasses import dataclass

from runtype_exporter.ledger import names, rows, schedules, series
from runtype_exporter.ledger.json_text import NewerContent
from runtype_exporter.ledger.states import ADOPTED, KNOWN_CODES
from runtype_exporter.model import Batch, Horizon, Learned, Schedule


@dataclass(frozen=True, slots=True)
class Contents:
    """The part of the ledger that is also kept in memory.

    `created` is when the ledger was created, in seconds since the Unix epoch. `open` are the open
    batches by their numbers. `results` is the number of stored identities.
    """

    created: float
    open: dict[int, Batch]
    horizons: dict[str, Horizon]
    learned: dict[str, Learned]
    names: list[names.Fixed]
    series: series.StoredSeries
    boundaries: dict[str, tuple[float, ...]]
    schedules: dict[str, Schedule]
    results: int


def read(connection: sqlite3.Connection) -> Contents:
    """Return all that is kept in memory.

    Raises:
        NewerContent: a newer version wrote some of it.
        ValueError, TypeError, LookupError, AttributeError: a row is not what was written.
    """
    return Contents(
        created=rows.created(connection),
        open=rows.open_batches(connection),
        horizons=rows.horizons(connection),
        learned=rows.learned(connection),
        names=names.read(connection),
        series=series.read(connection),
        boundaries=series.boundaries(connection),
        schedules=schedules.read(connection),
        results=_count_results(connection),
    )


def check(connection: sqlite3.Connection) -> None:
    """Check that everything can be read back, closed batches and runs included.

    Raises:
        NewerContent: a newer version wrote some of it.
        ValueError, TypeError, LookupError, AttributeError: a row is not what was written.
    """
    try:
        rows.all_batches(connection)
        rows.all_runs(connection)
        read(connection)
    except Exception as error:
        # A cursor in a frame would keep the connection open, and so the lock on the file.
        traceback.clear_frames(error.__traceback__)
        raise


def _count_results(connection: sqlite3.Connection) -> int:
    """Return the number of stored identities, after a check of their state codes."""
    codes = ",".join(map(str, sorted(KNOWN_CODES)))
    # Only numbers of this program are put in.
    count, unknown, lost = connection.execute(
        f"SELECT count(*), coalesce(sum(state NOT IN ({codes})), 0), "  # noqa: S608
        f"coalesce(sum(state = {ADOPTED} AND NOT EXISTS (SELECT 1 FROM adoptions AS a "
        "WHERE a.batch = results.batch AND a.record = results.id AND a.adopter NOT NULL)), 0) "
        "FROM results"
    ).fetchone()
    if unknown:
        raise NewerContent("an unknown state of a result")
    (unknown,) = connection.execute(
        f"SELECT count(*) FROM adoptions WHERE outcome NOT IN ({codes})"  # noqa: S608
    ).fetchone()
    if unknown:
        raise NewerContent("an unknown outcome of an adopted result")
    if lost:
        raise LookupError("an adopted record has no adopter")
    return int(count)
