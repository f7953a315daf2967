"""Gauges of the schedules that the API lists. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runtype_exporter.catalogue import (
    SCHEDULE_ENABLED,
    SCHEDULE_INFO,
    SCHEDULE_LAST_RUN,
    SCHEDULE_NEXT_RUN,
    series,
)
from runtype_exporter.model import Series
from runtype_exporter.polling.status_words import parse_time
from runtype_exporter.runtype import ScheduleRow

LONGEST_TEXT = 100
"""Longer cron expressions and time zones are cut at this many characters. Real ones are shorter."""


def schedule_gauges(
    account: str, rows: Iterable[ScheduleRow], labels: Mapping[str, str]
) -> dict[Series, float]:
    """Return the gauges of these schedules. `labels` has the label of each schedule by its id."""
    samples: dict[Series, float] = {}
    for row in rows:
        key = {"account": account, "schedule": labels[row.id]}
        target = "agent" if row.agent_id else "flow"
        cron, timezone = (row.cron or "")[:LONGEST_TEXT], (row.timezone or "")[:LONGEST_TEXT]
        info = series(
            SCHEDULE_INFO, **key, schedule_id=row.id, cron=cron, timezone=timezone, target=target
        )
        samples[info] = 1.0
        samples[series(SCHEDULE_ENABLED, **key)] = float(row.enabled)
        for metric, text in (
            (SCHEDULE_LAST_RUN, row.last_run_at),
            (SCHEDULE_NEXT_RUN, row.next_run_at),
        ):
            if (at := parse_time(text)) is not None:
                samples[series(metric, **key)] = at
    return samples
