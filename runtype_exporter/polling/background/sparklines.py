"""Gauges of the last seven days of each schedule, as the API counts them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from runtype_exporter.catalogue import SCHEDULE_RECENT_FAILED_RUNS, SCHEDULE_RECENT_RUNS, series
from runtype_exporter.model import Series
from runtype_exporter.runtype import MAX_SPARKLINES, Sparkline

LONGEST_IDS = 6000
"""Most characters of ids in one request: the ids are part of its URL."""


def portions(ids: Sequence[str] | dict[str, str]) -> Iterator[list[str]]:
    """Yield the ids in portions for one request each. An id with a comma cannot be requested."""
    portion: list[str] = []
    length = 0
    for id_ in ids:
        if "," in id_:
            continue
        if portion and (len(portion) == MAX_SPARKLINES or length + len(id_) > LONGEST_IDS):
            yield portion
            portion, length = [], 0
        portion.append(id_)
        length += len(id_) + 1
    if portion:
        yield portion


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
