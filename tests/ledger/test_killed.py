"""A real process that counts pages is killed without warning, and its counts are intact."""

import subprocess
import sys
from pathlib import Path

from runtype_exporter.ledger import Ledger
from tests.support.counted import SUCCESS
from tests.support.process import ROOT

PROGRAM = """
import sys
from pathlib import Path
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import Ledger
from tests.support.counted import count

ledger = Ledger.open(Path(sys.argv[1]), clock=SystemClock(), boundaries={})
first = ledger.rows()
for start in range(first, first + 1_000_000, 50):
    # Half of what was counted before is shown again.
    count(ledger, max(0, start - 25), start + 50)
    print(start + 50, flush=True)
"""


def test_a_killed_process_loses_no_acknowledged_count(open_ledger, path: Path, totals):
    for pages in (1, 3, 7, 20, 60):
        command = [sys.executable, "-c", PROGRAM, str(path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            acknowledged = [int(process.stdout.readline()) for _ in range(pages)][-1]
            process.kill()
        ledger: Ledger = open_ledger()
        assert totals(ledger)[SUCCESS] == ledger.rows() >= acknowledged
        ledger.close()
