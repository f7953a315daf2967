"""The Runtype API as this exporter reads it: typed answers, one tree of errors, and a request budget that is never exceeded.

It must not know what the answers are for: no metric, no ledger, no batch that is being followed.
"""

from runtype_exporter.runtype.budget import Budget, Priority
from runtype_exporter.runtype.client import Client
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
    BatchStatus,
    CursorPagination,
    OffsetPagination,
    ResultRow,
    ResultsPage,
    RunRow,
    RunsPage,
    ScheduleRow,
    SchedulesPage,
    Summary,
    SummaryRow,
)
from runtype_exporter.runtype.timestamps import Unparseable, parse_timestamp

__all__ = [
    "ApiError",
    "BatchStatus",
    "Budget",
    "Client",
    "ClientError",
    "CursorPagination",
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
    "Summary",
    "SummaryRow",
    "Throttled",
    "TimedOut",
    "Unauthorised",
    "Unparseable",
    "cursor_walk",
    "next_offset",
    "parse_timestamp",
]
