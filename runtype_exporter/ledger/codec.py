"""Batches and schedules as JSON text and back: one short line each, without default values.

The keys of the text stand in users' files, so each is written down here, apart from the attribute
of `model` whose value it has: an attribute may be renamed, a key may not. A change of any table
here is a new format: see `schema.VERSION`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, get_args

from runtype_exporter.model import (
    Batch,
    BatchOutcome,
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

JsonObject = dict[str, Any]
Keys = Mapping[str, str]
"""The key on disk of each attribute."""

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
    "missing_since": "missing_since",
    "failures": "failures",
    "retry_at": "retry_at",
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


class NewerContent(Exception):  # noqa: N818  # it says what was found, which is no error by itself
    """Something in the ledger can only have been written by a newer version of the exporter.

    The text names the kind of content, never a value of it.
    """


def encode(batch: Batch) -> str:
    """Return the text of a batch, without what the ledger keeps in columns (`BATCH_COLUMNS`)."""
    body = _without_defaults(batch, BATCH, _BATCH_DEFAULTS)
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
    return _text(body)


def decode(
    ref: BatchRef, text: str, *, created: float | None, closed: float | None, cost_due: bool
) -> Batch:
    """Return the batch that `encode` wrote.

    Raises:
        NewerContent: a newer version of the exporter wrote it.
        ValueError, TypeError, LookupError, AttributeError: the text is not what `encode` writes.
    """
    body: JsonObject = json.loads(text)
    nested = {name: body.pop(key, None) for name, key in BATCH_NESTED.items()}
    values = _attributes(body, BATCH, "a batch")
    if values.get("outcome") not in {None, *get_args(BatchOutcome)}:
        raise NewerContent("an unknown outcome of a batch")
    labels, probes, swept = nested["labels"], nested["probes"], nested["probes_at_last_sweep"]
    sweep, prefix, snapshot = nested["sweep"], nested["prefix"], nested["snapshot"]
    return Batch(
        ref=ref,
        created=created,
        closed=closed,
        cost_due=cost_due,
        labels=None if labels is None else Labels(*_parts(labels, LABELS, "labels")),
        probes={} if probes is None else _decode_probes(probes),
        probes_at_last_sweep=None if swept is None else _decode_probes(swept),
        sweep=None if sweep is None else _decode_sweep(sweep),
        prefix=None if prefix is None else _decode_prefix(prefix),
        snapshot=None if snapshot is None else _decode_snapshot(snapshot),
        **values,
    )


def encode_schedule(schedule: Schedule) -> str:
    """Return the text of a schedule, without what the ledger keeps in columns."""
    return _text(_without_defaults(schedule, SCHEDULE, _SCHEDULE_DEFAULTS))


def decode_schedule(account: str, id_: str, text: str) -> Schedule:
    """Return the schedule that `encode_schedule` wrote.

    Raises:
        NewerContent: a newer version of the exporter wrote it.
        ValueError, TypeError, LookupError, AttributeError: the text is not what was written.
    """
    values = _attributes(json.loads(text), SCHEDULE, "a schedule")
    due, taken = tuple(values.pop("due", ())), tuple(values.pop("taken", ()))
    return Schedule(account=account, id=id_, due=due, taken=taken, **values)


def _text(body: JsonObject) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _without_defaults(value: object, keys: Keys, defaults: Mapping[str, object]) -> JsonObject:
    return {
        key: content
        for name, key in keys.items()
        if (content := getattr(value, name)) != defaults[name]
    }


def _attributes(body: JsonObject, keys: Keys, what: str) -> JsonObject:
    """Return the body's values by attribute.

    Raises:
        NewerContent: a key is unknown. To drop it could count a result twice.
    """
    names = {key: name for name, key in keys.items()}
    if body.keys() - names.keys():
        raise NewerContent(f"an unknown field of {what}")
    return {names[key]: content for key, content in body.items()}


def _parts(values: Sequence[Any], names: Sequence[str], what: str) -> Sequence[Any]:
    if len(values) > len(names):
        raise NewerContent(f"an unknown part of {what}")
    return values


def _encode_sweep(sweep: Sweep) -> JsonObject:
    body = {key: getattr(sweep, name) for name, key in SWEEP.items()}
    body[SWEEP["tally"]] = _encode_tally(sweep.tally)
    body[SWEEP["probes_at_start"]] = dict(sweep.probes_at_start)
    return body


def _decode_sweep(body: JsonObject) -> Sweep:
    values = _attributes(body, SWEEP, "a sweep")
    tally = _decode_tally(values.pop("tally"))
    probes_at_start = _decode_probes(values.pop("probes_at_start"))
    return Sweep(tally=tally, probes_at_start=probes_at_start, **values)


def _decode_prefix(values: Sequence[Any]) -> FinalPrefix:
    offset, end, digest, tally = _parts(values, PREFIX, "a prefix")
    return FinalPrefix(offset=offset, end=end, digest=digest, tally=_decode_tally(tally))


def _decode_snapshot(values: Sequence[Any]) -> SweepSnapshot:
    at, total, tally = _parts(values, SNAPSHOT, "a snapshot")
    return SweepSnapshot(at=at, total=total, tally=_decode_tally(tally))


def _decode_probes(body: Mapping[Source, Any]) -> dict[Source, Probe]:
    if body.keys() - set(get_args(Source)):
        raise NewerContent("an unknown source of a probe")
    return {source: Probe(*_parts(values, PROBE, "a probe")) for source, values in body.items()}


def _encode_tally(tally: SweepTally) -> JsonObject:
    body = _without_defaults(tally, TALLY, {**_TALLY_DEFAULTS, "statuses": {}})
    if tally.statuses:
        body[TALLY["statuses"]] = dict(tally.statuses)
    return body


def _decode_tally(body: JsonObject) -> SweepTally:
    return SweepTally(**_attributes(body, TALLY, "a tally"))
