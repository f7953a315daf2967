"""The deletion of rows that the ledger no longer needs.

Identities are deleted some time after their batch closed. The tombstone of a batch, or an ended
run, is deleted once the API cannot bring it back as new: a complete discovery did not list it, and
it was created before the account's horizon or its creation time is unknown. Both are needed: the
API may give a batch that it still lists a newer creation time, as after a retry of its records.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

MAX_ROWS = 10_000
"""The default of the rows that one call deletes at most."""


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """The rows of `account` that may be deleted.

    They closed or ended before `before`, are not in `listed`, and their creation time is unknown or
    before `horizon`. Times are in seconds since the Unix epoch.
    """

    account: str
    before: float
    horizon: float
    listed: Collection[str]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The rows that one call deleted."""

    identities: int
    others: int
    """The number of tombstones and runs."""
    newest: float
    """The newest creation time of those, in seconds since the Unix epoch; 0 where none has one."""


def forget(connection: sqlite3.Connection, rule: RetentionRule, most: int) -> Forgotten:
    """Delete what the rule allows, `most` rows at most. Return what was deleted."""
    results = _forget_identities(connection, rule, most)
    batches = _delete(
        connection,
        "batches",
        "account = :account AND closed < :before "
        "AND NOT EXISTS (SELECT 1 FROM results WHERE batch = num)",
        rule,
        most - results,
    )
    runs = _delete(
        connection,
        "runs",
        "account = :account AND outcome IS NOT NULL AND coalesce(ended, created, 0) < :before",
        rule,
        most - results - len(batches),
    )
    created = [at for at in (*batches, *runs) if at is not None]
    return Forgotten(results, len(batches) + len(runs), max(created, default=0.0))


def _forget_identities(connection: sqlite3.Connection, rule: RetentionRule, most: int) -> int:
    """Delete identities of batches closed long ago, `most` at most. Return how many."""
    deleted = 0
    old = connection.execute(
        "SELECT num FROM batches WHERE account = ? AND closed < ? "
        "AND EXISTS (SELECT 1 FROM results WHERE batch = num) ORDER BY closed",
        (rule.account, rule.before),
    ).fetchall()
    portion = "SELECT id FROM results WHERE batch = ?1 ORDER BY id LIMIT ?2"
    for (num,) in old:
        left = (num, most - deleted)
        # `portion` is a literal. An adopted row must never be left without its adoption.
        connection.execute(
            f"DELETE FROM adoptions WHERE batch = ?1 AND record IN ({portion})",  # noqa: S608
            left,
        )
        deleted += connection.execute(
            f"DELETE FROM results WHERE batch = ?1 AND id IN ({portion})",  # noqa: S608
            left,
        ).rowcount
        if deleted >= most:
            break
    return deleted


def _delete(
    connection: sqlite3.Connection, table: str, condition: str, rule: RetentionRule, most: int
) -> list[float | None]:
    """Delete rows of a table, `most` at most. Return their creation times."""
    # `table` and `condition` are literals of this module.
    old = connection.execute(
        f"SELECT id, created FROM {table} "  # noqa: S608
        f"WHERE {condition} AND (created IS NULL OR created < :horizon)",
        {"account": rule.account, "before": rule.before, "horizon": rule.horizon},
    )
    deleted = [(id_, created) for id_, created in old if id_ not in rule.listed][:most]
    connection.executemany(
        f"DELETE FROM {table} WHERE id = ?",  # noqa: S608
        [(id_,) for id_, _ in deleted],
    )
    return [created for _, created in deleted]
