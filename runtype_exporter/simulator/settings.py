"""What a simulated account is made of: schedules, the fate of records, prices, API details.

These are plain values. Where the real API is undocumented, `Api` makes the guess an option.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType
from typing import Literal, NamedTuple

MARKER = "CUSTOMER-SECRET"
"""Part of every text that would be customer data in a real account.

Found anywhere else, it shows a leak.
"""

SimulatedOutcome = Literal["success", "failure", "cancelled"]
SimulatedState = Literal["pending", "running", "success", "failure", "cancelled"]
ScheduleKind = Literal["flow", "agent", "inline", "agent_batch"]
"""What a schedule starts: a batch of a flow, an agent (no batch, no counts), records in a run
without a batch id, or an agent with a batch of its records."""
CancelledRest = Literal["cancelled", "pending", "absent"]
"""What becomes of the records of a cancelled batch that did not begin: their rows are final, stay
pending forever, or never exist."""
StartFaultKind = Literal["late", "missed", "failed"]
"""How a start goes wrong: its run is created late, is never created, or is created and fails at
once, without a batch."""


class RecordAttempt(NamedTuple):
    """One result of one record, pending from `created`, running from `started`, then final.

    `finished` is inf for a stuck result, which never becomes final. Times are in seconds: since the
    epoch in a `Work`, since the time of the batch in a `RecordPlan`. `open_word` and `final_word`
    replace the API's usual status words while it works and after its end ("paused",
    "interrupted").
    """

    created: float
    started: float
    finished: float
    outcome: SimulatedOutcome = "success"
    open_word: str = ""
    final_word: str = ""


class RecordPlan(NamedTuple):
    """One scripted record. Times are in seconds since the time of its batch.

    `retries` are further results, each with a new result id. The words are those of its first
    attempt.
    """

    created: float = 0.0
    started: float = 0.0
    finished: float = 1.0
    outcome: SimulatedOutcome = "success"
    retries: tuple[RecordAttempt, ...] = ()
    open_word: str = ""
    final_word: str = ""

    @property
    def attempts(self) -> tuple[RecordAttempt, ...]:
        """The first attempt and the retries."""
        first = RecordAttempt(
            self.created,
            self.started,
            self.finished,
            self.outcome,
            self.open_word,
            self.final_word,
        )
        return (first, *self.retries)


@dataclass(frozen=True, slots=True)
class Burst:
    """A window with its own share of failures: `length` seconds from `first`.

    It comes again every `every` seconds (0: only once).
    """

    first: float
    length: float
    share: float
    every: float = 0.0

    def covers(self, at: float) -> bool:
        """Return True if the window is open at this moment."""
        since = at - self.first
        if self.every > 0 and since >= 0:
            since %= self.every
        return 0 <= since < self.length


class StartFault(NamedTuple):
    """How one start goes wrong.

    Its run is created `delay` seconds after its due time (0: as long after it as usual).
    """

    kind: StartFaultKind
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """How long records take and how they end. Times are in seconds, shares are between 0 and 1.

    A retry adds a new result to a failed record. With `late_retries` it may begin after its batch
    has ended. With `as_created` a record appears shortly before its work begins; otherwise all
    appear with the batch. `late_share`, `missed_share` and `failed_start_share` are shares of a
    schedule's starts; a late start is late by about `late_by`.
    """

    latency: float = 4.0
    latency_sigma: float = 0.6
    concurrency: int = 10
    failure_share: float = 0.01
    bursts: tuple[Burst, ...] = ()
    slow_share: float = 0.01
    slow_factor: float = 12.0
    stuck_share: float = 0.0
    stuck_holds_batch: bool = False
    cancelled_share: float = 0.0
    cancelled_batches: float = 0.0
    retry_share: float = 0.0
    retry_limit: int = 1
    retry_delay: float = 20.0
    late_retries: bool = False
    as_created: bool = False
    delay: float = 2.0
    queue: float = 3.0
    late_share: float = 0.0
    late_by: float = 1200.0
    missed_share: float = 0.0
    failed_start_share: float = 0.0

    def failure_at(self, at: float) -> float:
        """Return the share of failures among the records that begin at this moment."""
        return next((burst.share for burst in self.bursts if burst.covers(at)), self.failure_share)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpec:
    """A schedule. `key` identifies it in tests and seeds its id, as `name` may be null.

    Without `cron` and `run_at` it only fires by run-now. `records` is the number of records of a
    run, or the bounds between which it is drawn for each run.
    """

    key: str
    name: str | None = None
    flow: str = "enrich"
    kind: ScheduleKind = "flow"
    cron: str | None = None
    run_at: float | None = None
    timezone: str = "UTC"
    enabled: bool = True
    records: int | tuple[int, int] = (20, 60)
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdhocSpec:
    """A user who submits batches outside any schedule, at the due times of a cron expression.

    The first due time is after `since` (None: the world's start).
    """

    key: str
    flow: str = "adhoc import"
    cron: str = "17 */3 * * *"
    since: float | None = None
    records: int | tuple[int, int] = (5, 80)
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(frozen=True, slots=True)
class Price:
    """What a flow's records cost: dollars for each attempt, log-normal about the median.

    A share of the batches, `spike_share`, costs `spike_factor` times as much.
    """

    median: float = 0.004
    sigma: float = 0.5
    spike_share: float = 0.0
    spike_factor: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """The account's plan. Limits are in executions.

    A limit of None leaves its block out of the answer; if both are None the plan is unlimited.
    Beyond its limit an account pays for more, or becomes slow with `slow_mode`. A month of the plan
    has 30 days; the first one ends `renews` seconds after the world's start, and `used` of its
    executions came before that start. `schedules` is how many schedules may be enabled.
    """

    tier: str = "growth"
    daily: int | None = None
    monthly: int | None = 60_000
    slow_mode: bool = False
    renews: float = 30 * 86400.0
    used: int = 0
    schedules: int | None = None


RECORD_WORDS: Mapping[SimulatedState, str] = MappingProxyType(
    {
        "pending": "pending",
        "running": "running",
        "success": "completed",
        "failure": "failed",
        "cancelled": "cancelled",
    }
)
BATCH_WORDS: Mapping[SimulatedState, str] = MappingProxyType({**RECORD_WORDS, "pending": "queued"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """How the API answers where its documentation says nothing.

    - retry_rows: the result of a retry is added to the failed one, or replaces it.
    - result_ids: recordResultId is always set, null until final, or always null.
    - flush: the counts of a running batch move in steps of this many ended records.
    - recent_window (seconds), recent_limit: the bounds of the summary's `recent`.
    - active_limit: the summary lists at most so many active batches; its count has all.
    - offset_cursors: new runs shift the pages of the run list.
    - payload: the size of each `result` in bytes.
    - empty_days: the seven-day history includes days without runs.
    """

    record_words: Mapping[SimulatedState, str] = field(default_factory=lambda: RECORD_WORDS)
    batch_words: Mapping[SimulatedState, str] = field(default_factory=lambda: BATCH_WORDS)
    run_words: Mapping[SimulatedState, str] = field(default_factory=lambda: BATCH_WORDS)
    retry_rows: Literal["appended", "replaced"] = "appended"
    result_ids: Literal["always", "when_final", "never"] = "always"
    results_order: Literal["oldest", "newest", "updated"] = "oldest"
    runs_order: Literal["newest", "oldest", "shuffled"] = "newest"
    processed_includes_failed: bool = True
    flush: int = 1
    recent_window: float = 600.0
    recent_limit: int = 50
    active_limit: int | None = None
    page_cap: int = 100
    default_limit: int = 50
    offset_cursors: bool = False
    run_results_paged: bool = True
    retry_after: Literal["seconds", "date"] = "seconds"
    payload: int = 0
    empty_days: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """A whole account. Schedules fire from `start` until before `stop` (seconds since the epoch).

    `prices` are by the flow's name; other flows have the default price.
    """

    start: float
    stop: float = inf
    schedules: tuple[ScheduleSpec, ...] = ()
    adhoc: tuple[AdhocSpec, ...] = ()
    api: Api = field(default_factory=Api)
    prices: Mapping[str, Price] = field(default_factory=dict)
    subscription: Subscription = field(default_factory=Subscription)

    def __post_init__(self) -> None:
        specs: list[ScheduleSpec | AdhocSpec] = [*self.schedules, *self.adhoc]
        if self.api.result_ids == "never" and any(spec.traffic.retry_share for spec in specs):
            raise ValueError(
                "retries without result ids cannot be told apart: use result_ids='when_final' or"
                " retry_share=0"
            )
        if len({spec.key for spec in specs}) < len(specs):
            raise ValueError("each schedule and ad-hoc source needs a key of its own")
