"""The exporter's own metrics: polling, API requests, ledger and process.

They are made from the catalogue on a private prometheus-client registry and start at 0 with the
process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as CollectedFamily
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from runtype_exporter import catalogue
from runtype_exporter.catalogue import CATALOGUE, SERIES, Metric, series
from runtype_exporter.metrics.text import ExpositionFormat
from runtype_exporter.model import Series
from runtype_exporter.protocols import Attempt

Instrument = Counter | Gauge | Histogram


class _Taken(Collector):
    """Families that were collected before, so that both formats show the same moment."""

    def __init__(self, families: Iterable[CollectedFamily]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[CollectedFamily]:
        return iter(self._families)


class ProcessMetrics:
    """Implements `protocols.Telemetry`; the rest of its methods are for `app`."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._instruments = {
            metric.name: _instrument(metric, self._registry)
            for metric in CATALOGUE
            if metric.owner == "process" and metric is not SERIES
        }
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._children: dict[Series, Instrument] = {}
        self._taken: tuple[CollectedFamily, ...] = ()
        self._changed = True
        self.created_lines = 0
        """Number of `_created` lines, which only OpenMetrics has."""

    # --- what is counted: protocols.Telemetry ---
    def attempt(self, attempt: Attempt) -> None:
        """Count a request that was sent and ended."""
        self._count(
            catalogue.API_REQUESTS,
            account=attempt.account,
            operation=attempt.operation,
            code=attempt.code,
        )
        self._observe(
            catalogue.API_REQUEST_DURATION,
            attempt.seconds,
            account=attempt.account,
            operation=attempt.operation,
        )

    def budget(self, account: str, limit: int, remaining: float) -> None:
        """Set the request budget: its limit and what remains of it."""
        self._set(catalogue.API_BUDGET_LIMIT, limit, account=account)
        self._set(catalogue.API_BUDGET_REMAINING, remaining, account=account)

    def throttled(self, account: str, until: float) -> None:
        """Set the moment until which the API asked for a pause (0: none)."""
        self._set(catalogue.API_THROTTLED_UNTIL, until, account=account)

    def skew(self, account: str, seconds: float) -> None:
        """Set the API's clock minus the exporter's, seconds."""
        self._set(catalogue.API_CLOCK_SKEW, seconds, account=account)

    def time_source(self, account: str, source: str) -> None:
        """Set where the account's time comes from, in place of what was set before."""
        for other in catalogue.TIME_SOURCES:
            self._remove(series(catalogue.API_TIME_SOURCE, account=account, source=other))
        self._set(catalogue.API_TIME_SOURCE, 1, account=account, source=source)

    def rejected(self, account: str, operation: str, reason: str) -> None:
        """Count a row of an answer that could not be understood and was left out."""
        self._count(catalogue.ROWS_REJECTED, account=account, operation=operation, reason=reason)

    def cycle(self, account: str, seconds: float, at: float, failure: str) -> None:
        """Count a cycle that ended; `failure` is "" or the reason in one fixed word."""
        self._count(catalogue.POLLS, account=account)
        self._observe(catalogue.POLL_DURATION, seconds, account=account)
        if failure:
            self._count(catalogue.POLL_FAILURES, account=account, reason=failure)
        else:
            self._set(catalogue.LAST_SUCCESSFUL_POLL, at, account=account)

    def up(self, account: str, *, up: bool) -> None:
        """Set whether the last cycle reached the API and was authorised."""
        self._set(catalogue.UP, up, account=account)

    def collector(self, account: str, collector: str, *, up: bool, failure: str) -> None:
        """Set whether a collector works, after it was read or withdrawn.

        `failure` is "" or the reason in one fixed word.
        """
        self._set(catalogue.COLLECTOR_UP, up, account=account, collector=collector)
        if failure:
            self._count(
                catalogue.COLLECTOR_FAILURES, account=account, collector=collector, reason=failure
            )

    def sweep(self, account: str, failure: str) -> None:
        """Count a sweep that ended; `failure` is "" or the reason in one fixed word."""
        if failure:
            self._count(catalogue.BATCH_SWEEP_FAILURES, account=account, reason=failure)
        else:
            self._count(catalogue.BATCH_SWEEPS, account=account)

    def pending(self, account: str, sweeps: int, oldest: float | None) -> None:
        """Set how many batches wait to be swept, and since when the oldest one waits."""
        self._set(catalogue.SWEEPS_PENDING, sweeps, account=account)
        if oldest is None:
            self._remove(series(catalogue.OLDEST_PENDING_SWEEP, account=account))
        else:
            self._set(catalogue.OLDEST_PENDING_SWEEP, oldest, account=account)

    def forget(self, account: str) -> None:
        """End the series of an account that left the configuration."""
        for key in [key for key in self._children if key[1][:1] == (account,)]:
            if catalogue.BY_NAME[key[0]].labels[0] == "account":
                self._remove(key)

    # --- what the process is about ---
    def account(self, account: str) -> None:
        """Create the counters of an account that is polled from now on, at 0.

        Prometheus needs a sample from before the first event to see an increase.
        """
        for metric in (catalogue.POLLS, catalogue.BATCH_SWEEPS):
            self._count(metric, 0, account=account)
        self._child(catalogue.POLL_DURATION, account=account)
        self._set(catalogue.SWEEPS_PENDING, 0, account=account)
        self._set(catalogue.API_THROTTLED_UNTIL, 0, account=account)

    def build_info(self, version: str, python: str) -> None:
        """Set which versions of the exporter and of Python run."""
        self._set(catalogue.BUILD_INFO, 1, version=version, python=python)

    def reloaded(self, at: float, *, successful: bool) -> None:
        """Set whether the configuration could be loaded, and when."""
        self._set(catalogue.CONFIG_RELOAD_SUCCESSFUL, successful)
        if successful:
            self._set(catalogue.CONFIG_RELOAD_TIME, at)

    def leader(self, *, leads: bool) -> None:
        """Set whether this process polls the API."""
        self._set(catalogue.LEADER, leads)

    def ledger(self, rows: int, size: int, created: float) -> None:
        """Set the ledger's number of result identities, size in bytes and creation time."""
        self._set(catalogue.LEDGER_ROWS, rows)
        self._set(catalogue.LEDGER_BYTES, size)
        self._set(catalogue.LEDGER_CREATED, created)

    def ledger_up(self, *, up: bool) -> None:
        """Set whether the ledger's files are in place and nothing failed since its last commit."""
        self._set(catalogue.LEDGER_UP, up)

    def commit(self, seconds: float) -> None:
        """Count a ledger commit that took `seconds`."""
        self._observe(catalogue.LEDGER_COMMIT_DURATION, seconds)

    def ledger_failed(self) -> None:
        """Count a ledger operation that failed."""
        self._count(catalogue.LEDGER_FAILURES)

    def series_limit(self, limit: int) -> None:
        """Set how many lines the exposition may have."""
        self._set(catalogue.SERIES_LIMIT, limit)
        for kind in ("batch", "overflow"):
            self.dropped(kind, 0)

    def dropped(self, kind: str, label_sets: int) -> None:
        """Count label sets of a kind that were given no series of their own."""
        self._count(catalogue.SERIES_DROPPED, label_sets, kind=kind)

    # --- what is shown ---
    @property
    def changed(self) -> bool:
        """Return whether anything was counted since the last `refresh`."""
        return self._changed

    def refresh(self, lines: int) -> int:
        """Take the numbers as they are now. Return the lines of the whole exposition.

        `lines` is how many lines the other metrics have. Comments are not counted.
        """
        self._changed = False
        families = [family for family in self._registry.collect() if family.samples]
        total = lines + 1 + sum(len(_without_created(family).samples) for family in families)
        self.created_lines = lines + 1 + sum(len(family.samples) for family in families) - total
        self._taken = (*families, GaugeMetricFamily(SERIES.name, SERIES.help, value=total))
        return total

    def chunk(self, format_: ExpositionFormat) -> bytes:
        """Return the text of what `refresh` took, with the end of the exposition."""
        if format_ == "openmetrics":
            # The library's function has no types.
            text: bytes = generate_openmetrics(_Taken(self._taken))  # type: ignore[no-untyped-call]
            return text
        return generate_latest(_Taken(map(_without_created, self._taken)))

    def _child(self, metric: Metric, /, **labels: str) -> Instrument:
        self._changed = True
        key = series(metric, **labels)
        child = self._children.get(key)
        if child is None:
            instrument = self._instruments[metric.name]
            child = self._children[key] = instrument.labels(**labels) if labels else instrument
        return child

    def _count(self, metric: Metric, by: float = 1, /, **labels: str) -> None:
        child = self._child(metric, **labels)
        # For the type checker: the catalogue says so.
        assert isinstance(child, Counter)  # noqa: S101
        child.inc(by)

    def _set(self, metric: Metric, value: float, /, **labels: str) -> None:
        child = self._child(metric, **labels)
        # For the type checker: the catalogue says so.
        assert isinstance(child, Gauge)  # noqa: S101
        child.set(value)

    def _observe(self, metric: Metric, value: float, /, **labels: str) -> None:
        child = self._child(metric, **labels)
        # For the type checker: the catalogue says so.
        assert isinstance(child, Histogram)  # noqa: S101
        child.observe(value)

    def _remove(self, key: Series) -> None:
        if self._children.pop(key, None) is not None:
            self._changed = True
            name, labels = key
            self._instruments[name].remove(*labels)


def _instrument(metric: Metric, registry: CollectorRegistry) -> Instrument:
    if metric.type == "histogram":
        return Histogram(
            metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets
        )
    kind = Counter if metric.type == "counter" else Gauge
    return kind(metric.name, metric.help, metric.labels, registry=registry)


def _without_created(family: CollectedFamily) -> CollectedFamily:
    """Return a family without its `_created` samples.

    The text format has none: prometheus-client would make gauges of them.
    """
    shown = copy(family)
    shown.samples = [sample for sample in family.samples if sample.name != f"{family.name}_created"]
    return shown
