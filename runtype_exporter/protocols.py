"""Interfaces between packages that must not import each other, and the values of their calls.

`app` connects the two sides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from runtype_exporter.model import BatchRef, BatchState, Labels, Series, SweepSnapshot, TimeSource


@dataclass(frozen=True, slots=True)
class BudgetState:
    """The part of a request budget that must survive a restart.

    `tokens` were left at the moment `at`. `paused_until` is the end of a pause that the API asked
    for, 0 if there is none.
    """

    tokens: float
    at: float
    paused_until: float = 0.0


@dataclass(frozen=True, slots=True)
class BatchView:
    """The values of one batch's gauges. `name` is the configured name, else the id."""

    ref: BatchRef
    name: str
    labels: Labels
    configured: bool
    open: bool
    state: BatchState
    total: int | None
    processed: int | None
    failed: int | None
    started: float | None
    completed: float | None
    closed: float | None
    snapshot: SweepSnapshot | None
    drift: int
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was sent.

    `code` is the HTTP status, or a word for the failure before there was one.
    """

    account: str
    operation: str
    code: str
    seconds: float


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """The state of one account, for pages and readiness.

    `up` is None until the first cycle has ended.
    """

    name: str
    up: bool | None
    open: int
    waiting: int
    last_poll: float | None
    last_error: str


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the process, for pages.

    `ready`: the ledger is open and every account's first cycle has ended.
    """

    ready: bool
    accounts: tuple[AccountStatus, ...] = ()


class BudgetStore(Protocol):
    """A store that keeps request budgets across restarts."""

    def load_budget(self, account: str) -> BudgetState | None:
        """Return the state as last saved, None for an unknown account."""
        ...

    def save_budget(self, account: str, state: BudgetState) -> None:
        """Store the state. It is on disk when this returns."""
        ...


class Telemetry(Protocol):
    """Counts of what `runtype` and `polling` do, without knowledge of the metrics."""

    def attempt(self, attempt: Attempt) -> None:
        """Count a request that was sent and ended."""
        ...

    def budget(self, account: str, limit: int, remaining: float) -> None:
        """Set the request budget: its limit and what remains of it."""
        ...

    def throttled(self, account: str, until: float) -> None:
        """Set the moment until which the API asked for a pause (0: none)."""
        ...

    def skew(self, account: str, seconds: float) -> None:
        """Set the difference of the API's clock to the exporter's, in seconds."""
        ...

    def time_source(self, account: str, source: TimeSource) -> None:
        """Set where the API's time is taken from."""
        ...

    def horizon(self, account: str, at: float) -> None:
        """Set the moment before which nothing of an account is counted."""
        ...

    def rejected(self, account: str, operation: str, reason: str) -> None:
        """Count a row of an answer that was skipped; `reason` is one of REJECTED_REASONS."""
        ...

    def cycle(self, account: str, seconds: float, at: float, failure: str) -> None:
        """Count a cycle that ended; `failure` is "" or the reason in one fixed word."""
        ...

    def up(self, account: str, *, up: bool) -> None:
        """Set whether the last cycle reached the API and was authorised."""
        ...

    def collector(self, account: str, collector: str, *, up: bool, failure: str) -> None:
        """Set whether a collector works, after it was read or withdrawn.

        `failure` is "" or the reason in one fixed word.
        """
        ...

    def sweep(self, account: str, failure: str) -> None:
        """Count a sweep that ended; `failure` is "" or the reason in one fixed word."""
        ...

    def pending(self, account: str, sweeps: int, oldest: float | None) -> None:
        """Set the number of batches that wait to be swept, and since when the oldest one waits."""
        ...

    def forget(self, account: str) -> None:
        """End the series of an account that left the configuration."""
        ...


class GaugeSink(Protocol):
    """The gauges that polling sets: the last known state of batches, schedules and usage."""

    def set_batch(self, view: BatchView) -> None:
        """Show a batch in place of what was shown of it before."""
        ...

    def set_found(self, account: str, name: str, *, found: bool) -> None:
        """Show whether the API knows a configured batch."""
        ...

    def retain(
        self, account: str, *, batches: Collection[BatchRef], found: Collection[str]
    ) -> None:
        """Show no batches of an account but these, and `found` of no names but these.

        Of these, what was shown before stays.
        """
        ...

    def set_collector(self, account: str, collector: str, samples: Mapping[Series, float]) -> None:
        """Show these gauges of an account's collector in place of all its earlier ones.

        An empty mapping withdraws them.
        """
        ...

    def forget(self, account: str) -> None:
        """Show nothing more of an account: it is stopped or starts again."""
        ...


class SeriesLimit(Protocol):
    """The limit of how many series there may be."""

    def allows_more(self, promised: int = 0) -> bool:
        """Return whether another label set may have counters of its own.

        `promised` label sets were already allowed but are not in the ledger yet.
        """
        ...

    def overflowed(self) -> None:
        """Count a label set that was pooled into the shared one because of the limit."""
        ...


class StatusSource(Protocol):
    """The state of the process, for pages and readiness."""

    def status(self) -> Status:
        """Return the state as it is now."""
        ...


def ignore(*_: object) -> None:
    """Do nothing: the default for an optional callback."""
