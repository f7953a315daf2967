"""The API's answers as types with only the fields that the exporter needs.

Customer data has no field here. The types are tolerant where the API is open (unknown keys, unknown
statuses, fields that are null or absent) and strict where a wrong type would corrupt a count.

Fields, types and nullability are as the API documents them. A field that is documented as never
null is required here if a count or an identity depends on it. A row that lacks one is left out of
its page, which names what was wrong with it in `rejected`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from runtype_exporter.runtype.decoding import Decoder, PageDecoder, RowsPage
from runtype_exporter.runtype.fields import (
    Amount,
    Count,
    Dollars,
    OpaqueId,
    Struct,
    Timestamp,
)


class CursorPagination(Struct, frozen=True):
    """The place of a page in a cursor list."""

    has_more: bool
    next_cursor: str | None = None


class OffsetPagination(Struct, frozen=True):
    """The place of a page of results. `offset` is None if the API does not repeat it."""

    total: Count
    has_more: bool
    offset: Count | None = None


class ScheduleRow(Struct, frozen=True):
    """A schedule."""

    id: OpaqueId
    name: str | None = None
    enabled: bool = True
    cron: str | None = None
    timezone: str | None = None
    run_at: Timestamp = None
    next_run_at: Timestamp = None
    last_run_at: Timestamp = None
    agent_id: str | None = None


class RunRow(Struct, frozen=True):
    """One run of a schedule. An agent's run has no batch and no counts: absent is not zero."""

    id: OpaqueId
    schedule_id: OpaqueId
    status: str
    created_at: Timestamp = None
    started_at: Timestamp = None
    completed_at: Timestamp = None
    flow_id: str | None = None
    agent_id: str | None = None
    batch_execution_id: str | None = None
    total_records: Count | None = None
    processed_records: Count | None = None
    failed_records: Count | None = None


class SummaryRow(Struct, frozen=True):
    """A batch in the summary, which gives neither its flow's id nor its end."""

    id: OpaqueId
    status: str
    flow_name: str | None = None
    started_at: Timestamp = None
    total_records: Count | None = None
    processed_records: Count | None = None
    failed_records: Count | None = None


class ResultRow(Struct, frozen=True):
    """One record's result. `record_result_id` is documented as nullable."""

    record_id: OpaqueId
    status: str
    record_result_id: OpaqueId | None = None
    created_at: Timestamp = None
    executed_at: Timestamp = None
    failed_at: Timestamp = None
    flow_id: str | None = None
    flow_name: str | None = None


class SchedulesPage(RowsPage, frozen=True):
    """One page of `GET /v1/schedules`."""

    data: list[ScheduleRow]
    pagination: CursorPagination


class RunsPage(RowsPage, frozen=True):
    """One page of `GET /v1/schedules/runs/all`. Its order is not documented."""

    data: list[RunRow]
    pagination: CursorPagination


class Summary(RowsPage, frozen=True):
    """`GET /v1/batch/summary`.

    The batches at work, and some that ended recently. How many of each is not documented.
    """

    batches: list[SummaryRow]
    recent: list[SummaryRow]


class BatchStatus(Struct, frozen=True):
    """`GET /v1/batch/status/{id}`."""

    batch_execution_id: OpaqueId
    status: str
    flow_id: str | None = None
    started_at: Timestamp = None
    completed_at: Timestamp = None
    total_records: Count | None = None
    processed_records: Count | None = None
    failed_records: Count | None = None


class ResultsPage(RowsPage, frozen=True):
    """One page of `GET /v1/schedules/batch/{id}/results` or `…/runs/{id}/results`.

    Their order is not documented.
    """

    data: list[ResultRow]
    pagination: OffsetPagination


class BatchCost(Struct, frozen=True):
    """`GET /v1/batch/{id}/cost`: everything that the batch's records cost, in dollars."""

    total_cost_usd: Dollars


class Day(Struct, frozen=True):
    """A schedule's runs of one UTC day. How the day is written is not documented."""

    runs: Count
    failed: Count


class Sparkline(Struct, frozen=True):
    """One schedule's last seven days.

    Whether days without a run are among them is not documented.
    """

    schedule_id: OpaqueId
    last7_days: list[Day] = msgspec.field(name="last7Days", default_factory=list)


class Sparklines(RowsPage, frozen=True):
    """`GET /v1/schedules/sparklines`."""

    data: list[Sparkline]


class UsageBlock(Struct, frozen=True):
    """One period of the plan's usage.

    Its fields are documented as required, but nothing is counted by them: any may be absent.
    """

    executions_used: Amount | None = None
    execution_limit: float | None = None
    is_unlimited: bool = False
    in_slow_mode: bool | None = None
    resets_at: Timestamp = None


class Usage(Struct, frozen=True):
    """`GET /v1/usage-limits/daily`: a daily block, a monthly one, or both, by plan."""

    daily: UsageBlock | None = None
    monthly: UsageBlock | None = None


SCHEDULES: Final = PageDecoder("schedules", SchedulesPage)
RUNS: Final = PageDecoder("runs", RunsPage)
SUMMARY: Final = PageDecoder("summary", Summary)
STATUS: Final = Decoder("status", BatchStatus)
RESULTS: Final = PageDecoder("results", ResultsPage)
RUN_RESULTS: Final = PageDecoder("run_results", ResultsPage)
# A counter cannot take back a cost, and usage is a quantity: their numbers must be numbers.
COST: Final = Decoder("cost", BatchCost, strict=True)
SPARKLINES: Final = PageDecoder("sparklines", Sparklines)
USAGE: Final = Decoder("usage", Usage, strict=True)
