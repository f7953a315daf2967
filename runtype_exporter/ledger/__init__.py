"""The durable state: batches, runs, the identities of counted results, and durable counters.

It is one SQLite file behind one class, `Ledger`.
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
