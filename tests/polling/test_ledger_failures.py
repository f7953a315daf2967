"""What is logged when the ledger fails."""

import sqlite3
from pathlib import Path

from runtype_exporter.ledger import LedgerFailed, LedgerReplaced
from runtype_exporter.polling import ledger_failures

PATH = Path("/data/ledger.db")


def test_a_failure_is_logged_each_time_and_lost_files_are_left_to_the_process(logs):
    for error in (
        LedgerFailed(PATH, sqlite3.OperationalError("full")),
        LedgerReplaced(PATH, "was deleted"),
    ):
        ledger_failures.warn("polling pauses", "acme", error)
    assert [("polling pauses", "acme", "warning")] == [
        (e["event"], e["account"], e["log_level"]) for e in logs
    ]
    assert "could not be read or written" in logs[0]["error"]
