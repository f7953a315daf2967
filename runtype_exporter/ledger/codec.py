"""Batches and schedules as JSON text and back: one short line each, without default values.

The keys of the text stand in users' files, so each is written down here, apart from the attribute
of `model` whose value it has: an attribute may be renamed, a key may not. A change of any table
here is a new format: see `schema.VERSION`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from itertools import product
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

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

_Types = frozenset[type]
"""The types that `json.loads` may return for one value. A bool is no int here."""
_Parts = frozenset[tuple[type, ...]]
"""The types that the parts of a list may have together."""
_ON_DISK: Final[Mapping[Any, type]] = {
    Labels: list,
    Probe: list,
    FinalPrefix: list,
    SweepSnapshot: list,
    Sweep: dict,
    SweepTally: dict,
}
"""The JSON type of each class that is written as a part of another one."""


def _types(hint: Any) -> _Types:
    """Return the types of the JSON values of an attribute with this type hint."""
    if get_origin(hint) is Union or isinstance(hint, UnionType):
        return frozenset().union(*map(_types, get_args(hint)))
    if get_origin(hint) is Literal:
        return frozenset(map(type, get_args(hint)))
    if get_origin(hint) is not None:
        return frozenset({list if get_origin(hint) is tuple else dict})
    # A float without a fraction may have been written as an int.
    return frozenset({int, float} if hint is float else {_ON_DISK.get(hint, hint)})


class _Fields:
    """The fields of one kind of JSON object: the attribute of each key, and its types."""

    def __init__(self, kind: type, *tables: Keys) -> None:
        hints = get_type_hints(kind)
        self.attributes = {key: name for table in tables for name, key in table.items()}
        self.types = frozenset(
            (key, type_) for key, name in self.attributes.items() for type_ in _types(hints[name])
        )


def _types_of_parts(kind: type, parts: Sequence[str]) -> _Parts:
    """Return the types of the parts of a list, which are in the order of the attributes."""
    hints = get_type_hints(kind).values()
    return frozenset(product(*(_types(hint) for hint, _ in zip(hints, parts, strict=True))))


_BATCH_FIELDS = _Fields(Batch, BATCH, BATCH_NESTED)
_SWEEP_FIELDS = _Fields(Sweep, SWEEP)
_TALLY_FIELDS = _Fields(SweepTally, TALLY)
_SCHEDULE_FIELDS = _Fields(Schedule, SCHEDULE)
_LABELS_TYPES = _types_of_parts(Labels, LABELS)
_PROBE_TYPES = _types_of_parts(Probe, PROBE)
_PREFIX_TYPES = _types_of_parts(FinalPrefix, PREFIX)
_SNAPSHOT_TYPES = _types_of_parts(SweepSnapshot, SNAPSHOT)
_COUNT, _TIME, _WORD, _PROBE = map(_types, (int, float, str, Probe))
"""The types of the values of `statuses`, of the items of `due` and `taken`, and of a probe."""
_WRONG_TYPE = "a value has another type than its attribute"
_SOURCES = frozenset(get_args(Source))
_OUTCOMES = frozenset({None, *get_args(BatchOutcome)})


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
    values = _attributes(json.loads(text), _BATCH_FIELDS, "a batch")
    if values.get("outcome") not in _OUTCOMES:
        raise NewerContent("an unknown outcome of a batch")
    for name, part in _BATCH_PARTS.items():
        if (content := values.get(name)) is not None:
            values[name] = part(content)
    return Batch(ref=ref, created=created, closed=closed, cost_due=cost_due, **values)


def encode_schedule(schedule: Schedule) -> str:
    """Return the text of a schedule, without what the ledger keeps in columns."""
    return _text(_without_defaults(schedule, SCHEDULE, _SCHEDULE_DEFAULTS))


def decode_schedule(account: str, id_: str, text: str) -> Schedule:
    """Return the schedule that `encode_schedule` wrote.

    Raises:
        NewerContent: a newer version of the exporter wrote it.
        ValueError, TypeError, LookupError, AttributeError: the text is not what was written.
    """
    values = _attributes(json.loads(text), _SCHEDULE_FIELDS, "a schedule")
    due, taken = tuple(values.pop("due", ())), tuple(values.pop("taken", ()))
    _expect_items(due, _TIME)
    _expect_items(taken, _WORD)
    return Schedule(account=account, id=id_, due=due, taken=taken, **values)


def _text(body: JsonObject) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _without_defaults(value: object, keys: Keys, defaults: Mapping[str, object]) -> JsonObject:
    return {
        key: content
        for name, key in keys.items()
        if (content := getattr(value, name)) != defaults[name]
    }


def _attributes(body: object, known: _Fields, what: str) -> JsonObject:
    """Return the body's values by attribute.

    Raises:
        NewerContent: a key is unknown. To drop it could count a result twice.
        ValueError: a value has another type than its attribute.
    """
    if type(body) is not dict:
        raise ValueError(_WRONG_TYPE)
    names = known.attributes
    # One pass in C: this is most of the time of opening a large ledger.
    if not known.types.issuperset(zip(body, map(type, body.values()), strict=True)):
        if body.keys() - names.keys():
            raise NewerContent(f"an unknown field of {what}")
        raise ValueError(_WRONG_TYPE)
    return {names[key]: content for key, content in body.items()}


def _parts(values: Sequence[Any], known: _Parts, what: str) -> Sequence[Any]:
    """Return the parts of a list.

    Raises:
        NewerContent: there are more than are known.
        ValueError: there are fewer, or one has another type.
    """
    if tuple(map(type, values)) not in known:
        if len(values) > len(next(iter(known))):
            raise NewerContent(f"an unknown part of {what}")
        raise ValueError(_WRONG_TYPE)
    return values


def _expect_items(values: Collection[Any], types: _Types) -> None:
    if not types.issuperset(map(type, values)):
        raise ValueError(_WRONG_TYPE)


def _encode_sweep(sweep: Sweep) -> JsonObject:
    body = {key: getattr(sweep, name) for name, key in SWEEP.items()}
    body[SWEEP["tally"]] = _encode_tally(sweep.tally)
    body[SWEEP["probes_at_start"]] = dict(sweep.probes_at_start)
    return body


def _decode_labels(values: Sequence[Any]) -> Labels:
    return Labels(*_parts(values, _LABELS_TYPES, "labels"))


def _decode_sweep(body: JsonObject) -> Sweep:
    values = _attributes(body, _SWEEP_FIELDS, "a sweep")
    tally = _decode_tally(values.pop("tally"))
    probes_at_start = _decode_probes(values.pop("probes_at_start"))
    return Sweep(tally=tally, probes_at_start=probes_at_start, **values)


def _decode_prefix(values: Sequence[Any]) -> FinalPrefix:
    offset, end, digest, tally = _parts(values, _PREFIX_TYPES, "a prefix")
    return FinalPrefix(offset=offset, end=end, digest=digest, tally=_decode_tally(tally))


def _decode_snapshot(values: Sequence[Any]) -> SweepSnapshot:
    at, total, tally = _parts(values, _SNAPSHOT_TYPES, "a snapshot")
    return SweepSnapshot(at=at, total=total, tally=_decode_tally(tally))


def _decode_probes(body: Mapping[Source, Any]) -> dict[Source, Probe]:
    if body.keys() - _SOURCES:
        raise NewerContent("an unknown source of a probe")
    _expect_items(body.values(), _PROBE)
    return {
        source: Probe(*_parts(values, _PROBE_TYPES, "a probe")) for source, values in body.items()
    }


def _encode_tally(tally: SweepTally) -> JsonObject:
    body = _without_defaults(tally, TALLY, {**_TALLY_DEFAULTS, "statuses": {}})
    if tally.statuses:
        body[TALLY["statuses"]] = dict(tally.statuses)
    return body


def _decode_tally(body: JsonObject) -> SweepTally:
    values = _attributes(body, _TALLY_FIELDS, "a tally")
    if "statuses" in values:
        _expect_items(values["statuses"].values(), _COUNT)
    return SweepTally(**values)


_BATCH_PARTS: Final[Mapping[str, Callable[[Any], object]]] = {
    "labels": _decode_labels,
    "probes": _decode_probes,
    "probes_at_last_sweep": _decode_probes,
    "sweep": _decode_sweep,
    "prefix": _decode_prefix,
    "snapshot": _decode_snapshot,
}
