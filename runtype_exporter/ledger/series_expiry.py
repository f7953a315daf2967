"""Which series and names of an account end because their schedules are gone.

Pure; it must not know how they are deleted.

A schedule that comes back begins anew at 0.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from runtype_exporter.ledger.names import Fixed, Names
from runtype_exporter.ledger.totals import Totals
from runtype_exporter.model import OVERFLOW, Batch, Series


@dataclass(frozen=True, slots=True)
class Gone:
    """What ends: series, and the names that no other series and no open batch uses."""

    series: frozenset[Series]
    names: Sequence[Fixed]

    def __bool__(self) -> bool:
        """Whether anything ends."""
        return bool(self.series or self.names)


def gone(  # noqa: PLR0913  # what is looked at, and by keyword what decides
    totals: Totals,
    names: Names,
    account: str,
    *,
    batches: Collection[Batch],
    schedules: Collection[str],
    before: float,
) -> Gone:
    """What of an account ends, given its open batches and the labels of its listed schedules.

    Those series go whose schedule label is none of `schedules` and no open batch's, and that last
    changed before a moment. Ad-hoc batches' and pooled ones stay.
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
