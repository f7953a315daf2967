"""Log failures of the ledger, in one way for all of polling."""

from __future__ import annotations

import structlog

from runtype_exporter.ledger import LedgerError, LedgerReplaced

_log = structlog.get_logger()


def warn(event: str, account: str, error: LedgerError) -> None:
    """Log a failure of the ledger, unless the files of the ledger are gone.

    The process itself logs once that they are gone.
    """
    if not isinstance(error, LedgerReplaced):
        _log.warning(event, account=account, error=str(error))
