"""The series that several sections of the *Overview* read."""

from __future__ import annotations

from runtype_exporter.rules.outcomes import BAD_RECORDS, JUDGED_RECORDS
from tools.dashboards.queries import (
    ACCOUNT,
    FLOW,
    SCHEDULE,
    SUCCESS,
    selector,
)

_RECORDS = "runtype_records_finished_total"

FINISHED = selector(_RECORDS, ACCOUNT, SCHEDULE, FLOW)
FAILED = selector(_RECORDS, ACCOUNT, SCHEDULE, FLOW, BAD_RECORDS)
COUNTED = selector(_RECORDS, ACCOUNT, SCHEDULE, FLOW, JUDGED_RECORDS)
LATENCY = selector("runtype_record_latency_seconds_bucket", ACCOUNT, SCHEDULE, FLOW, SUCCESS)
COST = selector("runtype_cost_dollars_total", ACCOUNT, SCHEDULE, FLOW)

FIRING_ALERTS = 'alertname=~"Runtype.+", alertstate="firing"'

DEGRADED_SHARE, FAILING_SHARE = 0.01, 0.05
"""The failing share from which on a schedule is degraded, and failing."""
