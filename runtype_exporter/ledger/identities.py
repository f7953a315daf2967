"""The identities of a batch's results: how a result is recognised, and their tables.

An identity is made of the result's own id or, where the API gives none yet, of its record's id.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, TypeVar

from runtype_exporter.ledger.states import UNFINISHED
from runtype_exporter.model import Result

Id = TypeVar("Id", bytes, str)

IdentityRow = tuple[int, int, int]
"""One stored identity: its state (`states.StoredState`), its status word as a number, and the
number of the last sweep that read it. A plain tuple, as SQLite returns it: a page has hundreds."""

CHUNK = 500
"""Ids in one SELECT: below every build's limit of SQL variables."""


class Adoption(NamedTuple):
    """What is stored of a final result that had no id of its own, by its record's identity.

    A record has one for each outcome that was counted or remembered under its identity. `outcome`
    is the state code of the result. `finished` is its end in seconds since the Unix epoch, None if
    it had none. `adopter` is the identity of the result's own id, None while it has none.
    """

    outcome: int
    finished: float | None
    adopter: bytes | None


def result_identity(key: str) -> bytes:
    """Return the identity of a result by its recordResultId.

    It has 128 bits, so that no two results of one batch share one.
    """
    return hashlib.blake2b(b"k" + key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def record_identity(key: str) -> bytes:
    """Return the identity of a result without an id of its own, by its recordId."""
    return hashlib.blake2b(b"r" + key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Page:
    """The identities of one page, and what the ledger stores of them.

    `ids` has one identity for each row of the page. `records` has the identity that a result id may
    adopt because it is new or its result becomes final, by the id of its record. `adoptions` is by
    record identity and state code.
    """

    ids: Sequence[bytes]
    stored: Mapping[bytes, IdentityRow]
    records: Mapping[str, bytes] = field(default_factory=dict)
    adoptions: Mapping[bytes, Mapping[int, Adoption]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes that a page makes in the tables."""

    written: Mapping[bytes, IdentityRow]
    deleted: frozenset[bytes]
    added: int
    """The rows by which the table of results grows. It is negative where the table shrinks."""
    adoptions: Mapping[tuple[bytes, int], Adoption] = field(default_factory=dict)
    """The adoptions that are written, by record identity and state code."""


def look_up(connection: sqlite3.Connection, batch: int | None, results: Sequence[Result]) -> Page:
    """Return the identities of one page, and what is stored of them.

    `batch` is the batch's number in the table of results, None if the batch is not stored yet.
    """
    ids = [
        record_identity(result.record_key) if result.key is None else result_identity(result.key)
        for result in results
    ]
    stored = {} if batch is None else _select(connection, batch, ids)
    waiting = {
        result.record_key
        for result, id_ in zip(results, ids, strict=True)
        if result.key is not None
        and (id_ not in stored or (stored[id_][0] == UNFINISHED and result.outcome is not None))
    }
    records = {key: record_identity(key) for key in waiting}
    if batch is None:
        return Page(ids, stored, records)
    stored.update(_select(connection, batch, records.values()))
    # Only rows that exist can have been adopted: an ordinary page asks for none.
    without_id = {id_ for result, id_ in zip(results, ids, strict=True) if result.key is None} | {
        *records.values()
    }
    adoptions = _select_adoptions(connection, batch, without_id & stored.keys())
    adopters = {
        row.adopter
        for kept in adoptions.values()
        for row in kept.values()
        if row.adopter is not None
    }
    stored.update(_select(connection, batch, adopters - stored.keys()))
    return Page(ids, stored, records, adoptions)


def write(connection: sqlite3.Connection, batch: int, changes: Changes) -> None:
    """Write what a page changes.

    The rows are written in the order of their keys, so that neighbours share pages of the file.
    """
    connection.executemany(
        "DELETE FROM results WHERE batch = ? AND id = ?", [(batch, id_) for id_ in changes.deleted]
    )
    connection.executemany(
        "INSERT OR REPLACE INTO results (batch, id, state, word, sweep) VALUES (?, ?, ?, ?, ?)",
        [(batch, id_, *row) for id_, row in sorted(changes.written.items())],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO adoptions (batch, record, outcome, finished, adopter) "
        "VALUES (?, ?, ?, ?, ?)",
        [(batch, record, *row) for (record, _), row in sorted(changes.adoptions.items())],
    )


def chunks(ids: Iterable[Id]) -> Iterator[tuple[tuple[Id, ...], str]]:
    """Yield the ids in portions for one SELECT each, each with as many placeholders."""
    left = iter(ids)
    while portion := tuple(islice(left, CHUNK)):
        yield portion, ",".join("?" * len(portion))


def _select(
    connection: sqlite3.Connection, batch: int, ids: Iterable[bytes]
) -> dict[bytes, IdentityRow]:
    stored: dict[bytes, IdentityRow] = {}
    for portion, marks in chunks(ids):
        # Only placeholders are put in.
        rows = connection.execute(
            "SELECT id, state, word, sweep FROM results "  # noqa: S608
            f"WHERE batch = ? AND id IN ({marks})",
            (batch, *portion),
        )
        stored.update((row[0], row[1:]) for row in rows)
    return stored


def _select_adoptions(
    connection: sqlite3.Connection, batch: int, records: Iterable[bytes]
) -> dict[bytes, dict[int, Adoption]]:
    found: dict[bytes, dict[int, Adoption]] = {}
    for portion, marks in chunks(records):
        # Only placeholders are put in.
        rows = connection.execute(
            "SELECT record, outcome, finished, adopter FROM adoptions "  # noqa: S608
            f"WHERE batch = ? AND record IN ({marks})",
            (batch, *portion),
        )
        for record, *row in rows:
            found.setdefault(record, {})[row[0]] = Adoption(*row)
    return found
