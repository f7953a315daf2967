"""Read the last seven days of each schedule, as the API counts them, and show them as gauges."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from runtype_exporter.catalogue import SCHEDULE_RECENT_FAILED_RUNS, SCHEDULE_RECENT_RUNS, series
from runtype_exporter.model import Series
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.paged_read import read_page
from runtype_exporter.runtype import MAX_SPARKLINES, Sparkline, Sparklines

LONGEST_IDS = 6000
"""Most characters of ids in one request: the ids are part of its URL."""


@dataclass(frozen=True, slots=True)
class SparklineReads:
    """The sparkline reads of one account.

    `labels` returns the labels of the schedules that are followed, by id; None before the first
    list of schedules.
    """

    context: AccountContext
    labels: Callable[[], Mapping[str, str] | None]

    async def read(self) -> None:
        """Read the sparklines of the followed schedules, if that is enabled.

        Raises:
            ReadFailed: a portion could not be read; the gauges stay as they were.
        """
        context, labels = self.context, self.labels()
        if labels is None or not context.collectors.is_enabled("sparklines"):
            return
        samples: dict[Series, float] = {}
        # An id with a comma cannot be requested.
        left = [id_ for id_ in labels if "," not in id_]
        while left:
            lines, count = await self._read_portion(left)
            samples |= recent_run_gauges(context.name, lines, labels)
            left = left[count:]
            await asyncio.sleep(0)
        context.collectors.complete("sparklines")
        context.gauges.set_collector(context.name, "sparklines", samples)

    async def _read_portion(self, ids: Sequence[str]) -> tuple[Sequence[Sparkline], int]:
        """Read the first ones of these schedules. Return the answer, and how many were read."""
        context = self.context
        asked: Sequence[str] = ()

        async def call(limit: int) -> Sparklines:
            nonlocal asked
            asked = portion(ids, limit)
            return await context.client.sparklines(asked)

        answer = await read_page(context.collectors, "sparklines", "", context.page_sizes, call)
        return answer.data, len(asked)


def portion(ids: Sequence[str], limit: int) -> Sequence[str]:
    """Return the first ids, as many as fit into one request: `limit` at most, and at least one."""
    length = 0
    most = min(limit, MAX_SPARKLINES, len(ids))
    for count, id_ in enumerate(ids[:most]):
        length += len(id_) + 1
        if count and length > LONGEST_IDS:
            return ids[:count]
    return ids[:most]


def recent_run_gauges(
    account: str, lines: Iterable[Sparkline], labels: Mapping[str, str]
) -> dict[Series, float]:
    """Return the gauges of the last seven days. `labels` has the label of each schedule by its id.

    Schedules without a label are left out: they were not requested.
    """
    samples: dict[Series, float] = {}
    for line in lines:
        if (label := labels.get(line.schedule_id)) is not None:
            runs = series(SCHEDULE_RECENT_RUNS, account=account, schedule=label)
            failed = series(SCHEDULE_RECENT_FAILED_RUNS, account=account, schedule=label)
            samples[runs] = float(sum(day.runs for day in line.last7_days))
            samples[failed] = float(sum(day.failed for day in line.last7_days))
    return samples
