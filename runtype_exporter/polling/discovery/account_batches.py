"""New batches of an account, and warnings of what another account counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import structlog

from runtype_exporter.model import Batch, BatchRef, Horizon
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.context import AccountContext

MOST_WARNED = 10_000
"""At most so many batches and runs of other accounts are warned of."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AccountBatches:
    """Makes the batches of one account."""

    context: AccountContext
    _warned: set[str] = field(default_factory=set, init=False)

    def new(
        self,
        batch_id: str,
        horizon: Horizon | None,
        *,
        created: float | None,
        flow_name: str = "",
        claims_left: int = 0,
    ) -> Batch:
        """Return a new batch, not stored yet, with a guard if it may be older than the horizon.

        While there is no horizon, it needs `claims_left`, so that it is not swept.
        """
        guard = None
        if horizon is not None and (created is None or created < horizon.at):
            guard = horizon.at
        now = self.context.now()
        return Batch(
            ref=BatchRef(self.context.name, batch_id),
            first_seen=now,
            changed=now,
            claims_left=claims_left,
            flow_name=flow_name,
            created=created,
            count_from=guard,
        )

    def guarded(self, batch: Batch, horizon: Horizon) -> Batch:
        """Return a batch that may have been made while there was no horizon, with its guard."""
        if not batch.claims_left or batch.created is not None or batch.count_from is not None:
            return batch
        return lifecycle.unguarded(replace(batch, count_from=horizon.at))

    def warn_other_owner(self, owner: str, what: str, key: str) -> None:
        """Log once that another account counts this batch or run."""
        if key not in self._warned and len(self._warned) < MOST_WARNED:
            self._warned.add(key)
            _log.warning(
                f"{what} is counted by another account already",
                account=self.context.name,
                owner=owner,
                **{what: key},
            )
