"""An account's runs that have not ended.

How far back the run list is read for them, and when one is given up.

It must not know how the list is paged, nor what is done with runs that end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog

from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Delta
from runtype_exporter.runtype import RunRow

_log = structlog.get_logger()


@dataclass(slots=True)
class UnfinishedRuns:
    """One account's. A whole walk tells its beginning and its rows; after it, `give_up`."""

    account: str
    ledger: Ledger
    _unseen: set[str] = field(default_factory=set, init=False)
    """Those that the walk has not met."""
    _unseen_before: set[str] = field(default_factory=set, init=False)
    """Those that the whole walk before did not meet."""

    def creation_times(self) -> list[float]:
        """When they were created, those left out of which nobody knows."""
        return [
            run.created
            for run in self.ledger.unfinished_runs(self.account)
            if run.created is not None
        ]

    def start_full_walk(self) -> None:
        """A whole walk begins."""
        self._unseen = {run.id for run in self.ledger.unfinished_runs(self.account)}

    def mark_seen(self, rows: Sequence[RunRow]) -> None:
        """The walk met these."""
        self._unseen -= {row.id for row in rows}

    def expire(self, horizon: float) -> None:
        """Let go, uncounted, of those created before the horizon that two whole walks in a row did not meet: they were deleted.

        One that is listed again after all is met like anything else from before the horizon: taken
        up if its batch is held, else ignored. None of it was counted, so either way it is not
        counted twice. A single walk may miss a run, where rows moved meanwhile.

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
            # Ended so long ago, they are forgotten with the others.
            self.ledger.settle(Delta(), runs=gone)
            _log.warning(
                "unfinished runs that are no longer listed were given up",
                account=self.account,
                runs=len(gone),
            )
