"""The runs of an account that have not ended: how old they are, and when one is given up."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import structlog

from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Delta

_log = structlog.get_logger()


@dataclass(slots=True)
class UnfinishedRuns:
    """The unfinished runs of one account.

    A full walk over the run list calls `start_full_walk`, then `mark_seen` with what it saw, and
    `expire`.
    """

    account: str
    ledger: Ledger
    _unseen: set[str] = field(default_factory=set, init=False)
    """Runs that the present full walk has not seen yet."""
    _unseen_before: set[str] = field(default_factory=set, init=False)
    """Runs that the full walk before it did not see."""

    def start_full_walk(self) -> None:
        """Begin a full walk: no unfinished run was seen yet."""
        self._unseen = {run.id for run in self.ledger.unfinished_runs(self.account)}

    def mark_seen(self, ids: Collection[str]) -> None:
        """Record that the walk saw these runs."""
        self._unseen -= {*ids}

    def expire(self, horizon: float) -> None:
        """Give up runs from before the horizon that two full walks in a row did not see.

        They were deleted, and nothing of them is counted. One walk alone may miss a run, because
        rows move while they are paged. If such a run is listed again, it is treated as new: it is
        followed if its batch is in the ledger, and ignored otherwise.

        Raises:
            LedgerError: none was given up.
        """
        deleted, self._unseen_before = self._unseen & self._unseen_before, self._unseen
        gone = [
            replace(run, outcome="unknown", ended=run.created)
            for run in self.ledger.unfinished_runs(self.account)
            if run.id in deleted and run.created is not None and run.created < horizon
        ]
        if gone:
            # With an end so long ago they are forgotten together with the others.
            self.ledger.commit(Delta(), runs=gone)
            _log.warning(
                "unfinished runs that are no longer listed were given up",
                account=self.account,
                runs=len(gone),
            )
