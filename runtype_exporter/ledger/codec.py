"""Batches and schedules as JSON text and back: one short line each, without default values.

The keys of the text stand in users' files, so each is written down here, apart from the attribute
of `model` whose value it has: an attribute may be renamed, a key may not. A change of any table
here is a new format: see `schema.VERSION`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, get_args

from runtype_exporter.ledger.json_text import (
    Fields,
    JsonObject,
    Keys,
    NewerContent,
    decode_fields,
    expect_items,
    expect_parts,
    to_text,
    types_of,
    types_of_parts,
    without_defaults,
)
from runtype_exporter.model import (
    BATCH_OUTCOMES,
    Batch,
    BatchRef,
    FinalPrefix,
    Labels,
    Probe,
    Schedule,
    Source,
    Sweep,
    SweepSnapshot,
    SweepTally,
)

BATCH: Final[Keys] = {
    "first_seen": "seen",
    "schedule": "schedule",
    "run": "run",
    "claims_left": "unclaimed",
    "flow_id": "flow_id",
    "flow_name": "flow_name",
    "started": "started",
    "completed": "completed",
    "count_from": "guard",
    "sweeps": "sweeps",
    "drift": "drift",
    "ended": "ended",
    "outcome": "outcome",
    "changed": "changed",
    "missing_since": "missing_since",
    "missing_for": "missing_for",
    "unreadable_since": "unreadable_since",
    "unreadable_for": "unreadable_for",
    "run_ended_since": "run_ended_since",
    "reread_at": "reread_at",
    "page_size": "page_size",
    "cost": "cost",
}
"""Attributes of a batch that are written as they are."""
BATCH_NESTED: Final[Keys] = {
    "labels": "labels",
    "probes": "probes",
    "probes_at_last_sweep": "swept",
    "sweep": "sweep",
    "prefix": "prefix",
    "snapshot": "picture",
}
BATCH_COLUMNS = ("ref", "created", "closed", "cost_due")
"""Attributes of a batch that have columns of their own."""
SWEEP: Final[Keys] = {
    "number": "number",
    "full": "full",
    "is_retry": "again",
    "offset": "offset",
    "tally": "seen",
    "total": "total",
    "pages": "pages",
    "probes_at_start": "before",
    "began": "began",
    "prefix_grows": "growing",
}
TALLY: Final[Keys] = {
    "distinct": "distinct",
    "unfinished": "unfinished",
    "statuses": "statuses",
    "last_finished": "last_finished",
    "oldest_unfinished": "oldest_unfinished",
    "paused": "paused",
}
PREFIX = ("offset", "end", "digest", "seen")
"""The parts of a list, in order. So are the next ones."""
SNAPSHOT = ("at", "total", "seen")
LABELS = ("schedule", "flow")
PROBE = ("status", "total", "processed", "failed")
SCHEDULE: Final[Keys] = {
    "until": "until",
    "listed": "listed",
    "enabled": "enabled",
    "cron": "cron",
    "timezone": "timezone",
    "run_at": "run_at",
    "next_run": "next_run",
    "due": "due",
    "taken": "taken",
    "vanished": "vanished",
}
SCHEDULE_COLUMNS = ("account", "id")

_BATCH_DEFAULTS = {field.name: field.default for field in fields(Batch)}
_TALLY_DEFAULTS = {field.name: field.default for field in fields(SweepTally)}
_SCHEDULE_DEFAULTS = {field.name: field.default for field in fields(Schedule)}

_BATCH_FIELDS = Fields(Batch, BATCH, BATCH_NESTED)
_SWEEP_FIELDS = Fields(Sweep, SWEEP)
_TALLY_FIELDS = Fields(SweepTally, TALLY)
_SCHEDULE_FIELDS = Fields(Schedule, SCHEDULE)
_LABELS_TYPES = types_of_parts(Labels, LABELS)
_PROBE_TYPES = types_of_parts(Probe, PROBE)
_PREFIX_TYPES = types_of_parts(FinalPrefix, PREFIX)
_SNAPSHOT_TYPES = types_of_parts(SweepSnapshot, SNAPSHOT)
_COUNT, _TIME, _WORD, _PROBE = map(types_of, (int, float, str, Probe))
"""The types of the values of `statuses`, of the items of `due` and `taken`, and of a probe."""
_SOURCES = frozenset(get_args(Source))
_OUTCOMES = frozenset({None, *BATCH_OUTCOMES})


def encode(batch: Batch) -> str:
    """Return the text of a batch, without what the ledger keeps in columns (`BATCH_COLUMNS`)."""
    body = without_defaults(batch, BATCH, _BATCH_DEFAULTS)
    if batch.labels is not None:
        body[BATCH_NESTED["labels"]] = batch.labels
    if batch.probes:
        body[BATCH_NESTED["probes"]] = dict(batch.probes)
    if batch.probes_at_last_sweep is not None:
        body[BATCH_NESTED["probes_at_last_sweep"]] = dict(batch.probes_at_last_sweep)
    if batch.sweep is not None:
        body[BATCH_NESTED["sweep"]] = _encode_sweep(batch.sweep)
    if batch.prefix is not None:
        prefix = batch.prefix
        body[BATCH_NESTED["prefix"]] = [
            prefix.offset,
            prefix.end,
            prefix.digest,
            _encode_tally(prefix.tally),
        ]
    if batch.snapshot is not None:
        snapshot = batch.snapshot
        body[BATCH_NESTED["snapshot"]] = [
            snapshot.at,
            snapshot.total,
            _encode_tally(snapshot.tally),
        ]
    return to_text(body)


def decode(
    ref: BatchRef, text: str, *, created: float | None, closed: float | None, cost_due: bool
) -> Batch:
    """Return the batch that `encode` wrote.

    Raises:
        NewerContent: a newer version of the exporter wrote it.
        ValueError, TypeError, LookupError, AttributeError: the text is not what `encode` writes.
    """
    values = decode_fields(json.loads(text), _BATCH_FIELDS, "a batch")
    if values.get("outcome") not in _OUTCOMES:
        raise NewerContent("an unknown outcome of a batch")
    for name, part in _BATCH_PARTS.items():
        if (content := values.get(name)) is not None:
            values[name] = part(content)
    return Batch(ref=ref, created=created, closed=closed, cost_due=cost_due, **values)


def encode_schedule(schedule: Schedule) -> str:
    """Return the text of a schedule, without what the ledger keeps in columns."""
    return to_text(without_defaults(schedule, SCHEDULE, _SCHEDULE_DEFAULTS))


def decode_schedule(account: str, id_: str, text: str) -> Schedule:
    """Return the schedule that `encode_schedule` wrote.

    Raises:
        NewerContent: a newer version of the exporter wrote it.
        ValueError, TypeError, LookupError, AttributeError: the text is not what was written.
    """
    values = decode_fields(json.loads(text), _SCHEDULE_FIELDS, "a schedule")
    due, taken = tuple(values.pop("due", ())), tuple(values.pop("taken", ()))
    expect_items(due, _TIME)
    expect_items(taken, _WORD)
    return Schedule(account=account, id=id_, due=due, taken=taken, **values)


def _encode_sweep(sweep: Sweep) -> JsonObject:
    body = {key: getattr(sweep, name) for name, key in SWEEP.items()}
    body[SWEEP["tally"]] = _encode_tally(sweep.tally)
    body[SWEEP["probes_at_start"]] = dict(sweep.probes_at_start)
    return body


def _decode_labels(values: Sequence[Any]) -> Labels:
    return Labels(*expect_parts(values, _LABELS_TYPES, "labels"))


def _decode_sweep(body: JsonObject) -> Sweep:
    values = decode_fields(body, _SWEEP_FIELDS, "a sweep")
    tally = _decode_tally(values.pop("tally"))
    probes_at_start = _decode_probes(values.pop("probes_at_start"))
    return Sweep(tally=tally, probes_at_start=probes_at_start, **values)


def _decode_prefix(values: Sequence[Any]) -> FinalPrefix:
    offset, end, digest, tally = expect_parts(values, _PREFIX_TYPES, "a prefix")
    return FinalPrefix(offset=offset, end=end, digest=digest, tally=_decode_tally(tally))


def _decode_snapshot(values: Sequence[Any]) -> SweepSnapshot:
    at, total, tally = expect_parts(values, _SNAPSHOT_TYPES, "a snapshot")
    return SweepSnapshot(at=at, total=total, tally=_decode_tally(tally))


def _decode_probes(body: Mapping[Source, Any]) -> dict[Source, Probe]:
    if body.keys() - _SOURCES:
        raise NewerContent("an unknown source of a probe")
    expect_items(body.values(), _PROBE)
    return {
        source: Probe(*expect_parts(values, _PROBE_TYPES, "a probe"))
        for source, values in body.items()
    }


def _encode_tally(tally: SweepTally) -> JsonObject:
    body = without_defaults(tally, TALLY, {**_TALLY_DEFAULTS, "statuses": {}})
    if tally.statuses:
        body[TALLY["statuses"]] = dict(tally.statuses)
    return body


def _decode_tally(body: JsonObject) -> SweepTally:
    values = decode_fields(body, _TALLY_FIELDS, "a tally")
    if "statuses" in values:
        expect_items(values["statuses"].values(), _COUNT)
    return SweepTally(**values)


_BATCH_PARTS: Final[Mapping[str, Callable[[Any], object]]] = {
    "labels": _decode_labels,
    "probes": _decode_probes,
    "probes_at_last_sweep": _decode_probes,
    "sweep": _decode_sweep,
    "prefix": _decode_prefix,
    "snapshot": _decode_snapshot,
}
