"""Gauges of batches, schedules and usage, set from the last complete read."""

from __future__ import annotations

from runtype_exporter.catalogue.metric import (
    BATCH_LABELS,
    FLOW_LABELS,
    USAGE_PERIODS,
    Metric,
    Values,
)
from runtype_exporter.model import BATCH_STATES


def _gauge(name: str, help_: str, labels: tuple[str, ...], values: Values = ()) -> Metric:
    return Metric(name, "gauge", help_, labels, "snapshot", values=values)


# --- batches ---
BATCH_RECORDS = _gauge(
    "runtype_batch_records",
    "Records of a batch by status word after the last complete sweep."
    " Words beyond the cap are pooled as other.",
    (*BATCH_LABELS, "status"),
)
BATCH_TOTAL = _gauge(
    "runtype_batch_total_records", "The API's own count of a batch's records.", BATCH_LABELS
)
BATCH_PROCESSED = _gauge(
    "runtype_batch_processed_records",
    "The API's own count of a batch's processed records."
    " Whether it includes failed ones is not documented.",
    BATCH_LABELS,
)
BATCH_FAILED = _gauge(
    "runtype_batch_failed_records", "The API's own count of a batch's failed records.", BATCH_LABELS
)
BATCH_STATE = _gauge(
    "runtype_batch_state",
    "1 for the present state of an open or configured batch, 0 for the others.",
    (*BATCH_LABELS, "state"),
    values=(("state", BATCH_STATES),),
)
BATCH_STARTED = _gauge(
    "runtype_batch_started_timestamp_seconds", "When a batch started.", BATCH_LABELS
)
BATCH_COMPLETED = _gauge(
    "runtype_batch_completed_timestamp_seconds", "When a batch completed.", BATCH_LABELS
)
BATCH_LAST_RESULT = _gauge(
    "runtype_batch_last_result_timestamp_seconds",
    "When the newest final result of a batch ended.",
    BATCH_LABELS,
)
BATCH_OLDEST_UNFINISHED = _gauge(
    "runtype_batch_oldest_unfinished_timestamp_seconds",
    "When the oldest unfinished record of a batch was created; absent where none is unfinished.",
    BATCH_LABELS,
)
BATCH_LAST_SWEEP = _gauge(
    "runtype_batch_last_sweep_timestamp_seconds",
    "When a batch's last complete sweep ended.",
    BATCH_LABELS,
)
BATCH_FOUND = _gauge(
    "runtype_batch_found",
    "Configured batches: 1, or 0 where the API answers that it does not exist.",
    ("account", "batch"),
)
BATCH_COST = _gauge(
    "runtype_batch_cost_dollars", "The API's own total cost of a closed batch.", BATCH_LABELS
)
BATCHES_OPEN = _gauge("runtype_batches_open", "Batches being followed.", FLOW_LABELS)
RECONCILIATION_DRIFT = _gauge(
    "runtype_reconciliation_drift_records",
    "Sum of the absolute differences between the API's total and"
    " the distinct rows of each batch's last walk to the end.",
    ("account", "schedule"),
)

# --- schedules and usage ---
SCHEDULE_INFO = _gauge(
    "runtype_schedule_info",
    "1, labelled with a schedule's id, cron expression,"
    " time zone and what it runs (target: flow or agent).",
    ("account", "schedule", "schedule_id", "cron", "timezone", "target"),
)
SCHEDULE_ENABLED = _gauge(
    "runtype_schedule_enabled",
    "1 if a schedule is enabled, 0 if it is paused.",
    ("account", "schedule"),
)
SCHEDULE_LAST_RUN = _gauge(
    "runtype_schedule_last_run_timestamp_seconds",
    "When a schedule last ran, by the API.",
    ("account", "schedule"),
)
SCHEDULE_NEXT_RUN = _gauge(
    "runtype_schedule_next_run_timestamp_seconds",
    "When a schedule runs next, by the API.",
    ("account", "schedule"),
)
SCHEDULE_RECENT_RUNS = _gauge(
    "runtype_schedule_recent_runs",
    "The API's own count of a schedule's runs over its last seven UTC days.",
    ("account", "schedule"),
)
SCHEDULE_RECENT_FAILED_RUNS = _gauge(
    "runtype_schedule_recent_failed_runs",
    "The API's own count of a schedule's failed runs over its last seven UTC days.",
    ("account", "schedule"),
)
USAGE_EXECUTIONS = _gauge(
    "runtype_usage_executions",
    "Executions that the plan's period has used.",
    ("account", "period"),
    values=(("period", USAGE_PERIODS),),
)
USAGE_LIMIT = _gauge(
    "runtype_usage_execution_limit",
    "Executions that the plan's period allows; absent where it is unlimited.",
    ("account", "period"),
    values=(("period", USAGE_PERIODS),),
)
USAGE_SLOW_MODE = _gauge(
    "runtype_usage_slow_mode",
    "1 if the account is in slow mode.",
    ("account", "period"),
    values=(("period", USAGE_PERIODS),),
)
USAGE_RESETS = _gauge(
    "runtype_usage_resets_timestamp_seconds",
    "When the plan's period resets.",
    ("account", "period"),
    values=(("period", USAGE_PERIODS),),
)
