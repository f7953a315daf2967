"""The values that pass between rooms.

Every value is frozen: a room that wants another one makes another one. Times are seconds since the
Unix epoch, durations are seconds. It knows no other module of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

Outcome = Literal["success", "failure", "cancelled", "unknown"]
"""How a result, a batch or a run ended. In `Outcome | None`, None means unfinished.

The one declaration of the outcomes: metrics, state codes, status words and dashboards are derived
from it or checked against it.
"""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

BatchOutcome = Literal["success", "failure", "cancelled", "lost", "unknown"]
BATCH_OUTCOMES: tuple[BatchOutcome, ...] = get_args(BatchOutcome)
Source = Literal["run", "summary", "status"]
"""Where a probe was read: the words and the counting may differ between them, so each is compared
with itself alone."""

LabelValues = tuple[str, ...]
"""A series' label values, in the order in which the catalogue names the metric's labels."""


class BatchRef(NamedTuple):
    """A batch and the account that owns it."""

    account: str
    id: str


class Labels(NamedTuple):
    """The two labels of a batch that freeze at its first count.

    `schedule` is empty for ad-hoc batches.
    """

    schedule: str
    flow: str


class Probe(NamedTuple):
    """What one cheap read tells of a batch.

    Status in folded case; counts are None where the API leaves them out.
    """

    status: str
    total: int | None
    processed: int | None
    failed: int | None


class Result(NamedTuple):
    """One record's result as one page showed it, without any customer data.

    `key` is the API's recordResultId, `record_key` its recordId. `fault` tells why there is no
    trustworthy latency: "missing", "unparseable" or "negative"; it is empty where `created` and
    `finished` are both good or the result is unfinished.
    """

    key: str | None
    record_key: str
    status: str
    outcome: Outcome | None
    created: float | None
    finished: float | None
    fault: str


class Observation(NamedTuple):
    """One value for a histogram, with the ids that its exemplar may carry ("" for none)."""

    value: float
    at: float
    batch: str = ""
    record: str = ""


Series = tuple[str, LabelValues]
"""A metric's name in the catalogue and one set of its label values."""

