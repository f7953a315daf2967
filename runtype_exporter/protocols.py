"""What rooms ask of each other without knowing each other: `app` supplies the other side.

It knows the values that pass, and nothing else of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from runtype_exporter.model import Attempt, BatchView, BudgetState, Series, Status


class BudgetStore(Protocol):
    """Where a request budget is kept across restarts."""

    def load_budget(self, account: str) -> BudgetState | None:
        """The state as last saved, None for an account never seen."""
        ...

    def save_budget(self, account: str, state: BudgetState) -> None:
        """Keep the state, durably, before this returns."""
        ...


class Telemetry(Protocol):
    """How `runtype` and `polling` count their own doings without knowing the metrics."""

    def attempt(self, attempt: Attempt) -> None:
        """A request was sent and ended."""
        ...

    def budget(self, account: str, limit: int, remaining: float) -> None:
        """The request budget changed."""
        ...

    def throttled(self, account: str, until: float) -> None:
        """The API asked for a pause until this moment (0: none)."""
        ...

    def skew(self, account: str, seconds: float) -> None:
        """The API's clock minus ours."""
        ...

    def cycle(self, account: str, seconds: float, at: float, failure: str) -> None:
        """A cycle ended; `failure` is "" or the reason in one fixed word."""
        ...

    def up(self, account: str, *, up: bool) -> None:
        """Whether the last cycle reached the API and was authorised."""
        ...

    def collector(self, account: str, collector: str, *, up: bool, failure: str) -> None:
        """A collector was read (or failed, or is withdrawn).

        `failure` is "" or the reason in one fixed word.
        """
        ...

    def sweep(self, account: str, failure: str) -> None:
        """A sweep ended; `failure` is "" or the reason in one fixed word."""
        ...

    def pending(self, account: str, sweeps: int, oldest: float | None) -> None:
        """How many batches wait to be swept, and since when the oldest does."""
        ...

    def forget(self, account: str) -> None:
        """The account left the configuration: its series end."""
        ...


class GaugeSink(Protocol):
    """Where polling shows what it last saw."""

    def set_batch(self, view: BatchView) -> None:
        """Show a batch, in place of what was shown of it before."""
        ...

    def set_found(self, account: str, name: str, *, found: bool) -> None:
        """Whether the API knows a configured batch."""
        ...

    def set_collector(self, account: str, collector: str, samples: Mapping[Series, float]) -> None:
        """Show these gauges of an account's collector, in place of all that it showed before.

        Empty: they are withdrawn.
        """
        ...

    def forget(self, account: str) -> None:
        """The account is stopped or starts anew: show nothing of it."""
        ...


class SeriesLimit(Protocol):
    """Whatever knows how many series there may still be."""

    def has_room(self, promised: int = 0) -> bool:
        """Whether another label set may have counters of its own, besides `promised` ones that the ledger does not hold yet."""
        ...

    def overflowed(self) -> None:
        """A label set went into the one that is kept for all beyond the limit."""
        ...


class StatusSource(Protocol):
    """Whatever can tell how the process is doing."""

    def status(self) -> Status:
        """How it stands now."""
        ...


def ignore(*_: object) -> None:
    """Do nothing: the default for a callback that nobody needs."""
