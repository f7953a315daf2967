"""What polling logs of a ledger that fails. It must not know what polling does about it."""

from __future__ import annotations

import structlog

from runtype_exporter.ledger import LedgerError, LedgerReplaced

_log = structlog.get_logger()


def warn(event: str, account: str, error: LedgerError) -> None:
    """Log a failure, unless the ledger's files are gone.

    The process logs that once, and not every cycle and sweep again.
    """
    if not isinstance(error, LedgerReplaced):
        _log.warning(event, account=account, error=str(error))
