"""Compare the rendering of the exposition with prometheus-client: `python -m benchmarks.render`.

`python -m benchmarks.render [samples]` renders the same series with both in the same run. The bytes
are equal. The figures are medians, and ratios of medians. For prometheus-client a scrape is
measured: OpenMetrics and gzip at its level 9. Here the cost of a change is measured: all of
`publish_now`, up to the bytes that are served.
"""

from __future__ import annotations

import gzip
import statistics
import sys
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from runtype_exporter import catalogue
from runtype_exporter.clock import SystemClock
from runtype_exporter.metrics import ProcessMetrics, Publisher, Renderer
from runtype_exporter.metrics.shards import Variant
from runtype_exporter.model import HistogramValue, Sample, Snapshot

SAMPLES = 100_000
SCRAPE: Variant = ("openmetrics", "gzip")
TEXT: Variant = ("text", "identity")


def median(work: Callable[[int], object], rounds: int) -> float:
    """Return the median of the milliseconds of one call."""
    times = []
    for number in range(rounds):
        began = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def batch_labels(number: int) -> tuple[str, str, str, str]:
    """Return label values as long as the names and ids of the API."""
    return (
        "production",
        f"schedule {number // 50}",
        f"flow {number // 200}",
        f"batch_01jv8k{number:020d}",
    )


class ChangingGauges:
    """Gauges of which one contiguous range changes at a time."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.changes: dict[tuple[str, ...], Sample | None] = {
            batch_labels(number): Sample(float(number % 1000)) for number in range(samples)
        }

    def change(self, start: int, count: int, by: float) -> None:
        """Change the values of `count` gauges from `start` on."""
        for number in range(start, start + count):
            self.changes[batch_labels(number)] = Sample(number % 1000 + by)

    def snapshot(self) -> Snapshot:
        """Return the changes since the last call."""
        changes, self.changes = self.changes, {}
        return Snapshot(1, {catalogue.BATCH_TOTAL.name: changes})


def gauges(samples: int, rounds: int) -> list[tuple[str, float, float]]:
    """Return rows of the table: name, milliseconds of prometheus-client, milliseconds here."""
    registry = CollectorRegistry()
    metric = catalogue.BATCH_TOTAL
    theirs = Gauge(metric.name, metric.help, metric.labels, registry=registry)
    renderer = Renderer([metric])
    for number in range(samples):
        theirs.labels(*batch_labels(number)).set(number % 1000)
        renderer.update(metric.name, batch_labels(number), Sample(float(number % 1000)))

    def full(_round: int) -> bytes:
        renderer.drop(TEXT)
        return b"".join(piece for piece in renderer.pieces(TEXT) if isinstance(piece, bytes))

    theirs_as_text = generate_latest(registry)
    assert full(0) == theirs_as_text, "not the same bytes"
    text = median(lambda _: generate_latest(registry), rounds), median(full, rounds)
    # prometheus-client has no types for its OpenMetrics module.
    openmetrics: Callable[[CollectorRegistry], bytes] = generate_openmetrics
    scrape = median(lambda _: gzip.compress(openmetrics(registry), 9), rounds)

    gauges = ChangingGauges(samples)
    publisher = Publisher(
        ledger=lambda: Snapshot(0, {}),
        gauges=gauges.snapshot,
        process=ProcessMetrics(),
        clock=SystemClock(),
        gate=False,
    )
    publisher.body(SCRAPE)
    rows = [("full render, gauges, text", *text)]
    for name, count in (("1 % contiguous", samples // 100), ("1 sample", 1)):
        begins = range(0, samples - count, max(1, samples // 7))

        times = []
        for number in range(20 * rounds):
            gauges.change(begins[number % len(begins)], count, number + 1.0)
            times.append(median(lambda _: publisher.publish_now(), 1))
        rows.append((f"{name} changed, OpenMetrics + gzip", scrape, statistics.median(times)))
    rows.append(
        (
            "nothing changed, prepared bytes",
            scrape,
            median(lambda _: publisher.body(SCRAPE), 1000),
        )
    )
    return rows


def histograms(samples: int, rounds: int) -> list[tuple[str, float, float]]:
    """Return rows of the table: name, milliseconds of prometheus-client, milliseconds here."""
    metric = catalogue.RECORD_LATENCY
    bounds = metric.buckets
    series = samples // (len(bounds) + 3)
    registry = CollectorRegistry()
    theirs = Histogram(metric.name, metric.help, metric.labels, registry=registry, buckets=bounds)
    renderer = Renderer([metric])
    counts = tuple(range(len(bounds) + 1))
    for number in range(series):
        labels = (*batch_labels(number)[:3], f"outcome {number}")
        theirs.labels(*labels).observe(1.5)
        renderer.update(metric.name, labels, Sample(HistogramValue(bounds, counts, 1.5), 1.7e9))

    def full(_round: int) -> None:
        renderer.drop(TEXT)
        renderer.pieces(TEXT)

    return [
        (
            "full render, histograms, text",
            median(lambda _: generate_latest(registry), rounds),
            median(full, rounds),
        )
    ]


def main() -> None:
    """Measure and print the table."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    rounds = 3
    print(f"{samples} samples, medians in ms")
    print(f"{'':44} {'prometheus-client':>18} {'here':>9} {'ratio':>9}")
    for name, theirs, ours in gauges(samples, rounds) + histograms(samples, rounds):
        print(f"{name:44} {theirs:18.1f} {ours:9.3f} {theirs / ours:8.0f}x")


if __name__ == "__main__":
    main()
