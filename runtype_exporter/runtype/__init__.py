"""The Runtype API as this exporter reads it.

Typed answers, one tree of errors, and a request budget that is never exceeded.

It must not know what the answers are for: no metric, no ledger, no batch that is being followed.
"""

from runtype_exporter.runtype.budget import Budget, Priority
from runtype_exporter.runtype.client import MAX_SPARKLINES, Client
from runtype_exporter.runtype.errors import (
    ApiError,
    ClientError,
    DecodeError,
    Forbidden,
    NetworkError,
    NotFound,
    OversizedError,
    PagingError,
    RedirectError,
    ServerError,
    Throttled,
    TimedOut,
    Unauthorised,
)
from runtype_exporter.runtype.paging import cursor_walk, next_offset
from runtype_exporter.runtype.responses import (
    BatchCost,
    BatchStatus,
    CursorPagination,
    Day,
    OffsetPagination,
    ResultRow,
    ResultsPage,
    RunRow,
    RunsPage,
    ScheduleRow,
    SchedulesPage,
    Sparkline,
    Sparklines,
    Summary,
    SummaryRow,
    Usage,
    UsageBlock,
)
from runtype_exporter.runtype.timestamps import Unparseable, parse_timestamp

__all__ = [
    "MAX_SPARKLINES",
    "ApiError",
    "BatchCost",
    "BatchStatus",
    "Budget",
    "Client",
    "ClientError",
    "CursorPagination",
    "Day",
    "DecodeError",
    "Forbidden",
    "NetworkError",
    "NotFound",
    "OffsetPagination",
    "OversizedError",
    "PagingError",
    "Priority",
    "RedirectError",
    "ResultRow",
    "ResultsPage",
    "RunRow",
    "RunsPage",
    "ScheduleRow",
    "SchedulesPage",
    "ServerError",
    "Sparkline",
    "Sparklines",
    "Summary",
    "SummaryRow",
    "Throttled",
    "TimedOut",
    "Unauthorised",
    "Unparseable",
    "Usage",
    "UsageBlock",
    "cursor_walk",
    "next_offset",
    "parse_timestamp",
]
