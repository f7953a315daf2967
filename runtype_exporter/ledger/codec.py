"""A batch as JSON text and back: one short line in the ledger, fields at their defaults left out.

It must not know when or why a batch changes. Text that it cannot read whole, unknown fields
included, raises: silently dropping what another version wrote could count a result twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from runtype_exporter.model import (
    Batch,
    BatchRef,
    Labels,
    Picture,
    Prefix,
    Probe,
    Seen,
    Source,
    Sweep,
)

_SCALARS = (
    "seen",
    "schedule",
    "run",
    "unclaimed",
    "flow_id",
    "flow_name",
    "started",
    "completed",
    "guard",
    "sweeps",
    "drift",
    "ended",
    "outcome",
    "missing_since",
    "failures",
    "retry_at",
    "cost",
    "cost_due",
)
_DEFAULTS = {field.name: field.default for field in fields(Batch)}
_SEEN_DEFAULTS = {field.name: field.default for field in fields(Seen)}

Body = dict[str, Any]


def encode(batch: Batch) -> str:
    """All of a batch but its ref, `created` and `closed`, which the ledger keeps in columns of their own."""
    body: Body = {
        name: value for name in _SCALARS if (value := getattr(batch, name)) != _DEFAULTS[name]
    }
    if batch.labels is not None:
        body["labels"] = batch.labels
    if batch.probes:
        body["probes"] = dict(batch.probes)
    if batch.swept is not None:
        body["swept"] = dict(batch.swept)
    if batch.sweep is not None:
        body["sweep"] = _sweep_out(batch.sweep)
    if batch.prefix is not None:
        prefix = batch.prefix
        body["prefix"] = [prefix.offset, prefix.end, prefix.digest, _seen_out(prefix.seen)]
    if batch.picture is not None:
        picture = batch.picture
        body["picture"] = [picture.at, picture.total, _seen_out(picture.seen)]
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def decode(ref: BatchRef, created: float | None, closed: float | None, text: str) -> Batch:
    """The batch again.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: the text is not what `encode` writes.
    """
    body: Body = json.loads(text)
    labels, probes, swept = (
        body.pop("labels", None),
        body.pop("probes", {}),
        body.pop("swept", None),
    )
    sweep, prefix, picture = (
        body.pop("sweep", None),
        body.pop("prefix", None),
        body.pop("picture", None),
    )
    return Batch(
        ref=ref,
        created=created,
        closed=closed,
        labels=None if labels is None else Labels(*labels),
        probes=_probes_in(probes),
        swept=None if swept is None else _probes_in(swept),
        sweep=None if sweep is None else _sweep_in(sweep),
        prefix=None if prefix is None else _prefix_in(*prefix),
        picture=None if picture is None else _picture_in(*picture),
        **body,
    )


def _sweep_out(sweep: Sweep) -> Body:
    return {
        "number": sweep.number,
        "full": sweep.full,
        "again": sweep.again,
        "offset": sweep.offset,
        "seen": _seen_out(sweep.seen),
        "total": sweep.total,
        "pages": sweep.pages,
        "before": dict(sweep.before),
        "began": sweep.began,
        "growing": sweep.growing,
    }


def _sweep_in(body: Body) -> Sweep:
    return Sweep(**{**body, "seen": _seen_in(body["seen"]), "before": _probes_in(body["before"])})


def _prefix_in(offset: int, end: int, digest: str, seen: Body) -> Prefix:
    return Prefix(offset=offset, end=end, digest=digest, seen=_seen_in(seen))


def _picture_in(at: float, total: int, seen: Body) -> Picture:
    return Picture(at=at, total=total, seen=_seen_in(seen))


def _probes_in(body: Mapping[Source, Any]) -> dict[Source, Probe]:
    return {source: Probe(*values) for source, values in body.items()}


def _seen_out(seen: Seen) -> Body:
    figures = {
        "distinct": seen.distinct,
        "unfinished": seen.unfinished,
        "last_finished": seen.last_finished,
        "oldest_unfinished": seen.oldest_unfinished,
    }
    body: Body = {name: value for name, value in figures.items() if value != _SEEN_DEFAULTS[name]}
    if seen.statuses:
        body["statuses"] = dict(seen.statuses)
    return body


def _seen_in(body: Body) -> Seen:
    return Seen(**body)
