"""Poll the API and write what it shows into the ledger.

The parts: `discovery` finds batches and what changed, `sweeps` reads their results, `batches` holds
the rules and the life of one batch, `schedules` judges starts, `background` reads what nothing
waits for. `parts` connects them for one account, and `poller` runs them. Every read goes through
`collectors`, and `failures` alone decides how far a failure reaches.

Two rules of concurrency, because cycles, workers and background reads write the same batches:

1. Never keep a batch across an await: another task may have changed or closed it in the meantime.
   Change it with `ledger.update(batch_id, change)`, or look it up again in a function without an
   await.
2. Only `batches/lifecycle` decides that a batch changes state, and `batches/costs` that its cost is
   due or known. Other modules call their functions and store what they return.

`tests/polling/test_batch_changes.py` checks both in the source.
"""

from runtype_exporter.polling.context import account_context
from runtype_exporter.polling.poller import AccountPoller
from runtype_exporter.polling.status_words import StatusWords

__all__ = ["AccountPoller", "StatusWords", "account_context"]
