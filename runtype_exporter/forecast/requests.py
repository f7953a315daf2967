"""How many requests an hour an account will take, and how often its batches can be swept with what is left. Pure.

The rules are polling's and the budget's own; what they come to over an hour is computed here. It
must not know how any of it is shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtype_exporter.config import Account, Collectors, Poll
from runtype_exporter.forecast.holding import Holding
from runtype_exporter.polling.discovery import WHOLE_WALK_SHARE
from runtype_exporter.runtype import MAX_SPARKLINES
from runtype_exporter.runtype.budget import CAPACITY_SHARE, DISCOVERY_SHARE, GUARANTEE, HOUR
from runtype_exporter.runtype.client import MAX_LIST_PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What one account takes, in requests an hour unless said otherwise.

    `lists` are the reads of discovery by operation, `beside` those that give way to sweeps
    (sparklines, usage). `interval` is the time between two cycles in seconds: the configured one,
    or longer where a quarter of the limit does not carry it. `ending` is what it takes to read each
    ending batch whole once and ask for its cost; `changing`, on top of all, what it would take to
    sweep every batch now at work in every cycle.
    """

    read: bool
    limit: int
    page_size: int
    interval: float
    lists: Mapping[str, float]
    beside: Mapping[str, float]
    ending: float
    changing: float

    @property
    def sustained(self) -> float:
        """Granted hour after hour, the burst left out."""
        return self.limit * (1 - CAPACITY_SHARE)

    @property
    def reads(self) -> Mapping[str, float]:
        """Taken while no batch changes, by operation."""
        return {**self.lists, **self.beside}

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
        """Left for sweeps.

        While they want all of it, what is read beside them keeps its guaranteed share alone.
        """
        return (
            self.sustained
            - sum(self.lists.values())
            - min(sum(self.beside.values()), self.sustained / GUARANTEE)
        )

    def freshness(self, records: int) -> float:
        """Seconds between two whole sweeps of a batch of this many records while it alone runs and changes all the time."""
        return max(self.interval, pages(records, self.page_size) * HOUR / self.left)


def pages(rows: int, size: int) -> int:
    """Requests for so many rows: an empty list takes one too."""
    return max(1, math.ceil(rows / size))


def at_work(account: Account, holding: Holding) -> Collectors:
    """The collectors that are on and not forbidden, which are asked once an hour only."""
    return account.collectors.model_copy(update=dict.fromkeys(holding.forbidden, False))


def requests(account: Account, poll: Poll, holding: Holding) -> Requests:
    """What an account will take."""
    on = at_work(account, holding)
    limit = account.requests_per_hour
    list_page = min(account.page_size, MAX_LIST_PAGE)
    often = {name: 1 for name in ("summary", "runs") if getattr(on, name)}
    seldom = pages(holding.listed, list_page) if on.schedules else 0

    interval = max(poll.interval, _shared(len(often), limit))
    long_interval = max(interval, _shared(len(often) + seldom, limit))
    period = max(poll.discovery_interval, long_interval)
    rounds = HOUR / period
    cycles = rounds * (1 + (period - long_interval) / interval)
    lists = dict.fromkeys(often, cycles)
    if on.schedules:
        lists["schedules"] = seldom * rounds
    if on.runs:
        walks = HOUR / max(
            poll.discovery_interval, holding.run_pages * HOUR / (WHOLE_WALK_SHARE * limit)
        )
        lists["runs"] += walks * (holding.run_pages - 1)

    asides = HOUR / max(poll.discovery_interval, interval)
    beside: dict[str, float] = {}
    if on.sparklines and on.schedules and holding.schedules:
        beside["sparklines"] = pages(holding.schedules, MAX_SPARKLINES) * asides
    if on.usage:
        beside["usage"] = asides

    def read_once(ended: Sequence[int]) -> int:
        return sum(pages(records, account.page_size) + int(on.cost) for records in ended)

    swept = sum(pages(records, account.page_size) for records in holding.open)
    return Requests(
        read=holding.read,
        limit=limit,
        page_size=account.page_size,
        interval=interval,
        lists=lists,
        beside=beside,
        ending=read_once(holding.ended) / holding.hours
        + read_once(holding.adhoc_ended) / holding.adhoc_hours,
        changing=swept * HOUR / interval,
    )


def _shared(cost: int, limit: int) -> float:
    """The shortest interval in seconds between cycles of this cost that the budget's share for discovery carries."""
    return cost * HOUR / (limit * DISCOVERY_SHARE)
