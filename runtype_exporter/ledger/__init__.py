"""The durable memory: batches, runs, the identities of counted results, and every counter that must survive a restart.

One SQLite file, one class. It must not know the API, the configuration or the formats of the
metrics.
"""

from runtype_exporter.ledger.errors import (
    LedgerDamaged,
    LedgerError,
    LedgerFailed,
    LedgerForeign,
    LedgerLocked,
    LedgerNewer,
    LedgerRefused,
    LedgerReplaced,
    LedgerUnusable,
)
from runtype_exporter.ledger.store import Ledger

__all__ = [
    "Ledger",
    "LedgerDamaged",
    "LedgerError",
    "LedgerFailed",
    "LedgerForeign",
    "LedgerLocked",
    "LedgerNewer",
    "LedgerRefused",
    "LedgerReplaced",
    "LedgerUnusable",
]
