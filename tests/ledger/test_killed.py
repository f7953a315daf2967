"""A real process that counts pages is killed without warning, and its counts are intact."""

import subprocess
import sys
from pathlib import Path

from runtype_exporter.ledger import Ledger

PROGRAM = """
import sys
from pathlib import Path
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, BatchRef, Labels, Result, SweepTally, Sweep

ledger = Ledger.open(Path(sys.argv[1]), clock=SystemClock(), boundaries={})
sweep = Sweep(
    number=1,
    full=True,
    is_retry=False,
    offset=0,
    tally=SweepTally(),
    total=0,
    pages=0,
    probes_at_start={},
    began=0.0,
    prefix_grows=True,
)
batch = Batch(
    ref=BatchRef("production", "b1"),
    first_seen=0.0,
    labels=Labels("nightly", "enrich"),
    sweeps=1,
    sweep=sweep,
)
first = ledger.rows()
for start in range(first, first + 1_000_000, 50):
    page = [
        Result(f"k{key}", f"r{key}", "completed", "success", 1.0, 2.0, "")
        for key in range(max(0, start - 25), start + 50)
    ]
    ledger.apply(batch, page, lambda _: batch)
    print(start + 50, flush=True)
"""


def test_a_killed_process_loses_no_acknowledged_count(open_ledger, path: Path, totals):
    for pages in (1, 3, 7, 20, 60):
        command = [sys.executable, "-c", PROGRAM, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            acknowledged = [int(process.stdout.readline()) for _ in range(pages)][-1]
            process.kill()
        ledger: Ledger = open_ledger()
        finished = totals(ledger)[
            "runtype_records_finished_total", ("production", "nightly", "enrich", "success")
        ]
        assert finished == ledger.rows() >= acknowledged
        ledger.close()
