"""Advice on a configuration that does not fit the size of the account."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from runtype_exporter.config import Account, Poll
from runtype_exporter.config.accounts import MAX_PAGE_SIZE
from runtype_exporter.forecast.inventory import AccountInventory
from runtype_exporter.forecast.requests import (
    RequestForecast,
    enabled_collectors,
    forecast_requests,
)
from runtype_exporter.limits import HOUR

LARGE_BATCH: Final = 10_000
"""Records of the batch whose freshness is forecast if no larger batch is known."""
STALE_AFTER: Final = 1800.0
"""A batch that is swept less often than this gets advice, in seconds."""


def advice(account: Account, poll: Poll, inventory: AccountInventory) -> list[str]:
    """Return what to change, the most urgent first. Empty if everything fits."""
    return list(_advice(account, poll, inventory, forecast_requests(account, poll, inventory)))


def largest_batch(inventory: AccountInventory) -> int:
    """Return the number of records of the largest batch to plan for."""
    return max((LARGE_BATCH, *inventory.open, *inventory.ended, *inventory.adhoc_ended))


def _advice(
    account: Account, poll: Poll, inventory: AccountInventory, forecast: RequestForecast
) -> Iterator[str]:
    if forecast.recent > forecast.sustained:
        enough = round_up(_sufficient_limit(account, poll, inventory))
        yield (
            "batches end faster than the budget can read them:"
            f" {forecast.recent:,.0f} requests an hour are wanted,"
            f" {forecast.sustained:,.0f} granted, so counting falls further and further behind."
            f" Set requests_per_hour to {enough:,} or more{_or_larger_pages(account)},"
            " or exclude schedules"
        )
    elif (seconds := forecast.freshness(largest_batch(inventory))) > STALE_AFTER:
        more = round_up(account.requests_per_hour * seconds / STALE_AFTER)
        yield (
            f"while it runs, a batch of {largest_batch(inventory):,} records is read again every"
            f" {duration_text(seconds)} only; nothing is lost by that. For half an hour set"
            f" requests_per_hour to {more:,}{_or_larger_pages(account)}"
        )
    if forecast.interval > poll.interval:
        often = round(forecast.interval * account.requests_per_hour / poll.interval)
        yield (
            f"cycles come every {duration_text(forecast.interval)} instead of every"
            f" {duration_text(poll.interval)}, for looking takes at most a quarter of the limit."
            f" Set requests_per_hour to {round_up(often):,},"
            f" or poll.interval to {duration_text(forecast.interval)}"
        )
    if not inventory.ordered:
        yield (
            "the list of runs comes in no order that could be used, so each cycle reads all of it,"
            " which is not forecast here; watch runtype_api_requests_total and raise poll.interval"
            " if it takes too much"
        )
    on = enabled_collectors(account, inventory)
    if not on.runs and not on.summary and not account.batches:
        remedy = "Give the key the scope" if inventory.forbidden else "Switch one of them on"
        yield (
            "neither runs nor summary are collected and no batches are configured: no batch will"
            f" be found. {remedy}"
        )


def _sufficient_limit(account: Account, poll: Poll, inventory: AccountInventory) -> int:
    """Return the smallest limit that is enough for the recent number of batches.

    It is searched for, because more budget also makes cycles more frequent.
    """

    def suffices(limit: int) -> bool:
        changed = account.model_copy(update={"requests_per_hour": limit})
        forecast = forecast_requests(changed, poll, inventory)
        return forecast.recent <= forecast.sustained

    highest = account.requests_per_hour
    while not suffices(highest):
        highest *= 2
    return bisect_left(range(highest), True, lo=account.requests_per_hour, key=suffices)


def _or_larger_pages(account: Account) -> str:
    return (
        f", or page_size to {MAX_PAGE_SIZE:,} (the API may answer with fewer)"
        if account.page_size < MAX_PAGE_SIZE
        else ""
    )


def round_up(number: float) -> int:
    """Round up to two significant digits."""
    unit = int(10 ** max(0, math.floor(math.log10(max(1.0, number))) - 1))
    return math.ceil(number / unit) * unit


def duration_text(seconds: float) -> str:
    """Return a duration as text, such as 45 s, 12 min, 3 h 5 min or 2 days."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * HOUR:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{seconds / (24 * HOUR):.0f} days"
