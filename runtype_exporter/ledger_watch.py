"""Watch whether the ledger's files are in place, and log when they are lost or back."""

from __future__ import annotations

import structlog

from runtype_exporter.ledger import Ledger, LedgerReplaced

_log = structlog.get_logger()


class LedgerWatch:
    """One ledger, and whether its files were in place when they were last checked."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._replaced = False

    def works(self) -> bool:
        """Return whether the ledger's files are in place and its last commit worked.

        The loss of a file is logged once, and so is its return.
        """
        try:
            works = self._ledger.check_files()
        except LedgerReplaced as error:
            if not self._replaced:
                self._replaced = True
                _log.error("the ledger's files are not in place: polling pauses", error=str(error))
            return False
        if self._replaced:
            self._replaced = False
            _log.info("the ledger's files are in place again: polling goes on")
        return works
