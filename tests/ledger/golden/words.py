"""The words of the golden files for the ledger's values. No renaming in the package changes them.

Each table has, for a word, the attribute that has its value today.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from runtype_exporter.ledger.states import StoredState
from runtype_exporter.model import (
    Batch,
    FinalPrefix,
    HistogramValue,
    Learned,
    Probe,
    Result,
    Run,
    Schedule,
    Sweep,
    SweepSnapshot,
    SweepTally,
)
from runtype_exporter.objectives import Objective
from runtype_exporter.protocols import BudgetState

Words = Mapping[str, str]

TALLY: Words = {
    "distinct": "distinct",
    "unfinished": "unfinished",
    "statuses": "statuses",
    "last_finished_at": "last_finished",
    "oldest_unfinished_at": "oldest_unfinished",
    "paused": "paused",
}
PROBE: Words = {
    "status": "status",
    "total": "total",
    "processed": "processed",
    "failed": "failed",
}
SWEEP: Words = {
    "walk": "number",
    "from_first_row": "full",
    "second_try": "is_retry",
    "offset": "offset",
    "figures": "tally",
    "total": "total",
    "pages": "pages",
    "probes_before": "probes_at_start",
    "began_at": "began",
    "prefix_grows": "prefix_grows",
}
PREFIX: Words = {
    "last_page_offset": "offset",
    "end": "end",
    "last_page_digest": "digest",
    "figures": "tally",
}
SNAPSHOT: Words = {"at": "at", "total": "total", "figures": "tally"}
BATCH: Words = {
    "id": "ref.id",
    "account": "ref.account",
    "schedule_id": "schedule",
    "run_id": "run",
    "flow_id": "flow_id",
    "flow_name": "flow_name",
    "label_schedule": "labels.schedule",
    "label_flow": "labels.flow",
    "taken_up_at": "first_seen",
    "created_at": "created",
    "started_at": "started",
    "completed_at": "completed",
    "status_final_since": "ended",
    "closed_at": "closed",
    "outcome": "outcome",
    "guard_at": "count_from",
    "unclaimed_reads_left": "claims_left",
    "probes": "probes",
    "probes_before_last_sweep": "probes_at_last_sweep",
    "last_walk_number": "sweeps",
    "running_sweep": "sweep",
    "final_prefix": "prefix",
    "picture": "snapshot",
    "drift": "drift",
    "changed_at": "changed",
    "missing_since": "missing_since",
    "missing_for": "missing_for",
    "unreadable_since": "unreadable_since",
    "unreadable_for": "unreadable_for",
    "run_ended_since": "run_ended_since",
    "reread_at": "reread_at",
    "page_size": "page_size",
    "cost_dollars": "cost",
    "cost_due": "cost_due",
}
RUN: Words = {
    "id": "id",
    "account": "account",
    "schedule_id": "schedule",
    "batch_id": "batch",
    "created_at": "created",
    "started_at": "started",
    "outcome": "outcome",
    "ended_at": "ended",
}
SCHEDULE: Words = {
    "id": "id",
    "account": "account",
    "known_until": "until",
    "listed": "listed",
    "enabled": "enabled",
    "cron": "cron",
    "timezone": "timezone",
    "run_at": "run_at",
    "next_run_at": "next_run",
    "due_times": "due",
    "taken_run_ids": "taken",
    "vanished": "vanished",
}
BUDGET: Words = {"tokens": "tokens", "at": "at", "paused_until": "paused_until"}
HORIZON: Words = {"horizon_at": "at", "opened": "first_discovery_done", "forgotten_at": "forgotten"}
LEARNED: Words = {
    "run_order": "run_order",
    "page_sizes": "page_sizes",
    "forbidden_until": "forbidden",
    "unknown_schedule_ids": "unknown_schedules",
    "source_horizons": "sources",
    "absent_schedules": "absent",
}
HISTOGRAM: Words = {"counts": "counts", "sum": "sum"}
ROW: Words = {
    "result_id": "key",
    "record_id": "record_key",
    "status": "status",
    "outcome": "outcome",
    "created_at": "created",
    "finished_at": "finished",
    "time_fault": "fault",
}
OBJECTIVE: Words = {
    "name": "name",
    "type": "type",
    "schedule_glob": "schedule",
    "threshold_seconds": "threshold",
    "max_delay_seconds": "max_delay",
}
_TABLES: Mapping[type, Words] = {
    SweepTally: TALLY,
    Probe: PROBE,
    Sweep: SWEEP,
    FinalPrefix: PREFIX,
    SweepSnapshot: SNAPSHOT,
    Batch: BATCH,
    Run: RUN,
    Schedule: SCHEDULE,
    BudgetState: BUDGET,
    Learned: LEARNED,
    HistogramValue: HISTOGRAM,
}


def in_words(value: Any) -> Any:
    """Return a value as in JSON, with the attributes of the model under their words."""
    if table := _TABLES.get(type(value)):
        return by_word(value, table)
    if isinstance(value, Mapping):
        return {key: in_words(content) for key, content in value.items()}
    if isinstance(value, list | tuple):
        return [in_words(content) for content in value]
    if isinstance(value, frozenset):
        return sorted(value)
    return value


def by_word(value: object, table: Words) -> dict[str, Any]:
    """Return the words of a table with their values; None where an attribute on the way is None."""
    return {word: in_words(_attribute(value, path)) for word, path in table.items()}


def _attribute(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = None if value is None else attrgetter(name)(value)
    return value


def result(row: Mapping[str, Any]) -> Result:
    """Return the result that one row of a page shows."""
    return Result(**{name: row[word] for word, name in ROW.items()})


def objective(content: Mapping[str, Any]) -> Objective:
    return Objective(**{name: content[word] for word, name in OBJECTIVE.items()})


# --- the rules of what is stored, written a second time without the code of the package ---


def identity(kind: str, key: str) -> bytes:
    """Return the bytes under which a result id ("result") or a record id ("record") is stored."""
    letter = {"result": b"k", "record": b"r"}[kind]
    return hashlib.blake2b(letter + key.encode(), digest_size=16).digest()


def word_number(word: str) -> int:
    """Return the number under which a status word is stored."""
    return zlib.crc32(word.encode()) & 0x7FFFFF


def state_words(code: int) -> tuple[str, str | None]:
    """Return the kind of a state code, and its outcome."""
    kind, _, outcome = StoredState(code).name.lower().partition("_")
    return kind, outcome or None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The ids and status words of a golden file in clear, by what the ledger stores of them."""

    keys: Mapping[bytes, tuple[str, str]]
    statuses: Mapping[int, str | None]

    @classmethod
    def of(cls, keys: Iterable[tuple[str, str]], statuses: Iterable[str]) -> Vocabulary:
        """Return the vocabulary of these ids, each with its kind, and of these words.

        Raises:
            ValueError: two words share a number.
        """
        numbers: dict[int, str | None] = {0: None}
        for word in statuses:
            if numbers.setdefault(word_number(word), word) != word:
                raise ValueError(f"another word has the number of {word}")
        return cls({identity(kind, key): (kind, key) for kind, key in keys}, numbers)
