"""The durable metrics: the ledger keeps them, and they survive restarts."""

from __future__ import annotations

from runtype_exporter.catalogue.metric import (
    DURATION_BUCKETS,
    FLOW_LABELS,
    LAG_BUCKETS,
    LATENCY_BUCKETS,
    TIMESTAMP_FAULTS,
    Metric,
    Values,
)
from runtype_exporter.model import GIVE_UP_REASONS, OUTCOMES, START_RESULTS


def _counter(name: str, help_: str, labels: tuple[str, ...], values: Values = ()) -> Metric:
    return Metric(name, "counter", help_, labels, "ledger", values=values)


def _histogram(
    name: str,
    help_: str,
    labels: tuple[str, ...],
    *,
    buckets: tuple[float, ...],
    values: Values = (),
) -> Metric:
    return Metric(name, "histogram", help_, labels, "ledger", buckets=buckets, values=values)


# --- records ---
RECORDS_FINISHED = _counter(
    "runtype_records_finished_total",
    "Record results that became final, each counted exactly once. A retried record is two results.",
    (*FLOW_LABELS, "outcome"),
    values=(("outcome", OUTCOMES),),
)
RECORDS_ABANDONED = _counter(
    "runtype_records_abandoned_total",
    "Records of ended batches that never became final or never appeared in the results. Cancelled"
    " and given-up batches have none.",
    FLOW_LABELS,
)
UNCOUNTED_RECORDS = _counter(
    "runtype_uncounted_records_total",
    "Records of given-up batches that were not final when last read, or that the API counts and"
    " never showed.",
    FLOW_LABELS,
)
RECORD_LATENCY = _histogram(
    "runtype_record_latency_seconds",
    "Time from createdAt to executedAt"
    " (failedAt for failures) of record results, as they became final.",
    (*FLOW_LABELS, "outcome"),
    buckets=LATENCY_BUCKETS,
    values=(("outcome", OUTCOMES),),
)
RECORD_DETECTION_LAG = _histogram(
    "runtype_record_detection_lag_seconds",
    "Time from a result's end to the moment it was counted here.",
    ("account",),
    buckets=LAG_BUCKETS,
)
RECORD_OUTCOME_CHANGES = _counter(
    "runtype_record_outcome_changes_total",
    "Results that were counted under one outcome"
    " (previous) and counted again under another (outcome).",
    (*FLOW_LABELS, "previous", "outcome"),
    values=(("previous", OUTCOMES), ("outcome", OUTCOMES)),
)
RECORD_INVALID_TIMESTAMPS = _counter(
    "runtype_record_invalid_timestamps_total",
    "Final results without a trustworthy latency: counted as finished, not observed as latency.",
    ("account", "reason"),
    values=(("reason", TIMESTAMP_FAULTS),),
)

# --- batches and runs ---
BATCHES_FINISHED = _counter(
    "runtype_batches_finished_total",
    "Batches closed after their status was final. Given-up batches are not among them.",
    (*FLOW_LABELS, "outcome"),
    values=(("outcome", OUTCOMES),),
)
BATCHES_GIVEN_UP = _counter(
    "runtype_batches_given_up_total",
    "Batches that are no longer followed although no end of them was seen: denied by the API"
    " (lost), their results not readable (unreadable), or without any change (stale).",
    ("account", "reason"),
    values=(("reason", GIVE_UP_REASONS),),
)
BATCH_LATE_CHANGES = _counter(
    "runtype_batch_late_changes_total",
    "Times that the API's counts of a closed batch changed afterwards."
    " Such changes are not swept again.",
    FLOW_LABELS,
)
BATCH_DURATION = _histogram(
    "runtype_batch_duration_seconds",
    "Time from a batch's start to its completion, as batches close.",
    (*FLOW_LABELS, "outcome"),
    buckets=DURATION_BUCKETS,
    values=(("outcome", OUTCOMES),),
)
SCHEDULE_RUNS_FINISHED = _counter(
    "runtype_schedule_runs_finished_total",
    "Schedule runs that ended, agent runs included, each counted exactly once.",
    ("account", "schedule", "outcome"),
    values=(("outcome", OUTCOMES),),
)
SCHEDULE_RUN_DURATION = _histogram(
    "runtype_schedule_run_duration_seconds",
    "Time from a schedule run's start to its completion.",
    ("account", "schedule"),
    buckets=DURATION_BUCKETS,
)
SCHEDULE_RUN_QUEUE = _histogram(
    "runtype_schedule_run_queue_seconds",
    "Time from a schedule run's creation to its start.",
    ("account", "schedule"),
    buckets=DURATION_BUCKETS,
)

SCHEDULE_STARTS = _counter(
    "runtype_schedule_starts_total",
    "Due starts of schedules, judged once each:"
    " on_time, late, missed, failed. Pauses and edits void a due time.",
    ("account", "schedule", "result"),
    values=(("result", START_RESULTS),),
)

# --- cost and objectives ---
COST = _counter(
    "runtype_cost_dollars_total",
    "Total cost of batches, as they close.",
    FLOW_LABELS,
)
SLO_EVENTS = _counter(
    "runtype_slo_events_total",
    "Events of each service level objective, judged good or bad by its own definition."
    " A retried record is two events.",
    ("slo", "account", "schedule", "result"),
    values=(("result", ("good", "bad")),),
)

RETIRED: frozenset[tuple[str, int]] = frozenset()
"""Durable metrics of earlier versions, each with its number of labels. Ledgers may still have
series of them: these stay on disk and are not shown. If you remove or rename a durable metric,
or change its labels, add the old one here. Otherwise the exporter takes every ledger with such a
series for one of a newer version, and refuses it."""
