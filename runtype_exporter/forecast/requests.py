"""Forecast the API requests of an account per hour, and how often its batches can be swept.

The rules are those of polling and of the budget. Here it is computed what they add up to in an
hour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtype_exporter.config import Account, CollectorSwitches, Poll
from runtype_exporter.forecast.inventory import AccountInventory
from runtype_exporter.limits import HOUR, shortest_cycle_interval
from runtype_exporter.polling.discovery.full_walk import WALK_SHARE
from runtype_exporter.polling.discovery.schedule_lists import LIST_SHARE
from runtype_exporter.runtype import MAX_SPARKLINES
from runtype_exporter.runtype.budget import CAPACITY_SHARE, GUARANTEE
from runtype_exporter.runtype.client import MAX_LIST_PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestForecast:
    """The requests of one account, per hour unless said otherwise."""

    read: bool
    """Whether the inventory was read from the API. Otherwise it is assumed."""
    limit: int
    page_size: int
    interval: float
    """Seconds between two cycles: the configured interval, or a longer one if a quarter of the
    limit is not enough for it."""
    lists: Mapping[str, float]
    """Reads of discovery by operation."""
    background: Mapping[str, float]
    """Reads that give way to sweeps, by operation: sparklines and usage."""
    for_ended_batches: float
    """To read each batch once when it ends, and its cost."""
    for_open_batches: float
    """To sweep every batch that is open now in every cycle, in addition to all else."""

    @property
    def sustained(self) -> float:
        """Requests granted in every hour, without the burst."""
        return self.limit * (1 - CAPACITY_SHARE)

    @property
    def reads(self) -> Mapping[str, float]:
        """Requests by operation while no batch changes."""
        return {**self.lists, **self.background}

    @property
    def at_rest(self) -> float:
        """Requests while no batch changes."""
        return sum(self.reads.values())

    @property
    def recent(self) -> float:
        """Requests if batches end as often as they did recently."""
        return self.at_rest + self.for_ended_batches

    @property
    def wanted(self) -> float:
        """Requests in the worst case if there were no limit."""
        return self.recent + self.for_open_batches

    @property
    def worst(self) -> float:
        """Requests in the worst case, never more than the limit.

        With an assumed inventory it is the limit, because any batch may need it.
        """
        return min(self.limit, self.wanted) if self.read else float(self.limit)

    @property
    def left_for_sweeps(self) -> float:
        """Requests that are left for sweeps.

        If sweeps need all of them, background reads keep only their guaranteed share.
        """
        return (
            self.sustained
            - sum(self.lists.values())
            - min(sum(self.background.values()), self.sustained / GUARANTEE)
        )

    def freshness(self, records: int) -> float:
        """Return the seconds between two full sweeps of a batch of this many records.

        It is assumed that no other batch is open, and that this one changes all the time.
        """
        return max(self.interval, pages(records, self.page_size) * HOUR / self.left_for_sweeps)


def pages(rows: int, size: int) -> int:
    """Return the number of requests for this many rows. An empty list takes one too."""
    return max(1, math.ceil(rows / size))


def enabled_collectors(account: Account, inventory: AccountInventory) -> CollectorSwitches:
    """Return the collectors that are on and not forbidden.

    Forbidden collectors are tried once an hour only.
    """
    return account.collectors.model_copy(update=dict.fromkeys(inventory.forbidden, False))


def forecast_requests(account: Account, poll: Poll, inventory: AccountInventory) -> RequestForecast:
    """Return the forecast for an account."""
    on = enabled_collectors(account, inventory)
    limit = account.requests_per_hour
    list_page = min(account.page_size, MAX_LIST_PAGE)
    each_cycle = {name: 1 for name in ("summary", "runs") if getattr(on, name)}
    schedule_pages = pages(inventory.listed, list_page) if on.schedules else 0

    interval = max(poll.interval, shortest_cycle_interval(len(each_cycle), limit))
    lists = dict.fromkeys(each_cycle, HOUR / interval)
    if on.schedules:
        lists["schedules"] = _reads(schedule_pages, poll, LIST_SHARE * limit)
    if on.runs:
        lists["runs"] += _reads(inventory.run_pages, poll, WALK_SHARE * limit)

    background_rounds = HOUR / poll.discovery_interval
    background: dict[str, float] = {}
    if on.sparklines and on.schedules and inventory.schedules:
        background["sparklines"] = pages(inventory.schedules, MAX_SPARKLINES) * background_rounds
    if on.usage:
        background["usage"] = background_rounds

    def read_once(ended: Sequence[int]) -> int:
        return sum(pages(records, account.page_size) + int(on.cost) for records in ended)

    swept = sum(pages(records, account.page_size) for records in inventory.open)
    return RequestForecast(
        read=inventory.read,
        limit=limit,
        page_size=account.page_size,
        interval=interval,
        lists=lists,
        background=background,
        for_ended_batches=read_once(inventory.ended) / inventory.hours
        + read_once(inventory.adhoc_ended) / inventory.adhoc_hours,
        for_open_batches=swept * HOUR / interval,
    )


def _reads(pages: int, poll: Poll, share: float) -> float:
    """Return the requests per hour of a list that is read whole, within its share of the limit."""
    return pages * HOUR / max(poll.discovery_interval, pages * HOUR / share)
