"""Whether a batch that was given up may be opened again. Pure."""

from __future__ import annotations

from runtype_exporter.limits import DAY
from runtype_exporter.model import Batch
from runtype_exporter.polling.batches import lifecycle

MARGIN = DAY
"""A batch is not opened again in the last day before its results are forgotten, in seconds. The two
clocks may differ, and the first sweep takes time."""


class ReopenRefused(Exception):  # noqa: N818  # says what happened
    """A batch is not opened again. The message says why."""


def reopenable(batch: Batch, now: float, retention: float) -> bool:
    """Return whether a batch was given up and the ledger still has all its results."""
    return batch.given_up and batch.closed is not None and now < batch.closed + retention - MARGIN


def reopened(batch: Batch, now: float, retention: float) -> Batch:
    """Return the batch opened again.

    Raises:
        ReopenRefused: it was not given up, or its results may be forgotten already.
    """
    if batch.closed is None:
        raise ReopenRefused(f"{batch.ref.id}: this batch is open")
    if not batch.given_up:
        end = f"closed ({batch.outcome})" if batch.outcome else "closed without being counted"
        raise ReopenRefused(
            f"{batch.ref.id}: this batch is {end}; only a batch that was given up is opened again"
        )
    if not reopenable(batch, now, retention):
        raise ReopenRefused(
            f"{batch.ref.id}: this batch was given up so long ago that the ledger forgets its"
            " results (state.retention); they would be counted twice"
        )
    return lifecycle.reopen(batch, now)
