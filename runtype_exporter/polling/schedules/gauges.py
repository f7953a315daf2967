"""What the gauges say of schedules.

As listed, and by the API's own counts of their last seven days. Pure.

It must not know how the rows were had, nor which schedules are followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runtype_exporter.catalogue import (
    SCHEDULE_ENABLED,
    SCHEDULE_INFO,
    SCHEDULE_LAST_RUN,
    SCHEDULE_NEXT_RUN,
    SCHEDULE_RECENT_FAILED_RUNS,
    SCHEDULE_RECENT_RUNS,
)
from runtype_exporter.model import Series
from runtype_exporter.polling.status_words import parse_time
from runtype_exporter.runtype import ScheduleRow, Sparkline

LONGEST_TEXT = 100
"""Characters of a cron expression or a time zone that become a label: no real one comes near."""


def listed(
    account: str, rows: Iterable[ScheduleRow], labels: Mapping[str, str]
) -> dict[Series, float]:
    """The gauges of these schedules; `labels` has each one's label by its id."""
    samples: dict[Series, float] = {}
    for row in rows:
        key = (account, labels[row.id])
        target = "agent" if row.agent_id else "flow"
        cron, timezone = (row.cron or "")[:LONGEST_TEXT], (row.timezone or "")[:LONGEST_TEXT]
        samples[SCHEDULE_INFO.name, (*key, row.id, cron, timezone, target)] = 1.0
        samples[SCHEDULE_ENABLED.name, key] = float(row.enabled)
        for metric, text in (
            (SCHEDULE_LAST_RUN, row.last_run_at),
            (SCHEDULE_NEXT_RUN, row.next_run_at),
        ):
            if (at := parse_time(text)) is not None:
                samples[metric.name, key] = at
    return samples


def recent(
    account: str, lines: Iterable[Sparkline], labels: Mapping[str, str]
) -> dict[Series, float]:
    """The gauges of these schedules' last seven days. Those without a label were not asked for."""
    samples: dict[Series, float] = {}
    for line in lines:
        if (label := labels.get(line.schedule_id)) is not None:
            key = (account, label)
            samples[SCHEDULE_RECENT_RUNS.name, key] = float(
                sum(day.runs for day in line.last7_days)
            )
            samples[SCHEDULE_RECENT_FAILED_RUNS.name, key] = float(
                sum(day.failed for day in line.last7_days)
            )
    return samples
