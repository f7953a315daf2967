"""The values that pass between packages.

Every value is frozen. Times are seconds since the Unix epoch, durations are seconds. The ledger's
file does not depend on the names here: `ledger.codec` says under which key each is stored.
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

BatchState = Literal["queued", "running", "completed", "failed", "cancelled", "unknown"]
"""The state of a batch, as its gauges show it."""
BATCH_STATES: tuple[BatchState, ...] = get_args(BatchState)

StartResult = Literal["on_time", "late", "missed", "failed"]
"""How a due start of a schedule went."""
START_RESULTS: tuple[StartResult, ...] = get_args(StartResult)

Source = Literal["run", "summary", "status"]
"""Where a probe was read. Words and counts may differ between sources, so a probe is compared only
with an earlier one of the same source."""

LabelValues = tuple[str, ...]
"""The label values of a series, in the order in which the catalogue names the metric's labels."""

Series = tuple[str, LabelValues]
"""A metric's name in the catalogue and one set of its label values."""

OVERFLOW = "__overflow__"
"""The `schedule` and `flow` labels of everything that is beyond `metrics.max_series`."""


class BatchRef(NamedTuple):
    """A batch and the account that owns it."""

    account: str
    id: str


class Labels(NamedTuple):
    """The two labels of a batch that freeze at its first count; `schedule` is "" if it is ad hoc."""

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

    `key` is the API's recordResultId, `record_key` its recordId. `fault` says why there is no
    trustworthy latency: "missing", "unparseable" or "negative"; it is "" where `created` and
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


@dataclass(frozen=True, slots=True)
class Delta:
    """What is added to the totals. An increment of 0 makes the series exist."""

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
    """A running read of a batch's result pages: enough to resume it after a crash."""

    number: int
    full: bool
    """Whether it reads every row; else it began at the final prefix."""
    is_retry: bool
    """Whether it is the second one in a row, after one that found fewer rows than the API counts."""
    offset: int
    tally: SweepTally
    total: int
    pages: int
    probes_at_start: Mapping[Source, Probe]
    began: float
    prefix_grows: bool
    """Whether every row so far was final, so that the final prefix still grows."""


@dataclass(frozen=True, slots=True)
class SweepSnapshot:
    """The figures of the last sweep of a batch that lacked nothing."""

    at: float
    total: int
    tally: SweepTally


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The state of a batch that is or was followed: all that must survive a restart."""

    ref: BatchRef
    first_seen: float
    schedule: str = ""
    """The schedule's id, "" for an ad-hoc batch."""
    run: str = ""
    """The run whose records these are, where the API gives it no batch id. Such a batch exists in the
    exporter only: only the results of that run can be read."""
    claims_left: int = 0
    """How many more reads of the run list must not claim a batch of the summary, before it counts as
    ad hoc."""
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
    """When every source first called the status final."""
    closed: float | None = None
    outcome: BatchOutcome | None = None
    missing_since: float | None = None
    """Since when the API has answered 404, None if it does not."""
    failures: int = 0
    """Failed reads in a row: of the batch or, once it is closed, of its cost."""
    retry_at: float = 0.0
    cost: float | None = None
    """In dollars, None until it is known."""
    cost_due: bool = False
    """Whether the cost is still to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of a schedule as last read, kept so that its end is counted once.

    `outcome` is None while it is unfinished. `started` is when its work began (its creation, where
    the API does not say), None where it has not begun or never did.
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

    All due times up to `until` are known; `due` are those not judged, in order. `taken` are the runs
    that belong to judged ones. A one-time schedule has `run_at` alone; `vanished` means that it was
    deleted or disabled after it fell due, as it may be once it has run.
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
        """Whether nothing of it must be kept."""
        return not self.listed and not self.due


@dataclass(frozen=True, slots=True)
class Horizon:
    """The moment before which runs and batches that the ledger does not hold are ignored.

    Until the account's first complete discovery has ended, unfinished ones are followed all the same.
    """

    at: float
    first_discovery_done: bool
    forgotten: float | None = 0.0
    """The greatest creation time of any row that the ledger has forgotten, in seconds.

    0 while it has forgotten none; None where that is unknown, because format 1 did not keep it.
    """


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation that a histogram's bucket refers to."""

    labels: Mapping[str, str]
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class HistogramValue:
    """The state of a histogram.

    `counts` has one number a bucket, not cumulative, the last one for values above every bound.
    """

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
    """The series that changed since the snapshot before.

    Metric -> label values -> sample, None where a series ended.
    """

    version: int
    families: Mapping[str, Mapping[LabelValues, Sample | None]]
