"""The values that pass between packages.

Every value is frozen. Times are seconds since the Unix epoch, durations are seconds. The ledger's
file does not depend on the names here: `ledger.codec` has the key under which each is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

Outcome = Literal["success", "failure", "cancelled", "unknown"]
"""How a result, a batch or a run ended. In `Outcome | None`, None means unfinished.

The only declaration: metrics, state codes, status words and dashboards are derived from it.
"""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

GiveUpReason = Literal["lost", "unreadable", "stale"]
"""Why a batch was given up: answered with 404, not readable otherwise, or unchanged for long."""
GIVE_UP_REASONS: tuple[GiveUpReason, ...] = get_args(GiveUpReason)

BatchOutcome = Outcome | GiveUpReason
BATCH_OUTCOMES: tuple[BatchOutcome, ...] = (*OUTCOMES, *GIVE_UP_REASONS)

BatchState = Literal["queued", "running", "completed", "failed", "cancelled", "unknown"]
"""The state of a batch, as its gauges show it."""
BATCH_STATES: tuple[BatchState, ...] = get_args(BatchState)

StartResult = Literal["on_time", "late", "missed", "failed"]
"""How a due start of a schedule went."""
START_RESULTS: tuple[StartResult, ...] = get_args(StartResult)

Source = Literal["run", "summary", "status"]
"""Where a probe was read. Words and counts may differ between sources, so a probe is compared only
with an earlier one of the same source."""

TimeSource = Literal["date", "local", "unknown"]
"""Where API time comes from: `Date` headers, the local clock, or "unknown" (no answer yet)."""
TIME_SOURCES: tuple[TimeSource, ...] = get_args(TimeSource)

RunOrder = Literal["unknown", "new-first", "old-first", "none"]
"""The order of the run list by creation time, as a walk over it showed."""

LabelValues = tuple[str, ...]
"""The label values of a series, in the order in which the catalogue names the metric's labels."""

Series = tuple[str, LabelValues]
"""A metric's name in the catalogue and one set of its label values."""

PAUSED = "paused"
"""The status word of a record that waits for a person, maybe for days."""
OVERFLOW = "__overflow__"
"""The `schedule` and `flow` labels of everything beyond `metrics.max_series`."""


class BatchRef(NamedTuple):
    """A batch and the account that owns it."""

    account: str
    id: str


class Labels(NamedTuple):
    """The labels of a batch, which freeze at its first count. `schedule` is "" if it is ad hoc."""

    schedule: str
    flow: str


class Probe(NamedTuple):
    """The status (in folded case) and the counts of a batch, as one cheap read shows them.

    A count is None where the API leaves it out.
    """

    status: str
    total: int | None
    processed: int | None
    failed: int | None


class Result(NamedTuple):
    """One record's result as one page showed it, without any customer data.

    `key` is the API's recordResultId, `record_key` its recordId. `fault` is why there is no
    trustworthy latency, one of `catalogue.TIMESTAMP_FAULTS`. It is "" if `created` and `finished`
    are both good, or if the result is unfinished. If it is "implausible", no time is believed.
    """

    key: str | None
    record_key: str
    status: str
    outcome: Outcome | None
    created: float | None
    finished: float | None
    fault: str


class Observation(NamedTuple):
    """One value for a histogram, with the ids that its exemplar may have ("" for none)."""

    value: float
    at: float
    batch: str = ""
    record: str = ""


@dataclass(frozen=True, slots=True)
class SweepTally:
    """The figures of the rows that one page, or all pages so far, added to a sweep.

    A row that the sweep has read before is not counted again.
    """

    distinct: int = 0
    unfinished: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    last_finished: float | None = None
    oldest_unfinished: float | None = None
    paused: int = 0
    """The unfinished rows whose status word is "paused"."""


