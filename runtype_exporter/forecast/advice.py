"""What to change where a configuration does not fit what the account holds.

Pure; it must not know how advice is shown.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from runtype_exporter.config import Account, Poll
from runtype_exporter.config.schema import MAX_PAGE_SIZE
from runtype_exporter.forecast.holding import Holding
from runtype_exporter.forecast.requests import Requests, at_work, requests
from runtype_exporter.runtype.budget import HOUR

LARGE_BATCH: Final = 10_000
"""Records of the batch whose freshness is told where no larger one is known."""
STALE_AFTER: Final = 1800.0
"""A batch that is swept less often than this is worth a word, seconds."""


def advice(account: Account, poll: Poll, holding: Holding) -> list[str]:
    """What to change, the most pressing first; empty where all fits."""
    return list(_advice(account, poll, holding, requests(account, poll, holding)))


def largest(holding: Holding) -> int:
    """The records of the largest batch to think of."""
    return max((LARGE_BATCH, *holding.open, *holding.ended, *holding.adhoc_ended))


def _advice(account: Account, poll: Poll, holding: Holding, taken: Requests) -> Iterator[str]:
    if taken.usual > taken.sustained:
        enough = round_up(_enough(account, poll, holding))
        yield (
            f"batches end faster than the budget can read them: {taken.usual:,.0f} requests an hour"
            f" are wanted, {taken.sustained:,.0f} granted, so counting falls behind for ever. Set"
            f" requests_per_hour to {enough:,} or more{_or_larger_pages(account)}, or exclude"
            " schedules"
        )
    elif (seconds := taken.freshness(largest(holding))) > STALE_AFTER:
        more = round_up(account.requests_per_hour * seconds / STALE_AFTER)
        yield (
            f"while it runs, a batch of {largest(holding):,} records is seen anew every"
            f" {duration(seconds)} only; nothing is lost by that. For half an hour set"
            f" requests_per_hour to {more:,}{_or_larger_pages(account)}"
        )
    if taken.interval > poll.interval:
        often = round(taken.interval * account.requests_per_hour / poll.interval)
        yield (
            f"cycles come every {duration(taken.interval)} instead of every"
            f" {duration(poll.interval)}, for looking takes at most a quarter of the limit. Set"
            f" requests_per_hour to {round_up(often):,}, or poll.interval to"
            f" {duration(taken.interval)}"
        )
    if not holding.ordered:
        yield (
            "the list of runs comes in no order that could be used, so each cycle reads all of it,"
            " which is not forecast here; watch runtype_api_requests_total and raise poll.interval"
            " if it takes too much"
        )
    on = at_work(account, holding)
    if not on.runs and not on.summary and not account.batches:
        remedy = "Give the key the scope" if holding.forbidden else "Switch one of them on"
        yield (
            "neither runs nor summary are collected and no batches are configured: no batch will"
            f" be found. {remedy}"
        )


def _enough(account: Account, poll: Poll, holding: Holding) -> int:
    """The smallest limit that carries what is usual.

    Found by trying, since more budget also lets cycles come closer together.
    """

    def carries(limit: int) -> bool:
        taken = requests(account.model_copy(update={"requests_per_hour": limit}), poll, holding)
        return taken.usual <= taken.sustained

    highest = account.requests_per_hour
    while not carries(highest):
        highest *= 2
    return bisect_left(range(highest), True, lo=account.requests_per_hour, key=carries)


def _or_larger_pages(account: Account) -> str:
    return (
        f", or page_size to {MAX_PAGE_SIZE:,} (the API may answer with fewer)"
        if account.page_size < MAX_PAGE_SIZE
        else ""
    )


def round_up(number: float) -> int:
    """To two digits that count."""
    unit = int(10 ** max(0, math.floor(math.log10(max(1.0, number))) - 1))
    return math.ceil(number / unit) * unit


def duration(seconds: float) -> str:
    """As a person says it: 45 s, 12 min, 3 h 5 min, 2 days."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * HOUR:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{seconds / (24 * HOUR):.0f} days"
