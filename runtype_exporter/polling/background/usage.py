"""Read the usage of the account's plan, and show it as gauges."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from runtype_exporter.catalogue import (
    USAGE_EXECUTIONS,
    USAGE_LIMIT,
    USAGE_RESETS,
    USAGE_SLOW_MODE,
    series,
)
from runtype_exporter.model import Series
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.status_words import parse_time
from runtype_exporter.runtype import Usage, UsageBlock


@dataclass(frozen=True, slots=True)
class UsageReads:
    """The reads of one account's usage."""

    context: AccountContext

    async def read(self) -> None:
        """Read the usage, if that is enabled.

        Raises:
            ReadFailed: it could not be read.
        """
        context = self.context
        if context.collectors.is_enabled("usage"):
            usage = await context.collectors.read("usage", "", context.client.usage)
            gauges = usage_gauges(context.name, usage)
            context.gauges.set_collector(context.name, "usage", gauges)


def usage_gauges(account: str, usage: Usage) -> dict[Series, float]:
    """Return the gauges of each period that the plan has.

    A period that is unlimited gets no limit, whatever number the API gives as its limit.
    """
    samples: dict[Series, float] = {}
    for period, block in (("daily", usage.daily), ("monthly", usage.monthly)):
        if block is None:
            continue
        figures = {
            USAGE_EXECUTIONS: block.executions_used,
            USAGE_LIMIT: _limit(block),
            USAGE_SLOW_MODE: block.in_slow_mode,
            USAGE_RESETS: parse_time(block.resets_at),
        }
        for metric, figure in figures.items():
            if figure is not None:
                samples[series(metric, account=account, period=period)] = float(figure)
    return samples


def _limit(block: UsageBlock) -> float | None:
    limit = block.execution_limit
    if block.is_unlimited or limit is None or limit < 0 or not isfinite(limit):
        return None
    return limit
