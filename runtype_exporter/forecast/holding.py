"""What an account holds, as far as a forecast needs it: read from the API, or assumed.

It must not know where it was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What an account holds.

    `listed` are the schedules of the account, `schedules` those of them that are followed, `flows`
    the pairs of a followed schedule and a flow, `adhoc_flows` the flows of batches that no schedule
    started. `open` holds the records of each batch at work. `runs_an_hour` are runs that began,
    `ended` the records of each batch among the runs that were seen, over `hours`; `adhoc_ended` and
    `adhoc_hours` are the same of batches that no schedule started. `run_pages` is how many pages of
    the run list lie within `state.retention`, which is what a whole walk reads. `forbidden` are the
    collectors that the key may not read, `notes` are what was not read, as a person is told.
    """

    read: bool
    listed: int
    schedules: int
    flows: int
    adhoc_flows: int = 1
    open: tuple[int, ...] = ()
    runs_an_hour: float = 0.0
    ended: tuple[int, ...] = ()
    hours: float = 1.0
    adhoc_ended: tuple[int, ...] = ()
    adhoc_hours: float = 1.0
    run_pages: int = 1
    ordered: bool = True
    forbidden: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


ASSUMED: Final = Holding(read=False, listed=10, schedules=10, flows=10)
"""What a forecast starts from where nobody has looked: ten schedules of one flow each, nothing at
work."""
