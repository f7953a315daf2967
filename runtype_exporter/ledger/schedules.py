"""The SQL that reads and writes schedules, one short JSON text each.

Due times that are not judged yet survive a restart here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from runtype_exporter.ledger.codec import decode_schedule, encode_schedule
from runtype_exporter.model import Schedule


def read(connection: sqlite3.Connection) -> dict[str, Schedule]:
    """Return every stored schedule, by id.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: a text is not what `write` writes.
    """
    rows = connection.execute("SELECT account, id, body FROM schedules")
    return {id_: decode_schedule(account, id_, body) for account, id_, body in rows}


def write(connection: sqlite3.Connection, schedules: Iterable[Schedule]) -> None:
    """Insert or update schedules.

    A schedule that is neither listed nor has a due time to judge is deleted.
    """
    for schedule in schedules:
        if schedule.over:
            connection.execute("DELETE FROM schedules WHERE id = ?", (schedule.id,))
        else:
            connection.execute(
                "INSERT OR REPLACE INTO schedules (id, account, body) VALUES (?, ?, ?)",
                (schedule.id, schedule.account, encode_schedule(schedule)),
            )


def merge(stored: Mapping[str, Schedule], schedules: Iterable[Schedule]) -> dict[str, Schedule]:
    """Return the stored schedules after `write`, given those before it, by id."""
    merged = {**stored, **{schedule.id: schedule for schedule in schedules}}
    return {id_: schedule for id_, schedule in merged.items() if not schedule.over}
