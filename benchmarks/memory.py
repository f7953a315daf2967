"""Measure how much memory open records need: `python -m benchmarks.memory [records]`.

A real ledger reads pages of 100 batches as polling does, until that many records are open. None is
final, so every identity is kept. The resident memory is that of the whole process, with gauges and
exposition.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from runtype_exporter.app import USER_AGENT
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import Ledger
from runtype_exporter.metrics import Gauges, ProcessMetrics, Publisher
from runtype_exporter.model import Batch, BatchRef, Labels, Probe, SweepTally
from runtype_exporter.polling import StatusWords
from runtype_exporter.polling.batches.gauges import view
from runtype_exporter.polling.chunks import CHUNK
from runtype_exporter.polling.sweeps.sweep import Chunk, advance, begin, finish
from runtype_exporter.runtype import ResultRow

RECORDS = 1_000_000
BATCHES = 100
GOAL = 200.0


def resident() -> float:
    """Return the resident memory of the process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def rows(batch: int, start: int) -> list[ResultRow]:
    """Return one chunk of a page: records that are running."""
    return [
        ResultRow(
            record_id=f"record_01jv8k{batch:05}{number:015}",
            record_result_id=f"rr_01jv8k{batch:05}{number:019}",
            status="running",
            created_at="2026-06-01T00:00:00.000Z",
        )
        for number in range(start, start + CHUNK)
    ]


def swept_batch(number: int, size: int, now: float) -> Batch:
    """Return a batch whose sweep has begun."""
    batch = Batch(
        ref=BatchRef("acme", f"batch_01jv8k{number:020}"),
        first_seen=now,
        labels=Labels(f"schedule {number}", f"flow {number}"),
        started=now,
        probes={"run": Probe("running", size, 0, 0)},
    )
    return begin(batch, now, full=True)


def main() -> None:
    """Measure, and print the figures."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    clock, status_words = SystemClock(), StatusWords()
    size = records // BATCHES
    print(f"{USER_AGENT}: {records} open records in {BATCHES} batches")
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger.open(Path(folder) / "ledger.db", clock=clock, boundaries={})
        gauges = Gauges(batches_per_schedule=1, known_words=status_words.known)
        publisher = Publisher(
            ledger=ledger.snapshot, gauges=gauges.snapshot, process=ProcessMetrics(), clock=clock
        )
        publisher.body(("openmetrics", "gzip"))
        open_ = [swept_batch(number, size, clock.now()) for number in range(BATCHES)]
        print(f"{'at the start':24} {resident():7.1f} MB resident")
        began = time.perf_counter()
        for start in range(0, size, CHUNK):
            for number, batch in enumerate(open_):
                chunk = Chunk(status_words.results(rows(number, start)), size)

                def after(seen: SweepTally, batch: Batch = batch, chunk: Chunk = chunk) -> Batch:
                    return advance(batch, seen, chunk)

                open_[number] = ledger.apply(batch, chunk.results, after, now=clock.now())
            publisher.publish_now()
            if (start + CHUNK) % (size // 4) == 0:
                print(f"{ledger.rows():>9} open records   {resident():7.1f} MB resident")
        seconds = time.perf_counter() - began
        for batch in open_:
            ended = finish(batch, clock.now())
            ledger.save(ended)
            assert ended.labels is not None
            gauges.set_batch(
                view(ended, status_words, name=ended.ref.id, configured=False, labels=ended.labels)
            )
        publisher.publish_now()
        assert ledger.rows() == size * BATCHES
        final = resident()
        print(
            f"{'all swept and shown':24} {final:7.1f} MB resident, goal below {GOAL:.0f}:"
            f" {'met' if final < GOAL else 'MISSED'}"
        )
        print(
            f"{ledger.size() / ledger.rows():24.1f} bytes a record on disk;"
            f" {size * BATCHES / seconds:.0f} records a second"
        )
        ledger.close()


if __name__ == "__main__":
    main()
