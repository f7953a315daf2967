"""The identities of a batch's results.

How a result is told from every other, and the table that remembers them.

An identity is the result's own id or, where the API gives none yet, its record's id. It must not
know what counting makes of them.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from runtype_exporter.model import Result

Id = TypeVar("Id", bytes, str)

Held = tuple[int, int, int, bytes | None]
"""What is remembered of one identity: state and status word (as counting knows them), the last walk
that met it, and the identity that adopted it. A plain tuple, as the table's own rows are: a page
makes hundreds of them."""

CHUNK = 500
"""Ids in one SELECT: below every build's limit of SQL variables."""


def result_identity(key: str) -> bytes:
    """The identity of a result by its recordResultId. 128 bits.

    No two results of one batch will ever share one.
    """
    return hashlib.blake2b(b"k" + key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def record_identity(key: str) -> bytes:
    """The identity of a result without an id of its own, by its recordId."""
    return hashlib.blake2b(b"r" + key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Page:
    """One page's identities and what the ledger holds of them.

    `ids` has one identity a row. `records` gives, for the record of each result id that is new, the
    identity that it may adopt.
    """

    ids: Sequence[bytes]
    held: Mapping[bytes, Held]
    records: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a page changes in the table."""

    written: Mapping[bytes, Held]
    deleted: frozenset[bytes]
    added: int
    """By how many rows the table grows; negative where it shrinks."""


def look_up(connection: sqlite3.Connection, batch: int | None, results: Sequence[Result]) -> Page:
    """One page's identities; `batch` is None for a batch that the ledger does not hold yet."""
    ids = [
        record_identity(result.record_key) if result.key is None else result_identity(result.key)
        for result in results
    ]
    held = {} if batch is None else _select(connection, batch, ids)
    unknown = {
        result.record_key
        for result, id_ in zip(results, ids, strict=True)
        if result.key is not None and id_ not in held
    }
    records = {key: record_identity(key) for key in unknown}
    if batch is not None:
        held.update(_select(connection, batch, records.values()))
        adopters = [row[3] for row in held.values() if row[3] is not None and row[3] not in held]
        held.update(_select(connection, batch, adopters))
    return Page(ids, held, records)


def write(connection: sqlite3.Connection, batch: int, changes: Changes) -> None:
    """Make the table what a page made of it.

    In the order of the key, so that neighbours share pages of the file.
    """
    connection.executemany(
        "DELETE FROM results WHERE batch = ? AND id = ?", [(batch, id_) for id_ in changes.deleted]
    )
    connection.executemany(
        "INSERT OR REPLACE INTO results (batch, id, state, word, walk, adopter) VALUES (?, ?, ?, ?,"
        " ?, ?)",
        [(batch, id_, *row) for id_, row in sorted(changes.written.items())],
    )


def chunks(ids: Iterable[Id]) -> Iterator[tuple[tuple[Id, ...], str]]:
    """The ids in portions for one SELECT each, with the SQL list of as many placeholders."""
    left = iter(ids)
    while portion := tuple(islice(left, CHUNK)):
        yield portion, ",".join("?" * len(portion))


def _select(connection: sqlite3.Connection, batch: int, ids: Iterable[bytes]) -> dict[bytes, Held]:
    held: dict[bytes, Held] = {}
    for portion, marks in chunks(ids):
        # Only placeholders are put in.
        rows = connection.execute(
            "SELECT id, state, word, walk, adopter FROM results "  # noqa: S608
            f"WHERE batch = ? AND id IN ({marks})",
            (batch, *portion),
        )
        held.update((row[0], row[1:]) for row in rows)
    return held
