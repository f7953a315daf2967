"""What the ledger no longer needs.

Identities of batches long closed, and tombstones that the API can no longer bring back.

A tombstone goes once nothing that the API lists could make it come back as new: it lies before the
account's horizon or, without a creation time, a whole discovery no longer listed it. It must not
know why a batch was closed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

MOST = 10_000
"""Rows that one call deletes at the most, where it says nothing else."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What may go: of `account`, closed or ended before `before`, and created before `horizon` or else not in `listed`."""

    account: str
    before: float
    horizon: float
    listed: Collection[str]


def identities(connection: sqlite3.Connection, rule: Rule, most: int) -> int:
    """Delete identities of batches closed long ago, `most` at the most; how many were deleted."""
    deleted = 0
    old = connection.execute(
        "SELECT num FROM batches WHERE account = ? AND closed < ? "
        "AND EXISTS (SELECT 1 FROM results WHERE batch = num) ORDER BY closed",
        (rule.account, rule.before),
    ).fetchall()
    for (num,) in old:
        deleted += connection.execute(
            "DELETE FROM results WHERE batch = ?1 AND id IN (SELECT id FROM results WHERE batch ="
            " ?1 LIMIT ?2)",
            (num, most - deleted),
        ).rowcount
        if deleted >= most:
            break
    return deleted


def batches(connection: sqlite3.Connection, rule: Rule, most: int) -> int:
    """Delete tombstones of batches whose identities are gone, `most` at the most.

    How many were deleted.
    """
    return _delete(
        connection,
        "batches",
        "account = :account AND closed < :before AND NOT EXISTS (SELECT 1 FROM results WHERE batch"
        " = num)",
        rule,
        most,
    )


def runs(connection: sqlite3.Connection, rule: Rule, most: int) -> int:
    """Delete runs that ended long ago, `most` at the most; how many were deleted."""
    return _delete(
        connection,
        "runs",
        "account = :account AND outcome IS NOT NULL AND coalesce(ended, created, 0) < :before",
        rule,
        most,
    )


def _delete(
    connection: sqlite3.Connection, table: str, condition: str, rule: Rule, most: int
) -> int:
    # `table` and `condition` are literals of this module.
    old = connection.execute(
        f"SELECT id, created FROM {table} "  # noqa: S608
        f"WHERE {condition} AND (created IS NULL OR created < :horizon)",
        {"account": rule.account, "before": rule.before, "horizon": rule.horizon},
    )
    gone = [(id_,) for id_, created in old if created is not None or id_ not in rule.listed][:most]
    connection.executemany(f"DELETE FROM {table} WHERE id = ?", gone)  # noqa: S608  # see above
    return len(gone)
