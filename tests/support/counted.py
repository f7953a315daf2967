"""Results for a ledger to count, the same in a test and in the processes that a test kills."""

from __future__ import annotations

from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, BatchRef, Labels, Result, Sweep, SweepTally

SUCCESS = "runtype_records_finished_total", ("production", "nightly", "enrich", "success")
"""The series that counts them."""
SWEEP = Sweep(
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
BATCH = Batch(
    ref=BatchRef("production", "b1"),
    first_seen=0.0,
    labels=Labels("nightly", "enrich"),
    sweeps=1,
    sweep=SWEEP,
)


def count(ledger: Ledger, first: int, last: int) -> None:
    """Count these results, 50 in each transaction."""
    for start in range(first, last, 50):
        keys = range(start, min(start + 50, last))
        page = [Result(f"k{key}", f"r{key}", "completed", "success", 1.0, 2.0, "") for key in keys]
        ledger.apply(BATCH, page, lambda _: BATCH, now=1_000.0)
