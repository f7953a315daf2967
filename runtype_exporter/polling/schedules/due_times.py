"""When a schedule is due: at the API's next run time, then by the cron expression. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from math import nextafter
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from runtype_exporter.model import Schedule
from runtype_exporter.polling.status_words import parse_time
from runtype_exporter.runtype import ScheduleRow

EARLY = 30.0
"""A run may be created this long before its due time, in seconds: two clocks never agree."""
SKEW = 60.0
"""The clock of the API may be ahead of the local one by this time, in seconds."""
MOST = 1500
"""At most so many due times of one schedule wait to be judged: five days of one every five minutes.
"""
LONGEST_TEXT = 200
"""Longer cron expressions and time zones are cut at this many characters."""


def due_times(schedule: Schedule, until: float) -> list[float]:
    """Return the due times of the schedule after `schedule.until` and up to a moment.

    They follow from what was known when the schedule was last observed. The API's nextRunAt is the
    first one; without it nothing is due. Later ones follow from the cron expression. They are left
    out if the expression does not give nextRunAt, and in an hour that the clocks repeat: the API
    does not document what happens then.
    """
    if not (schedule.listed and schedule.enabled):
        return []
    known, first = schedule.until, schedule.next_run if schedule.cron else schedule.run_at
    if first is None or first > until:
        return []
    due = [first] if first > known else []
    if schedule.cron and next(_cron(schedule, first - SKEW), until) <= first:
        for at in islice(_cron(schedule, max(first, known)), MOST):
            if at > until:
                break
            due.append(at)
    return due


def observe(
    before: Schedule | None, account: str, row: ScheduleRow, *, began: float, now: float
) -> Schedule:
    """Return the schedule after a read that listed it, with the due times since the read before.

    The read lasted from `began` to `now`. Due times around a pause or an edit are void, because it
    is unknown which of the two came first. A one-time schedule may be disabled because it has run:
    its due time is kept then, but marked as `vanished`.
    """
    cron = (row.cron or "")[:LONGEST_TEXT]
    after = Schedule(
        account=account,
        id=row.id,
        enabled=row.enabled,
        cron=cron,
        timezone=(row.timezone or "")[:LONGEST_TEXT],
        run_at=None if cron else parse_time(row.run_at),
        next_run=parse_time(row.next_run_at),
    )
    if before is None:
        return _known(after, began + EARLY)
    until = _seen_until(after.next_run, began=began, now=now)
    if (before.cron, before.timezone, before.run_at) != (after.cron, after.timezone, after.run_at):
        return _known(after, until, before)
    due = due_times(before, until) if row.enabled or not before.cron else []
    return _known(after, until, before, due, vanished=not row.enabled)


def unlisted(before: Schedule, now: float) -> Schedule:
    """Return the schedule after a read that did not list it."""
    after = Schedule(account=before.account, id=before.id, listed=False, run_at=before.run_at)
    return _known(after, now, before, [] if before.cron else due_times(before, now), vanished=True)


def _known(
    after: Schedule,
    until: float,
    before: Schedule | None = None,
    due: Sequence[float] = (),
    *,
    vanished: bool = False,
) -> Schedule:
    """Return the schedule with its due times to be judged, known up to a moment."""
    if before is None:
        return replace(after, until=until)
    return replace(
        after,
        until=max(until, before.until),
        due=(*before.due, *due)[-MOST:],
        taken=before.taken,
        vanished=(vanished and bool(due)) or (before.vanished and bool(before.due)),
    )


def _seen_until(next_run: float | None, *, began: float, now: float) -> float:
    """Return up to which moment a read shows what fell due.

    Everything that was expected before the next run that it shows was due.
    """
    if next_run is None or next_run <= began:
        return now
    return min(nextafter(next_run, 0.0), now + SKEW)


def _cron(schedule: Schedule, after: float) -> Iterator[float]:
    """Yield the times of the schedule's cron expression, in order.

    Yield nothing if the expression or the time zone cannot be parsed.
    """
    try:
        zone = ZoneInfo(schedule.timezone or "UTC")
        times = CronSim(schedule.cron, datetime.fromtimestamp(after, zone))
    except (CronSimError, ArithmeticError, LookupError, OSError, ValueError):
        return
    yield from (at.timestamp() for at in times if at.fold == 0)
