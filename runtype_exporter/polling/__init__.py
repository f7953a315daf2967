"""From the API to the ledger.

What to read next, within the budget, and when a batch has told all it will.

The only room that knows two others, `runtype` and `ledger`; it must not know metrics, pages or
files.
"""

from runtype_exporter.polling.poller import AccountPoller
from runtype_exporter.polling.status_words import StatusWords

__all__ = ["AccountPoller", "StatusWords"]
