"""Poll the API and write what it shows into the ledger.

The parts: `discovery` finds batches and what changed, `sweeps` reads their results, `batches` holds
the rules and the life of one batch, `schedules` judges starts, `background` reads what nothing
waits for. `poller` puts them together for one account.

Two rules of concurrency, because cycles, workers and background reads write the same batches:

1. Never keep a batch across an await: another task may have changed or closed it in the meantime.
   Look it up again, or use the ledger's update (it will be `ledger.update(batch_id, change)`).
2. Only `batches/lifecycle` decides that a batch changes state. Other modules call its functions and
   store what they return.
"""

from runtype_exporter.polling.poller import AccountPoller
from runtype_exporter.polling.status_words import StatusWords

__all__ = ["AccountPoller", "StatusWords"]
