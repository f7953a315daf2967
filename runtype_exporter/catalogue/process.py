"""The metrics of the process itself: they start at 0 with it."""

from __future__ import annotations

from runtype_exporter.catalogue.metric import (
    COMMIT_BUCKETS,
    POLL_BUCKETS,
    REJECTED_REASONS,
    REQUEST_BUCKETS,
    Metric,
    Values,
)
from runtype_exporter.model import TIME_SOURCES


def _gauge(name: str, help_: str, labels: tuple[str, ...] = (), values: Values = ()) -> Metric:
    return Metric(name, "gauge", help_, labels, "process", values=values)


def _counter(name: str, help_: str, labels: tuple[str, ...] = (), values: Values = ()) -> Metric:
    return Metric(name, "counter", help_, labels, "process", values=values)


def _histogram(
    name: str, help_: str, labels: tuple[str, ...] = (), *, buckets: tuple[float, ...]
) -> Metric:
    return Metric(name, "histogram", help_, labels, "process", buckets=buckets)


# --- polling and the API ---
UP = _gauge(
    "runtype_up",
    "1 if the API answers and accepts the key, as of the last cycle; absent before the first.",
    ("account",),
)
COLLECTOR_UP = _gauge(
    "runtype_collector_up",
    "1 if a collector works, 0 if it is forbidden, if its list failed three times in a row, or if"
    " three of its items failed and none was read since.",
    ("account", "collector"),
)
COLLECTOR_FAILURES = _counter(
    "runtype_collector_failures_total",
    "Failed reads of a collector.",
    ("account", "collector", "reason"),
)
LAST_SUCCESSFUL_POLL = _gauge(
    "runtype_last_successful_poll_timestamp_seconds",
    "When the last cycle without a failure ended.",
    ("account",),
)
POLL_DURATION = _histogram(
    "runtype_poll_duration_seconds",
    "Duration of a polling cycle.",
    ("account",),
    buckets=POLL_BUCKETS,
)
POLLS = _counter("runtype_polls_total", "Polling cycles ended.", ("account",))
POLL_FAILURES = _counter(
    "runtype_poll_failures_total", "Polling cycles that failed.", ("account", "reason")
)
BATCH_SWEEPS = _counter(
    "runtype_batch_sweeps_total", "Sweeps of batch results that reached the end.", ("account",)
)
BATCH_SWEEP_FAILURES = _counter(
    "runtype_batch_sweep_failures_total",
    "Sweeps of batch results that failed.",
    ("account", "reason"),
)
SWEEPS_PENDING = _gauge("runtype_sweeps_pending", "Batches that wait to be swept.", ("account",))
OLDEST_PENDING_SWEEP = _gauge(
    "runtype_oldest_pending_sweep_timestamp_seconds",
    "Since when the batch that waits longest waits to be swept; absent where none waits.",
    ("account",),
)
API_REQUESTS = _counter(
    "runtype_api_requests_total",
    "API requests sent, by HTTP status or the word for what failed before there was one.",
    ("account", "operation", "code"),
)
API_REQUEST_DURATION = _histogram(
    "runtype_api_request_duration_seconds",
    "Duration of API requests, the body's transfer included.",
    ("account", "operation"),
    buckets=REQUEST_BUCKETS,
)
API_BUDGET_LIMIT = _gauge(
    "runtype_api_budget_limit_requests",
    "Requests that the account may spend in any hour.",
    ("account",),
)
API_BUDGET_REMAINING = _gauge(
    "runtype_api_budget_remaining_requests", "Requests that could be sent at once.", ("account",)
)
API_THROTTLED_UNTIL = _gauge(
    "runtype_api_throttled_until_timestamp_seconds",
    "Until when the API asked for a pause (Retry-After); 0 if it never did.",
    ("account",),
)
API_CLOCK_SKEW = _gauge(
    "runtype_api_clock_skew_seconds",
    "The API's clock (Date header) minus the exporter's.",
    ("account",),
)
API_TIME_SOURCE = _gauge(
    "runtype_api_time_source",
    "1, labelled with where the API's time is taken from: its Date headers (date), or the"
    " exporter's clock because it sends none (local).",
    ("account", "source"),
    values=(("source", TIME_SOURCES),),
)
ROWS_REJECTED = _counter(
    "runtype_rows_rejected_total",
    "Rows of the API's answers that could not be understood and were skipped.",
    ("account", "operation", "reason"),
    values=(("reason", REJECTED_REASONS),),
)
HORIZON = _gauge(
    "runtype_horizon_timestamp_seconds",
    "Nothing that was created before this moment is counted, unless it is followed already.",
    ("account",),
)

# --- the exporter itself ---
BUILD_INFO = _gauge(
    "runtype_exporter_build_info", "1, labelled with the version.", ("version", "python")
)
CONFIG_RELOAD_SUCCESSFUL = _gauge(
    "runtype_exporter_config_last_reload_successful",
    "1 if the last (re)load of the configuration succeeded.",
)
CONFIG_RELOAD_TIME = _gauge(
    "runtype_exporter_config_last_reload_success_timestamp_seconds",
    "When the configuration was last (re)loaded successfully.",
)
LEADER = _gauge("runtype_exporter_leader", "1 if this process polls the API.")
LEDGER_ROWS = _gauge("runtype_exporter_ledger_rows", "Result identities that the ledger holds.")
LEDGER_BYTES = _gauge(
    "runtype_exporter_ledger_bytes", "Size of the ledger on disk, its write-ahead log included."
)
LEDGER_CREATED = _gauge(
    "runtype_exporter_ledger_created_timestamp_seconds", "When the ledger was created."
)
LEDGER_COMMIT_DURATION = _histogram(
    "runtype_exporter_ledger_commit_duration_seconds",
    "Duration of a ledger commit.",
    buckets=COMMIT_BUCKETS,
)
LEDGER_UP = _gauge(
    "runtype_exporter_ledger_up",
    "1 if the ledger's files are in place and nothing failed since its last commit, else 0.",
)
LEDGER_FAILURES = _counter(
    "runtype_exporter_ledger_failures_total", "Ledger operations that failed."
)
SERIES = _gauge("runtype_exporter_series", "Lines of the exposition, comments left out.")

SERIES_LIMIT = _gauge(
    "runtype_exporter_series_limit", "The most lines of the exposition (metrics.max_series)."
)
SERIES_DROPPED = _counter(
    "runtype_exporter_series_dropped_total",
    "Label sets that were not given series of their own because of metrics.max_series.",
    ("kind",),
    values=(("kind", ("batch", "overflow")),),
)
