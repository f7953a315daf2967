"""Expressions over the gauges of single batches, and the selectors of the *Batch* dashboard.

Gauges are read through `max`, so that a batch which two exporters show is counted once.
"""

from __future__ import annotations

from tools.dashboards.field_config import FAILED_WORDS, RUNNING_WORDS, WAITING_WORDS
from tools.dashboards.queries import (
    ACCOUNT,
    BATCH,
    FLOW,
    KIND,
    SCHEDULE,
    SUCCESS,
    selector,
    share,
)

SHOWN = (ACCOUNT, SCHEDULE, KIND, FLOW, BATCH)
"""Matchers of the batches shown."""
CHOSEN = (ACCOUNT, SCHEDULE, KIND, FLOW)
"""Matchers of counters, which have no label for the batch."""

RECORDS = "runtype_records_finished_total"
LATENCY = selector("runtype_record_latency_seconds_bucket", *CHOSEN, SUCCESS)
COST = selector("runtype_cost_dollars_total", *CHOSEN)

BATCH_LABELS = "account, schedule, flow, batch"

_OPEN = 'state=~"queued|running"'
_FAILED = f'status=~"{"|".join(FAILED_WORDS)}"'
_FINAL = f'status!~"{"|".join((*WAITING_WORDS, *RUNNING_WORDS))}"'


def records_by_status(by: str, *matchers: str) -> str:
    """Return the records of the batches shown, by status word and other labels."""
    return f"max by ({by}) ({selector('runtype_batch_records', *SHOWN, *matchers)})"


def all_records(by: str) -> str:
    """Return the number of all records of the batches shown."""
    return f"max by ({by}) ({selector('runtype_batch_total_records', *SHOWN)})"


def unfinished_records(by: str) -> str:
    """Return the number of records without a final result yet.

    Never below 0: a record that was retried has more than one final result.
    """
    final = f"sum by ({by}) ({records_by_status(f'status, {by}', _FINAL)})"
    every = all_records(by)
    return f"clamp_min({every} - ({final} or {every} * 0), 0)"


def done_share(by: str) -> str:
    """Return the share of records with a final result."""
    return f"1 - {share(unfinished_records(by), all_records(by))}"


def failed_records(by: str) -> str:
    """Return the number of records whose status is a failure. 0 where there is none."""
    failed = f"sum by ({by}) ({records_by_status(f'status, {by}', _FAILED)})"
    return f"({failed} or {all_records(by)} * 0)"


def open_at_end(by: str) -> str:
    """Return the batches that are open at the end of the time range.

    Lines for all batches that were open within the range would be too many to read.
    """
    return f"max by ({by}) ({selector('runtype_batch_state', *SHOWN, _OPEN)} @ end()) == 1"


def timestamp(name: str) -> str:
    """Return one of the times of each batch, such as `started`."""
    series = selector(f"runtype_batch_{name}_timestamp_seconds", *SHOWN)
    return f"max by ({BATCH_LABELS}) ({series})"


def duration() -> str:
    """Return how long each batch took: until its end or, while it is open, until now.

    The API reports no end for ad-hoc batches. The newest result is taken as their end.
    """
    is_open = f"max by ({BATCH_LABELS}) ({selector('runtype_batch_state', *SHOWN, _OPEN)}) == 1"
    started = timestamp("started")
    so_far = f"(time() - {started} and {is_open})"
    until_last_result = f"{timestamp('last_result')} - {started}"
    return f"({timestamp('completed')} - {started} or {so_far} or {until_last_result})"
