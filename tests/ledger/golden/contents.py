"""The content of a ledger, in the words of the golden files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from runtype_exporter import catalogue
from runtype_exporter.ledger import Ledger
from tests.ledger.golden.words import HORIZON, Vocabulary, by_word, in_words, state_words

Key = tuple[str, tuple[str, ...]]


def dump(ledger: Ledger, closed: Path, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the content of an open ledger. `closed` is a copy of its file, which is locked."""
    with closing(sqlite3.connect(closed)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        batches = _column(connection, "SELECT id FROM batches ORDER BY num")
        runs = _column(connection, "SELECT id FROM runs ORDER BY id")
        accounts = _column(connection, "SELECT name FROM accounts ORDER BY name")
        names = connection.execute(
            "SELECT account, kind, id FROM names ORDER BY account, kind, id"
        ).fetchall()
        changed = {
            (metric, tuple(json.loads(labels))): at
            for metric, labels, at in connection.execute(
                "SELECT metric, labels, changed FROM series"
            )
        }
    results, adoptions = stored(closed, vocabulary)
    found, found_runs, found_series = ledger.batches(batches), ledger.runs(runs), series(ledger)
    return {
        "user_version": version,
        "application_id": application,
        "created_at": ledger.created,
        "accounts": [account(ledger, name) for name in accounts],
        "batches": [
            in_words(found[id_])
            | {"results": results.get(id_, []), "adoptions": adoptions.get(id_, [])}
            for id_ in batches
        ],
        "runs": [in_words(found_runs[id_]) for id_ in runs],
        "schedules": [in_words(one) for _, one in sorted(ledger.schedules.items())],
        "names": [
            {
                "account": owner,
                "kind": kind,
                "id": id_,
                "label": ledger.known_label(owner, kind, id_),
            }
            for owner, kind, id_ in names
        ],
        "label_names": {
            metric: list(catalogue.BY_NAME[metric].labels)
            for metric in sorted({metric for metric, _ in found_series})
        },
        "series": [
            {
                "metric": key[0],
                "labels": list(key[1]),
                "created_at": created,
                "changed_at": changed[key],
                "value": value,
            }
            for key, (created, value) in found_series.items()
        ],
        "result_rows": ledger.rows(),
        "exposition_lines": ledger.lines(),
        "reads": _reads(ledger, accounts),
    }


def account(ledger: Ledger, name: str) -> dict[str, Any]:
    """Return an account's horizon, budget and knowledge."""
    return {
        "name": name,
        **by_word(ledger.horizon(name), HORIZON),
        "budget": in_words(ledger.load_budget(name)),
        "learned": in_words(ledger.learned(name)),
    }


def series(ledger: Ledger) -> dict[Key, tuple[float | None, Any]]:
    """Return every series of a ledger just opened: when it was created, and its value."""
    return dict(
        sorted(
            ((metric, labels), (sample.created, in_words(sample.value)))
            for metric, family in ledger.snapshot().families.items()
            for labels, sample in family.items()
            if sample is not None
        )
    )


def stored(
    closed: Path, vocabulary: Vocabulary
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]:
    """Return the stored identities and the adoptions of each batch, read by SQL alone."""
    results: dict[str, list[dict[str, Any]]] = {}
    adoptions: dict[str, list[dict[str, Any]]] = {}
    keys = {None: (None, None), **vocabulary.keys}
    with closing(sqlite3.connect(closed)) as connection:
        for batch, id_, code, word, number, adopter in connection.execute(
            "SELECT b.id, r.id, r.state, r.word, r.sweep, a.adopter FROM results AS r "
            "JOIN batches AS b ON b.num = r.batch "
            "LEFT JOIN adoptions AS a ON a.batch = r.batch AND a.record = r.id AND r.state = 255 "
            "GROUP BY r.batch, r.id"
        ):
            (kind, key), (state, outcome) = keys[id_], state_words(code)
            results.setdefault(batch, []).append(
                {
                    "kind": kind,
                    "key": key,
                    "state": state,
                    "outcome": outcome,
                    "status_word": vocabulary.statuses[word],
                    "walk": number,
                    "adopter_key": keys[adopter][1],
                }
            )
        for batch, record, code, finished, adopter in connection.execute(
            "SELECT b.id, a.record, a.outcome, a.finished, a.adopter FROM adoptions AS a "
            "JOIN batches AS b ON b.num = a.batch"
        ):
            state, outcome = state_words(code)
            adoptions.setdefault(batch, []).append(
                {
                    "record_key": keys[record][1],
                    "state": state,
                    "outcome": outcome,
                    "finished_at": finished,
                    "adopter_key": keys[adopter][1],
                }
            )
    for rows in results.values():
        rows.sort(key=lambda row: (row["kind"], row["key"]))
    for rows in adoptions.values():
        rows.sort(key=lambda row: (row["record_key"], row["state"], row["outcome"]))
    return results, adoptions


def adoptions_of_format_1(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the adoptions that a migration makes of the results that a batch of format 1 has."""
    rows = {(row["kind"], row["key"]): row for row in results}
    return [
        {
            "record_key": row["key"],
            "state": rows["result", row["adopter_key"]]["state"],
            "outcome": rows["result", row["adopter_key"]]["outcome"],
            "finished_at": None,
            "adopter_key": row["adopter_key"],
        }
        for row in rows.values()
        if row["adopter_key"] is not None
    ]


def lost_batches(batches: Iterable[Mapping[str, Any]], account: str) -> list[str]:
    """Return the batches of an account that are given up after a migration from format 1 or 2."""
    lost = [one for one in batches if one["outcome"] == "lost" and one["account"] == account]
    return [one["id"] for one in sorted(lost, key=lambda one: one["closed_at"])]


def _column(connection: sqlite3.Connection, query: str) -> list[str]:
    return [value for (value,) in connection.execute(query)]


def _ids(found: Iterable[Any]) -> list[str]:
    return [one["id"] for one in in_words(list(found))]


def _reads(ledger: Ledger, accounts: Iterable[str]) -> dict[str, Any]:
    """Return the ids that the ledger's usual reads return, in their order."""
    return {
        name: {
            "open_batches": _ids(ledger.open_batches(name)),
            "costs_due": _ids(ledger.costs_due(name)),
            "given_up": _ids(ledger.given_up_batches(name)),
            "recently_closed_1": _ids(ledger.recently_closed(name, 1)),
            "recently_closed_2": _ids(ledger.recently_closed(name, 2)),
            "unfinished_runs": sorted(_ids(ledger.unfinished_runs(name))),
        }
        for name in accounts
    } | {"runs_by_creation": _ids(ledger.runs_since(0.0))}
