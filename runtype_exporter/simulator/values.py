"""What a simulated account is made of.

Who fires when, how records fare, and how the API speaks of it.

These are plain settings; nothing here draws, remembers or serves. Where the real API is
undocumented, `Api` makes the guess an option.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType
from typing import Literal, NamedTuple

MARKER = "CUSTOMER-SECRET"
"""Stands in every text that would be customer data in a real account: whoever finds it elsewhere
has found a leak."""

Outcome = Literal["success", "failure", "cancelled"]
State = Literal["pending", "running", "success", "failure", "cancelled"]
Kind = Literal["flow", "agent", "inline"]
"""What a schedule starts: a batch of a flow, an agent (no batch, no counts), or records in a run
without a batch id."""
Trouble = Literal["late", "missed", "failed"]
"""What can befall a start that is due: its run is made late, is never made, or is made and fails at
once, without a batch."""


class Attempt(NamedTuple):
    """One result of one record, in seconds.

    Since the epoch in a plan of work, since the batch's own time in a script.

    It is pending from `created`, running from `started` and final from `finished` on (inf: stuck,
    never final).
    """

    created: float
    started: float
    finished: float
    outcome: Outcome = "success"


class RecordPlan(NamedTuple):
    """One record scripted exactly, in seconds since its batch's time.

    `retries` are further results, each with a new result id.
    """

    created: float = 0.0
    started: float = 0.0
    finished: float = 1.0
    outcome: Outcome = "success"
    retries: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Burst:
    """A window with its own share of failures.

    `length` seconds from `first`, again each `every` seconds (0: once).
    """

    first: float
    length: float
    share: float
    every: float = 0.0

    def covers(self, at: float) -> bool:
        """Whether the window is open at this moment."""
        since = at - self.first
        if self.every > 0 and since >= 0:
            since %= self.every
        return 0 <= since < self.length


class Hiccup(NamedTuple):
    """What befalls one start.

    `delay` is how many seconds after its due time its run is made (0: as long as usual).
    """

    trouble: Trouble
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """How records fare. Times are seconds; shares lie between 0 and 1.

    A retry makes a new result of a failed record; `late_retries` lets it begin after its batch has
    ended. `as_created` lets a record appear shortly before its work begins, else all appear with
    the batch. `late_share`, `missed_share` and `failed_start_share` are shares of a schedule's
    starts; a late one is late by about `late_by`.
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
        """The share of failures among the records that begin at this moment."""
        return next((burst.share for burst in self.bursts if burst.covers(at)), self.failure_share)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpec:
    """A schedule.

    `key` tells schedules apart where `name` is null, and seeds the id. Neither `cron` nor `run_at`:
    fires by run-now alone.

    `records` is how many records a run takes, or the bounds between which each run draws.
    """

    key: str
    name: str | None = None
    flow: str = "enrich"
    kind: Kind = "flow"
    cron: str | None = None
    run_at: float | None = None
    timezone: str = "UTC"
    enabled: bool = True
    records: int | tuple[int, int] = (20, 60)
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdhocSpec:
    """Somebody who submits batches outside any schedule, at the due times of a cron expression from `since` (the world's start) on."""

    key: str
    flow: str = "adhoc import"
    cron: str = "17 */3 * * *"
    since: float | None = None
    records: int | tuple[int, int] = (5, 80)
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(frozen=True, slots=True)
class Price:
    """What a flow's records cost.

    Dollars each time one is tried, log-normal about the median; some batches cost `spike_factor` as
    much.
    """

    median: float = 0.004
    sigma: float = 0.5
    spike_share: float = 0.0
    spike_factor: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What the account has paid for.

    Limits are executions, None leaves a block out of the answer; both None: unlimited.

    Beyond its limit an account is billed on, or goes slow where `slow_mode` says so. Months of the
    plan last 30 days, the first one ends `renews` seconds after the world's start; `used`
    executions of it came before that start. `schedules` is how many may be enabled.
    """

    tier: str = "growth"
    daily: int | None = None
    monthly: int | None = 60_000
    slow_mode: bool = False
    renews: float = 30 * 86400.0
    used: int = 0
    schedules: int | None = None


RECORD_WORDS: Mapping[State, str] = MappingProxyType(
    {
        "pending": "pending",
        "running": "running",
        "success": "completed",
        "failure": "failed",
        "cancelled": "cancelled",
    }
)
BATCH_WORDS: Mapping[State, str] = MappingProxyType({**RECORD_WORDS, "pending": "queued"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """How the API answers where its documentation is silent.

    Status words, order, counting, page sizes, null ids.

    `retry_rows`: a retry's result stands beside the failed one, or in its place. `result_ids`:
    recordResultId is always set, null until final, or always null. `flush` is the number of ended
    records by which the counts of a running batch move. `recent_window` (seconds) and
    `recent_limit` bound the summary's `recent`. `offset_cursors` lets new runs shift the pages of a
    walk. `payload` is the size of each `result` in bytes. `empty_days` lets the seven-day history
    name days without runs.
    """

    record_words: Mapping[State, str] = field(default_factory=lambda: RECORD_WORDS)
    batch_words: Mapping[State, str] = field(default_factory=lambda: BATCH_WORDS)
    run_words: Mapping[State, str] = field(default_factory=lambda: BATCH_WORDS)
    retry_rows: Literal["appended", "replaced"] = "appended"
    result_ids: Literal["always", "when_final", "never"] = "always"
    results_order: Literal["oldest", "newest", "updated"] = "oldest"
    runs_order: Literal["newest", "oldest", "shuffled"] = "newest"
    processed_includes_failed: bool = True
    flush: int = 1
    recent_window: float = 600.0
    recent_limit: int = 50
    page_cap: int = 100
    default_limit: int = 50
    offset_cursors: bool = False
    run_results_paged: bool = True
    retry_after: Literal["seconds", "date"] = "seconds"
    payload: int = 0
    empty_days: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """A whole account.

    Schedules fire from `start` on and no more from `stop` on (seconds since the epoch).

    `prices` are by the flow's name; a flow without one has the default.
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