OVERFLOW = "__overflow__"
"""The `schedule` and `flow` of whatever came when the exposition had no room for another label set.
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one page showed of a walk over a batch's results, rows that this walk met before left out."""

    distinct: int = 0
    unfinished: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    last_finished: float | None = None
    oldest_unfinished: float | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """What is to be added to the totals. An increment of 0 makes the series exist."""

    seen: Seen = field(default_factory=Seen)
    increments: Mapping[Series, float] = field(default_factory=dict)
    observations: Mapping[Series, list[Observation]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The contiguous run of pages from offset 0 whose rows were all final when last read.

    `offset` and `digest` are the last of those pages' own; the other figures speak of all rows
    before `end`.
    """

    offset: int
    end: int
    digest: str
    seen: Seen


@dataclass(frozen=True, slots=True)
class Sweep:
    """A walk over a batch's result pages that is under way: enough to resume it after a crash.

    `before` are the probes as they stood when it began. `again` marks the second walk after one
    that met fewer rows than the API counts.
    """

    number: int
    full: bool
    again: bool
    offset: int
    seen: Seen
    total: int
    pages: int
    before: Mapping[Source, Probe]
    began: float
    growing: bool
    """Whether `prefix` still grows: every page so far was final throughout."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What the last complete walk over a batch's results showed."""

    at: float
    total: int
    seen: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Where a followed batch stands: all that must survive a restart.

    `schedule` is the schedule's id, "" for an ad-hoc batch. `guard`: results final before it are
    remembered, not counted (None: none are). `unclaimed`: how many more reads of the run list must
    not claim a batch of the summary before it passes for ad hoc. `probes` are the readings of the
    last cycle that read any; `swept` what each source read before the last complete sweep. `labels`
    is None until they freeze. `drift` is |total - distinct rows| of the last walk that reached the
    end, `picture` changes only when that walk lacked nothing. `ended` is when the status was first
    seen final, `closed` when following stopped. `run` is the run whose records these are where the
    API gives no batch id: such a batch is the exporter's own, and no read but that of the run's
    results knows it. `cost` in dollars; while `cost_due` it is still to be had, and `failures` and
    `retry_at` speak of that.
    """

    ref: BatchRef
    seen: float
    schedule: str = ""
    run: str = ""
    unclaimed: int = 0
    flow_id: str = ""
    flow_name: str = ""
    labels: Labels | None = None
    created: float | None = None
    started: float | None = None
    completed: float | None = None
    guard: float | None = None
    probes: Mapping[Source, Probe] = field(default_factory=dict)
    swept: Mapping[Source, Probe] | None = None
    sweeps: int = 0
    sweep: Sweep | None = None
    prefix: Prefix | None = None
    picture: Picture | None = None
    drift: int = 0
    ended: float | None = None
    closed: float | None = None
    outcome: BatchOutcome | None = None
    missing_since: float | None = None
    failures: int = 0
    retry_at: float = 0.0
    cost: float | None = None
    cost_due: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A schedule's run as last seen: remembered so that its end is counted once.

    `outcome` is None while unfinished.

    `started` is when its work began (its creation, where the API does not tell), None where it has
    not or never did.
    """

    account: str
    id: str
    schedule: str
    batch: str = ""
    created: float | None = None
    started: float | None = None
    outcome: Outcome | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule as last observed, and which of its starts are still to be judged.

    All that must survive a restart.

    Its due times up to `until` are known: those not judged yet are `due`, in order. `taken` are the
    runs that judged ones took. A one-time schedule has `run_at` alone; `vanished` means that it is
    gone or disabled since it fell due, as it may be once it has run.
    """

    account: str
    id: str
    until: float = 0.0
    listed: bool = True
    enabled: bool = True
    cron: str = ""
    timezone: str = ""
    run_at: float | None = None
    next_run: float | None = None
    due: tuple[float, ...] = ()
    taken: tuple[str, ...] = ()
    vanished: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing of it is left to be remembered."""
        return not self.listed and not self.due


@dataclass(frozen=True, slots=True)
class Horizon:
    """Runs and batches created before `at` that the ledger does not hold are ignored.

    Until `opened`, that is until the account's first whole discovery ended, those still unfinished
    are taken up all the same.
    """

    at: float
    opened: bool
    forgotten: float | None = 0.0
    """The greatest creation time of any row that the ledger has forgotten, in seconds.

    0 while it has forgotten none; None where that is unknown, because format 1 did not keep it.
    """


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What of an account's request budget must survive a restart.

    Tokens left at a moment, and a pause that the API asked for.
    """

    tokens: float
    at: float
    paused_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation that a histogram's bucket points at."""

    labels: Mapping[str, str]
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class HistogramValue:
    """A histogram's state.

    `counts` holds one figure a bucket, not cumulative, the last one above every bound.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float
    exemplars: Mapping[int, Exemplar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One series' value, and when a counter or histogram series began (None for gauges)."""

    value: float | HistogramValue
    created: float | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The series that changed since the snapshot before.

    Metric -> label values -> sample, None where a series ended.
    """

    version: int
    families: Mapping[str, Mapping[LabelValues, Sample | None]]


@dataclass(frozen=True, slots=True)
class BatchView:
    """What the per-batch gauges show of one batch. `name` is the configured name, else the id."""

    ref: BatchRef
    name: str
    labels: Labels
    configured: bool
    open: bool
    state: str
    total: int | None
    processed: int | None
    failed: int | None
    started: float | None
    completed: float | None
    closed: float | None
    picture: Picture | None
    drift: int
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was sent.

    `code` is the HTTP status, or a word for what failed before there was one.
    """

    account: str
    operation: str
    code: str
    seconds: float


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """One account as the status page and readiness see it.

    `up` is None before the first cycle ended.
    """

    name: str
    up: bool | None
    open: int
    waiting: int
    last_poll: float | None
    last_error: str


@dataclass(frozen=True, slots=True)
class Status:
    """What the process is about, for pages.

    `ready`: the ledger is open and every account's first cycle has ended.
    """

    ready: bool
    accounts: tuple[AccountStatus, ...] = ()
