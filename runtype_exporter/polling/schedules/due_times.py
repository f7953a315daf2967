"""When a schedule is due.

What the API said of its next run, and what follows from its cron expression after that. Pure.

It must not know which runs came of it.
"""

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
"""How long before its due time a start may be stamped, seconds: two clocks never agree."""
SKEW = 60.0
"""By how much the API's clock may be ahead of ours, seconds."""
MOST = 1500
"""Due times of one schedule that wait to be judged at the most: five days of one every five
minutes."""
LONGEST_TEXT = 200
"""Characters of a cron expression or a time zone that are kept."""


def due_times(schedule: Schedule, until: float) -> list[float]:
    """When the schedule fell due after `schedule.until` and up to a moment, as far as was known when it was last observed.

    The API's own nextRunAt comes first, and where it gives none, nothing is due. What follows by
    the cron expression is left out where the expression does not account for nextRunAt, and in an
    hour that the clocks repeat: the API does not document what happens then.
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
    """The schedule as listed by a read between two moments, and with what fell due since the read before.

    What was due while it was paused, or while it was paused or edited, is void: nobody can tell on
    which side of that it was. A one-time schedule may be disabled because it has run; then its due
    time stands, but `vanished`.
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


def gone(before: Schedule, now: float) -> Schedule:
    """The schedule after a read that did not list it."""
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
    """The schedule with what waits to be judged, known up to a moment."""
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
    """Up to when a read tells what fell due.

    Whatever was expected before the next run that it shows has had its time.
    """
    if next_run is None or next_run <= began:
        return now
    return min(nextafter(next_run, 0.0), now + SKEW)


def _cron(schedule: Schedule, after: float) -> Iterator[float]:
    """The times of a schedule's cron expression, in order.

    None where it or the time zone cannot be read.
    """
    try:
        zone = ZoneInfo(schedule.timezone or "UTC")
        times = CronSim(schedule.cron, datetime.fromtimestamp(after, zone))
    except (CronSimError, ArithmeticError, LookupError, OSError, ValueError):
        return
    yield from (at.timestamp() for at in times if at.fold == 0)
