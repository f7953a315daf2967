"""What an account contains, as far as a forecast needs it: read from the API, or assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInventory:
    """The schedules, flows, batches and runs of an account."""

    read: bool
    """Whether this was read from the API. Otherwise it is assumed."""
    listed: int
    """All schedules of the account."""
    schedules: int
    """The schedules that are followed."""
    flows: int
    """Pairs of a followed schedule and a flow."""
    adhoc_flows: int = 1
    """Flows of batches that no schedule started."""
    open: tuple[int, ...] = ()
    """The number of records of each open batch."""
    runs_an_hour: float = 0.0
    """How many runs began in an hour."""
    ended: tuple[int, ...] = ()
    """The number of records of each batch of a recent run."""
    hours: float = 1.0
    """The time in which the recent runs began, in hours."""
    adhoc_ended: tuple[int, ...] = ()
    """The number of records of each recent batch that no schedule started."""
    adhoc_hours: float = 1.0
    """The time in which those batches began, in hours."""
    run_pages: int = 1
    """Pages of the run list within `state.retention`: what a full walk of the list reads."""
    ordered: bool = True
    """Whether the run list has an order that polling can use."""
    forbidden: frozenset[str] = frozenset()
    """The collectors that the key may not read."""
    notes: tuple[str, ...] = ()
    """What was not read, as text for the user."""


DEFAULT_INVENTORY: Final = AccountInventory(read=False, listed=10, schedules=10, flows=10)
"""The assumption where the API was not asked: ten schedules with one flow each, no open batch."""
