"""One declaration a metric: name, type, help, labels, owner, stability.

Rendering, the ledger, the docs, rules and dashboards take what they know of a metric from here or are checked against it.
Owners: `ledger` (durable: survives restarts), `picture` (gauges of the last complete picture), `process` (reset with the process).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricType = Literal["counter", "gauge", "histogram"]
Owner = Literal["ledger", "picture", "process"]
Stability = Literal["stable", "experimental"]

LATENCY_BUCKETS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Default boundaries of record latencies, seconds; the configuration's `metrics.latency_buckets` replaces them."""
DURATION_BUCKETS = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0)
LAG_BUCKETS = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
POLL_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
COMMIT_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)

OUTCOMES = ("success", "failure", "cancelled", "unknown")
BATCH_OUTCOMES = ("success", "failure", "cancelled", "lost", "unknown")
BATCH_STATES = ("queued", "running", "completed", "failed", "cancelled", "unknown")
TIMESTAMP_FAULTS = ("missing", "unparseable", "negative")

_BATCH = ("account", "schedule", "flow", "batch")
_FLOW = ("account", "schedule", "flow")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as it stands in the text format 0.0.4 (counters with their `_total`).

    `buckets` are a histogram's default boundaries in seconds. `values` names the closed set of a label's values, where it has one.
    """

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...]
    owner: Owner
    stability: Stability = "stable"
    buckets: tuple[float, ...] = ()
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()


def _ledger(name: str, kind: MetricType, help_: str, labels: tuple[str, ...], **more: object) -> Metric:
    return Metric(name, kind, help_, labels, "ledger", **more)  # type: ignore[arg-type]  # keywords of Metric, handed on


def _picture(name: str, help_: str, labels: tuple[str, ...], **more: object) -> Metric:
    return Metric(name, "gauge", help_, labels, "picture", **more)  # type: ignore[arg-type]  # keywords of Metric, handed on


def _process(name: str, kind: MetricType, help_: str, labels: tuple[str, ...] = (), **more: object) -> Metric:
    return Metric(name, kind, help_, labels, "process", **more)  # type: ignore[arg-type]  # keywords of Metric, handed on


# --- records (ledger) -------------------------------------------------------------------------------------------------
RECORDS_FINISHED = _ledger(
    "runtype_records_finished_total",
    "counter",
    "Record results that became final, each counted exactly once. A retried record is two results.",
    (*_FLOW, "outcome"),
    values=(("outcome", OUTCOMES),),
)
RECORDS_ABANDONED = _ledger(
    "runtype_records_abandoned_total",
    "counter",
    "Records of closed batches that never became final or never appeared in the results.",
    _FLOW,
)
RECORD_LATENCY = _ledger(
    "runtype_record_latency_seconds",
    "histogram",
    "Time from createdAt to executedAt (failedAt for failures) of record results, as they became final.",
    (*_FLOW, "outcome"),
    buckets=LATENCY_BUCKETS,
    values=(("outcome", OUTCOMES),),
)
RECORD_DETECTION_LAG = _ledger(
    "runtype_record_detection_lag_seconds",
    "histogram",
    "Time from a result's end to the moment it was counted here.",
    ("account",),
    buckets=LAG_BUCKETS,
)
RECORD_OUTCOME_CHANGES = _ledger(
    "runtype_record_outcome_changes_total",
    "counter",
    "Results that were counted under one outcome (previous) and counted again under another (outcome).",
    (*_FLOW, "previous", "outcome"),
    values=(("previous", OUTCOMES), ("outcome", OUTCOMES)),
)
RECORD_INVALID_TIMESTAMPS = _ledger(
    "runtype_record_invalid_timestamps_total",
    "counter",
    "Final results without a trustworthy latency: counted as finished, not observed as latency.",
    ("account", "reason"),
    values=(("reason", TIMESTAMP_FAULTS),),
)

# --- batches and runs (ledger) ----------------------------------------------------------------------------------------
BATCHES_FINISHED = _ledger(
    "runtype_batches_finished_total",
    "counter",
    "Batches closed: their status was final and every record accounted for, or they were given up (lost).",
    (*_FLOW, "outcome"),
    values=(("outcome", BATCH_OUTCOMES),),
)
BATCH_LATE_CHANGES = _ledger(
    "runtype_batch_late_changes_total",
    "counter",
    "Times that the API's counts of a closed batch changed afterwards. Such changes are not swept again.",
    _FLOW,
)
BATCH_DURATION = _ledger(
    "runtype_batch_duration_seconds",
    "histogram",
    "Time from a batch's start to its completion, as batches close.",
    (*_FLOW, "outcome"),
    buckets=DURATION_BUCKETS,
    values=(("outcome", BATCH_OUTCOMES),),
)
SCHEDULE_RUNS_FINISHED = _ledger(
    "runtype_schedule_runs_finished_total",
    "counter",
    "Schedule runs that ended, agent runs included, each counted exactly once.",
    ("account", "schedule", "outcome"),
    values=(("outcome", OUTCOMES),),
)
SCHEDULE_RUN_DURATION = _ledger(
    "runtype_schedule_run_duration_seconds",
    "histogram",
    "Time from a schedule run's start to its completion.",
    ("account", "schedule"),
    buckets=DURATION_BUCKETS,
)
SCHEDULE_RUN_QUEUE = _ledger(
    "runtype_schedule_run_queue_seconds",
    "histogram",
    "Time from a schedule run's creation to its start.",
    ("account", "schedule"),
    buckets=DURATION_BUCKETS,
)

# --- batches (picture) ------------------------------------------------------------------------------------------------
BATCH_RECORDS = _picture(
    "runtype_batch_records",
    "Records of a batch by status word after the last complete sweep. Words beyond the cap are pooled as other.",
    (*_BATCH, "status"),
)
BATCH_TOTAL = _picture("runtype_batch_total_records", "The API's own count of a batch's records.", _BATCH)
BATCH_PROCESSED = _picture(
    "runtype_batch_processed_records",
    "The API's own count of a batch's processed records. Whether it includes failed ones is not documented.",
    _BATCH,
)
BATCH_FAILED = _picture("runtype_batch_failed_records", "The API's own count of a batch's failed records.", _BATCH)
BATCH_STATE = _picture(
    "runtype_batch_state",
    "1 for the present state of an open or configured batch, 0 for the others.",
    (*_BATCH, "state"),
    values=(("state", BATCH_STATES),),
)
BATCH_STARTED = _picture("runtype_batch_started_timestamp_seconds", "When a batch started.", _BATCH)
BATCH_COMPLETED = _picture("runtype_batch_completed_timestamp_seconds", "When a batch completed.", _BATCH)
BATCH_LAST_RESULT = _picture(
    "runtype_batch_last_result_timestamp_seconds", "When the newest final result of a batch ended.", _BATCH
)
BATCH_OLDEST_UNFINISHED = _picture(
    "runtype_batch_oldest_unfinished_timestamp_seconds",
    "When the oldest unfinished record of a batch was created; absent where none is unfinished.",
    _BATCH,
)
BATCH_LAST_SWEEP = _picture(
    "runtype_batch_last_sweep_timestamp_seconds", "When a batch's last complete sweep ended.", _BATCH
)
BATCH_FOUND = _picture(
    "runtype_batch_found",
    "Configured batches: 1, or 0 where the API answers that it does not exist.",
    ("account", "batch"),
)
BATCHES_OPEN = _picture("runtype_batches_open", "Batches being followed.", _FLOW)
RECONCILIATION_DRIFT = _picture(
    "runtype_reconciliation_drift_records",
    "Sum of the absolute differences between the API's total and the distinct rows of each batch's last walk to the end.",
    ("account", "schedule"),
)

# --- polling and the API (process) ------------------------------------------------------------------------------------
UP = _process(
    "runtype_up",
    "gauge",
    "1 if the last cycle reached the API and was authorised; absent before the first.",
    ("account",),
)
COLLECTOR_UP = _process(
    "runtype_collector_up",
    "gauge",
    "1 if a collector's last read worked, 0 if it is forbidden or failed three times.",
    ("account", "collector"),
)
COLLECTOR_FAILURES = _process(
    "runtype_collector_failures_total", "counter", "Failed reads of a collector.", ("account", "collector", "reason")
)
LAST_SUCCESSFUL_POLL = _process(
    "runtype_last_successful_poll_timestamp_seconds",
    "gauge",
    "When the last cycle without a failure ended.",
    ("account",),
)
POLL_DURATION = _process(
    "runtype_poll_duration_seconds", "histogram", "Duration of a polling cycle.", ("account",), buckets=POLL_BUCKETS
)
POLLS = _process("runtype_polls_total", "counter", "Polling cycles ended.", ("account",))
POLL_FAILURES = _process("runtype_poll_failures_total", "counter", "Polling cycles that failed.", ("account", "reason"))
BATCH_SWEEPS = _process(
    "runtype_batch_sweeps_total", "counter", "Sweeps of batch results that reached the end.", ("account",)
)
BATCH_SWEEP_FAILURES = _process(
    "runtype_batch_sweep_failures_total", "counter", "Sweeps of batch results that failed.", ("account", "reason")
)
SWEEPS_PENDING = _process("runtype_sweeps_pending", "gauge", "Batches that wait to be swept.", ("account",))
OLDEST_PENDING_SWEEP = _process(
    "runtype_oldest_pending_sweep_timestamp_seconds",
    "gauge",
    "Since when the batch that waits longest waits to be swept; absent where none waits.",
    ("account",),
)
API_REQUESTS = _process(
    "runtype_api_requests_total",
    "counter",
    "API requests sent, by HTTP status or the word for what failed before there was one.",
    ("account", "operation", "code"),
)
API_REQUEST_DURATION = _process(
    "runtype_api_request_duration_seconds",
    "histogram",
    "Duration of API requests, the body's transfer included.",
    ("account", "operation"),
    buckets=REQUEST_BUCKETS,
)
API_BUDGET_LIMIT = _process(
    "runtype_api_budget_limit_requests", "gauge", "Requests that the account may spend in any hour.", ("account",)
)
API_BUDGET_REMAINING = _process(
    "runtype_api_budget_remaining_requests", "gauge", "Requests that could be sent at once.", ("account",)
)
API_THROTTLED_UNTIL = _process(
    "runtype_api_throttled_until_timestamp_seconds",
    "gauge",
    "Until when the API asked for a pause (Retry-After); 0 if it never did.",
    ("account",),
)
API_CLOCK_SKEW = _process(
    "runtype_api_clock_skew_seconds", "gauge", "The API's clock (Date header) minus the exporter's.", ("account",)
)

# --- the exporter itself (process) ------------------------------------------------------------------------------------
BUILD_INFO = _process("runtype_exporter_build_info", "gauge", "1, labelled with the version.", ("version", "python"))
CONFIG_RELOAD_SUCCESSFUL = _process(
    "runtype_exporter_config_last_reload_successful", "gauge", "1 if the last (re)load of the configuration succeeded."
)
CONFIG_RELOAD_TIME = _process(
    "runtype_exporter_config_last_reload_success_timestamp_seconds",
    "gauge",
    "When the configuration was last (re)loaded successfully.",
)
LEADER = _process("runtype_exporter_leader", "gauge", "1 if this process polls the API.")
LEDGER_ROWS = _process("runtype_exporter_ledger_rows", "gauge", "Result identities that the ledger holds.")
LEDGER_BYTES = _process(
    "runtype_exporter_ledger_bytes", "gauge", "Size of the ledger on disk, its write-ahead log included."
)
LEDGER_CREATED = _process("runtype_exporter_ledger_created_timestamp_seconds", "gauge", "When the ledger was created.")
LEDGER_COMMIT_DURATION = _process(
    "runtype_exporter_ledger_commit_duration_seconds",
    "histogram",
    "Duration of a ledger commit.",
    buckets=COMMIT_BUCKETS,
)
LEDGER_FAILURES = _process("runtype_exporter_ledger_failures_total", "counter", "Ledger operations that failed.")
SERIES = _process("runtype_exporter_series", "gauge", "Lines of the exposition, comments left out.")

CATALOGUE: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""Every metric, in the order of the exposition."""

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in CATALOGUE}


def boundaries(latency: tuple[float, ...] = LATENCY_BUCKETS) -> dict[str, tuple[float, ...]]:
    """The ledger's histograms and their boundaries in seconds, record latencies with the configured ones."""
    return {
        metric.name: latency if metric is RECORD_LATENCY else metric.buckets
        for metric in CATALOGUE
        if metric.type == "histogram" and metric.owner == "ledger"
    }
