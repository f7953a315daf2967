"""The API's answers as types with only the fields that the exporter needs.

Customer data has no field here. The types are tolerant where the API is open (unknown keys, unknown
statuses, fields that are null or absent) and strict where a wrong type would corrupt a count.

Fields, types and nullability are as the API documents them. A field that is documented as never
null is required here if a count or an identity depends on it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec

from runtype_exporter.runtype.errors import DecodeError

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A number of records: never negative, and within what JSON numbers hold exactly."""
Dollars = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
"""A cost. More than a million for one batch is an error, and no counter could take it back."""
Amount = Annotated[float, msgspec.Meta(ge=0)]
"""A quantity that is documented as a number, not as a whole one."""
OpaqueId = Annotated[str, msgspec.Meta(min_length=1)]
"""An opaque identity."""
Timestamp = Any
"""Text, null, or anything else that the API sends in its place. `parse_timestamp` checks it later,
so that one bad time does not lose a page."""

AnswerT = TypeVar("AnswerT")


class _Struct(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """A frozen struct that the garbage collector does not track: answers have no cycles."""


class CursorPagination(_Struct, frozen=True):
    """The place of a page in a cursor list."""

    has_more: bool
    next_cursor: str | None = None


class OffsetPagination(_Struct, frozen=True):
    """The place of a page of results. `offset` is None if the API does not repeat it."""

    total: Count
    has_more: bool
    offset: Count | None = None


class ScheduleRow(_Struct, frozen=True):
    """A schedule.

    `trigger_type` is documented as `recurring` or `one_time` elsewhere in the API, here as plain
    text.
    """

    id: OpaqueId
    name: str | None = None
    enabled: bool = True
    trigger_type: str | None = None
    cron: str | None = None
    timezone: str | None = None
    run_at: Timestamp = None
    next_run_at: Timestamp = None
    last_run_at: Timestamp = None
    flow_id: str | None = None
    agent_id: str | None = None


class RunRow(_Struct, frozen=True):
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


class SummaryRow(_Struct, frozen=True):
    """A batch in the summary, which gives neither its flow's id nor its end."""

    id: OpaqueId
    status: str
    flow_name: str | None = None
    started_at: Timestamp = None
    total_records: Count | None = None
    processed_records: Count | None = None
    failed_records: Count | None = None


class ResultRow(_Struct, frozen=True):
    """One record's result. `record_result_id` is documented as nullable."""

    record_id: OpaqueId
    status: str
    record_result_id: OpaqueId | None = None
    created_at: Timestamp = None
    executed_at: Timestamp = None
    failed_at: Timestamp = None
    flow_id: str | None = None
    flow_name: str | None = None


class SchedulesPage(_Struct, frozen=True):
    """One page of `GET /v1/schedules`."""

    data: list[ScheduleRow]
    pagination: CursorPagination


class RunsPage(_Struct, frozen=True):
    """One page of `GET /v1/schedules/runs/all`. Its order is not documented."""

    data: list[RunRow]
    pagination: CursorPagination


class Summary(_Struct, frozen=True):
    """`GET /v1/batch/summary`.

    The batches at work, and some that ended recently (how recently is not documented).
    """

    batches: list[SummaryRow]
    recent: list[SummaryRow]


class BatchStatus(_Struct, frozen=True):
    """`GET /v1/batch/status/{id}`."""

    batch_execution_id: OpaqueId
    status: str
    flow_id: str | None = None
    started_at: Timestamp = None
    completed_at: Timestamp = None
    total_records: Count | None = None
    processed_records: Count | None = None
    failed_records: Count | None = None


class ResultsPage(_Struct, frozen=True):
    """One page of `GET /v1/schedules/batch/{id}/results` or `…/runs/{id}/results`.

    Their order is not documented.
    """

    data: list[ResultRow]
    pagination: OffsetPagination


class BatchCost(_Struct, frozen=True):
    """`GET /v1/batch/{id}/cost`: everything that the batch's records cost, in dollars."""

    total_cost_usd: Dollars


class Day(_Struct, frozen=True):
    """A schedule's runs of one UTC day. How the day is written is not documented."""

    runs: Count
    failed: Count


class Sparkline(_Struct, frozen=True):
    """One schedule's last seven days.

    Whether days without a run are among them is not documented.
    """

    schedule_id: OpaqueId
    last7_days: list[Day] = msgspec.field(name="last7Days")


class Sparklines(_Struct, frozen=True):
    """`GET /v1/schedules/sparklines`."""

    data: list[Sparkline]


class UsageBlock(_Struct, frozen=True):
    """One period of the plan's usage.

    Its fields are documented as required, but nothing is counted by them: any may be absent.
    """

    executions_used: Amount | None = None
    execution_limit: float | None = None
    is_unlimited: bool = False
    in_slow_mode: bool | None = None
    resets_at: Timestamp = None


class Usage(_Struct, frozen=True):
    """`GET /v1/usage-limits/daily`: a daily block, a monthly one, or both, by plan."""

    daily: UsageBlock | None = None
    monthly: UsageBlock | None = None


_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def _replace_lone_surrogates(body: bytes) -> bytes:
    """Replace halves of surrogate pairs, which are left if text is cut inside an emoji.

    They are valid JSON but no Unicode.
    """
    return _ESCAPE.sub(lambda match: rb"\ufffd" if match["lone"] else match[0], body)


class Decoder(Generic[AnswerT]):
    """Decodes one operation's answers."""

    def __init__(self, operation: str, type_: type[AnswerT]) -> None:
        self.operation = operation
        self._decoder = msgspec.json.Decoder(type_)

    def decode(self, body: bytes) -> AnswerT:
        """Return the answer as a value.

        Raises:
            DecodeError: it is not JSON or not of the documented types; the message names the field,
                never a value.
        """
        try:
            try:
                return self._decoder.decode(body)
            except msgspec.ValidationError:
                raise
            except msgspec.DecodeError:
                return self._decoder.decode(_replace_lone_surrogates(body))
        except msgspec.ValidationError as error:
            # msgspec names the expected type and the path there. The types above have no form whose
            # message quotes a value.
            what = f"the answer has another shape than the API documents: {error}"
        except (ValueError, RecursionError) as error:
            # Not the error's own text: the codec's quote bytes of the answer.
            what = (
                f"the answer is not JSON ({type(error).__name__} in {len(body)} bytes); does"
                " something stand between here and the API?"
            )
        raise DecodeError(self.operation, what)


SCHEDULES: Final = Decoder("schedules", SchedulesPage)
RUNS: Final = Decoder("runs", RunsPage)
SUMMARY: Final = Decoder("summary", Summary)
STATUS: Final = Decoder("status", BatchStatus)
RESULTS: Final = Decoder("results", ResultsPage)
RUN_RESULTS: Final = Decoder("run_results", ResultsPage)
COST: Final = Decoder("cost", BatchCost)
SPARKLINES: Final = Decoder("sparklines", Sparklines)
USAGE: Final = Decoder("usage", Usage)
