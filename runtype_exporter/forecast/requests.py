"""How many requests an hour an account will take, and how often its batches can be swept with what is left. Pure.

The rules are polling's and the budget's own; what they come to over an hour is computed here. It must not know how any of it is shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtype_exporter.config import Account, Poll
from runtype_exporter.forecast.holding import Holding
from runtype_exporter.polling.discovery import WHOLE_WALK_SHARE
from runtype_exporter.runtype.budget import CAPACITY_SHARE, DISCOVERY_SHARE, HOUR
from runtype_exporter.runtype.client import MAX_LIST_PAGE

MAX_SPARKLINE_IDS: Final = 100
"""How many schedules one read of the sparklines may name (documented)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What one account takes, in requests an hour unless said otherwise.

    `sustained` is what the budget grants hour after hour, the burst left out. `reads` are those at rest by operation. `interval` is the
    time between two cycles in seconds: the configured one, or longer where a quarter of the limit does not carry it. `ending` is what it
    takes to read each ending batch whole once and ask for its cost; `changing`, on top of all, what it would take to sweep every batch now
    at work in every cycle.
    """

    read: bool
    limit: int
    page_size: int
    interval: float
    reads: Mapping[str, float]
    ending: float
    changing: float

    @property
    def sustained(self) -> float:
        """Granted hour after hour."""
        return self.limit * (1 - CAPACITY_SHARE)

    @property
    def at_rest(self) -> float:
        """Taken while no batch changes."""
        return sum(self.reads.values())

    @property
    def usual(self) -> float:
        """Taken when batches end as often as they did of late."""
        return self.at_rest + self.ending

    @property
    def wanted(self) -> float:
        """Taken at the worst if there were no limit."""
        return self.usual + self.changing

    @property
    def worst(self) -> float:
        """Taken at the worst: never more than the limit, which any batch may reach where nobody has looked at the account."""
        return min(self.limit, self.wanted) if self.read else float(self.limit)

    @property
    def left(self) -> float:
        """Left for sweeps."""
        return self.sustained - self.at_rest

    def freshness(self, records: int) -> float:
        """Seconds between two whole sweeps of a batch of this many records while it alone runs and changes all the time."""
        return max(self.interval, pages(records, self.page_size) * HOUR / self.left)


def pages(rows: int, size: int) -> int:
    """Requests for so many rows: an empty list takes one too."""
    return max(1, math.ceil(rows / size))


def requests(account: Account, poll: Poll, holding: Holding) -> Requests:
    """What an account will take."""
    on = account.collectors
    limit = account.requests_per_hour
    list_page = min(account.page_size, MAX_LIST_PAGE)
    each_cycle = {name: 1 for name in ("summary", "runs") if getattr(on, name)}
    now_and_then: dict[str, int] = {}
    if on.schedules:
        now_and_then["schedules"] = pages(holding.listed, list_page)
    if on.sparklines and holding.schedules:
        now_and_then["sparklines"] = pages(holding.schedules, MAX_SPARKLINE_IDS)
    if on.usage:
        now_and_then["usage"] = 1

    often, seldom = sum(each_cycle.values()), sum(now_and_then.values())
    interval = max(poll.interval, _shared(often, limit))
    long_interval = max(interval, _shared(often + seldom, limit))
    period = max(poll.discovery_interval, long_interval)
    rounds = HOUR / period
    cycles = rounds * (1 + (period - long_interval) / interval)
    reads = {name: cost * cycles for name, cost in each_cycle.items()}
    reads |= {name: cost * rounds for name, cost in now_and_then.items()}
    if on.runs:
        walks = HOUR / max(poll.discovery_interval, holding.run_pages * HOUR / (WHOLE_WALK_SHARE * limit))
        reads["runs"] += walks * (holding.run_pages - 1)

    per_ended = int(on.cost)
    ended = sum(pages(records, account.page_size) + per_ended for records in holding.ended)
    swept = sum(pages(records, account.page_size) for records in holding.open)
    return Requests(
        read=holding.read,
        limit=limit,
        page_size=account.page_size,
        interval=interval,
        reads=reads,
        ending=ended / holding.hours,
        changing=swept * HOUR / interval,
    )


def _shared(cost: int, limit: int) -> float:
    """The shortest interval in seconds between cycles of this cost that the budget's share for discovery carries."""
    return cost * HOUR / (limit * DISCOVERY_SHARE)
