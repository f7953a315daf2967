"""The series and labels of an account that end because their schedules no longer exist.

Pure: the caller deletes them. The series of a schedule that comes back start again at 0.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from runtype_exporter.ledger.names import Fixed, Names
from runtype_exporter.ledger.totals import Totals
from runtype_exporter.model import OVERFLOW, Batch, Series


@dataclass(frozen=True, slots=True)
class Gone:
    """The series that end, and the labels that no other series and no open batch uses."""

    series: frozenset[Series]
    names: Sequence[Fixed]

    def __bool__(self) -> bool:
        """Return whether anything ends."""
        return bool(self.series or self.names)


def gone(  # noqa: PLR0913  # what may end, and by keyword what decides
    totals: Totals,
    names: Names,
    account: str,
    *,
    batches: Collection[Batch],
    schedules: Collection[str],
    before: float,
) -> Gone:
    """Return what of an account ends.

    `batches` are its open batches, `schedules` the labels of its listed schedules. A series ends if
    its schedule label is neither in `schedules` nor an open batch's, and if it last changed before
    `before` (seconds since the Unix epoch). Series of ad-hoc batches and pooled series stay.
    """
    alive = {"", OVERFLOW, *schedules}
    alive |= {
        names.known(account, "schedule", batch.schedule) or batch.schedule for batch in batches
    }
    alive |= {batch.labels.schedule for batch in batches if batch.labels is not None}
    ended = frozenset(totals.stale(account, alive, before))
    used = {name: totals.used(account, name, but=ended) for name in ("schedule", "flow")}
    unused = names.unused(account, "schedule", labels=alive | used["schedule"], ids=())
    flows = {batch.flow_id for batch in batches}
    unused += names.unused(account, "flow", labels=used["flow"], ids=flows)
    return Gone(ended, unused)