@dataclass(frozen=True, slots=True)
class Delta:
    """The increase of the totals. An increment of 0 makes the series exist."""

    tally: SweepTally = field(default_factory=SweepTally)
    increments: Mapping[Series, float] = field(default_factory=dict)
    observations: Mapping[Series, list[Observation]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FinalPrefix:
    """The pages from row 0 on whose rows were all final when they were last read.

    `offset` and `digest` belong to the last of these pages, `tally` to all rows before `end`.
    """

    offset: int
    end: int
    digest: str
    tally: SweepTally


@dataclass(frozen=True, slots=True)
class Sweep:
    """A running sweep of a batch: enough to resume it after a crash."""

    number: int
    full: bool
    """Whether it reads every row. If not, it began at the last page of the final prefix."""
    is_retry: bool
    """Whether the sweep before it found fewer rows than the API counts."""
    offset: int
    tally: SweepTally
    total: int
    pages: int
    probes_at_start: Mapping[Source, Probe]
    began: float
    prefix_grows: bool
    """Whether every row so far was final. Then the final prefix still grows."""


@dataclass(frozen=True, slots=True)
class SweepSnapshot:
    """The figures of the last complete sweep of a batch."""

    at: float
    total: int
    tally: SweepTally


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The state of a batch that is or was followed, as far as it must survive a restart."""

    ref: BatchRef
    first_seen: float
    schedule: str = ""
    """The schedule's id, "" for an ad-hoc batch."""
    run: str = ""
    """The run whose results these are, if the API gives it no batch id: the batch is made up."""
    claims_left: int = 0
    """The reads of the run list in which a run may still claim a batch of the summary. At 0 the
    batch is ad hoc."""
    flow_id: str = ""
    flow_name: str = ""
    labels: Labels | None = None
    """None until they freeze."""
    created: float | None = None
    started: float | None = None
    completed: float | None = None
    count_from: float | None = None
    """The guard: results that were final before it are remembered, not counted. None: all count."""
    probes: Mapping[Source, Probe] = field(default_factory=dict)
    """The probes of the last cycle that read any."""
    probes_at_last_sweep: Mapping[Source, Probe] | None = None
    """Each source's probe before the last complete sweep; None before the first one."""
    sweeps: int = 0
    sweep: Sweep | None = None
    prefix: FinalPrefix | None = None
    snapshot: SweepSnapshot | None = None
    drift: int = 0
    """The difference between total and distinct rows of the last sweep that reached the end."""
    ended: float | None = None
    """The first moment at which every source called the status final."""
    closed: float | None = None
    outcome: BatchOutcome | None = None
    changed: float = 0.0
    """When a probe, a total or a row count last changed; 0 if that is unknown."""
    missing_since: float | None = None
    """Since when the API has answered 404, None if it does not."""
    missing_for: float = 0.0
    """How much of that time other reads of the account were answered."""
    unreadable_since: float | None = None
    """Since when its reads have failed otherwise, None if they do not."""
    unreadable_for: float = 0.0
    """How much of that time the same read of other batches was answered."""
    run_ended_since: float | None = None
    """Since when its run is final, None if it is not."""
    reread_at: float = 0.0
    """When it was last read again after it was given up, 0 if never."""
    page_size: int = 0
    """The rows of a page that could be read, 0 for the configured number."""
    cost: float | None = None
    """In dollars, None until it is known."""
    cost_due: bool = False
    """Whether the cost is still to be read."""

    @property
    def given_up(self) -> bool:
        """Whether it was closed without an end that the API showed."""
        return self.closed is not None and self.outcome in GIVE_UP_REASONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of a schedule as last read, stored so that its end is counted once.

    `outcome` is None while it is unfinished. `started` is when its work began, None if it has not
    begun or never did. It is the creation time if the API gives no other.
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
    """A schedule as last read, and its due times that are not judged yet.

    All due times up to `until` are known. `due` are those that are not judged, in order. `taken`
    are the runs that belong to judged ones. A one-time schedule has `run_at` and no `cron`. It is
    `vanished` if it was deleted or disabled after it fell due: the API may do so once it has run.
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
        """Whether nothing of it must be stored."""
        return not self.listed and not self.due


@dataclass(frozen=True, slots=True)
class Horizon:
    """The moment before which runs and batches that the ledger does not store are ignored.

    Until the account's first complete discovery has ended, unfinished ones are followed as well.
    """

    at: float
    first_discovery_done: bool
    forgotten: float | None = 0.0
    """The newest creation time of a forgotten row. 0: none. None: format 1 did not store it."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What an account has learned about the API, so that no restart must learn it again."""

    run_order: RunOrder = "unknown"
    page_sizes: Mapping[str, int] = field(default_factory=dict)
    """The rows of a page of a list that could be read, by read."""
    forbidden: Mapping[str, float] = field(default_factory=dict)
    """Until when a collector is taken for forbidden, by collector."""
    unknown_schedules: frozenset[str] = frozenset()
    """Schedules that runs name and the list of schedules does not have."""
    sources: Mapping[str, float] = field(default_factory=dict)
    """The horizon of each source of batches that was switched on later than the account."""
    absent: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    """Schedules that the list no longer has: since when, and in how many reads of it."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation that a histogram's bucket refers to."""

    labels: Mapping[str, str]
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class HistogramValue:
    """A histogram: `counts` has the observations of each bucket, the last one above all bounds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float
    exemplars: Mapping[int, Exemplar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of one series, and when a counter or histogram began (None for gauges)."""

    value: float | HistogramValue
    created: float | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The series that changed since the last snapshot.

    `families` has the samples by metric and label values. A series that ended has None.
    """

    version: int
    families: Mapping[str, Mapping[LabelValues, Sample | None]]
