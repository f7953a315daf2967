"""Due times of a cron expression in a time zone.

It supports five fields of `*`, `*/n`, numbers, ranges and lists; the days of the month and of the
week must both match. The exporter uses a library instead: an oracle must not share its parser.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_DAYS = 366 * 8
"""After so many days without a match, an expression (30 February) never falls due."""


def _field(text: str, low: int, high: int) -> tuple[int, ...]:
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        else:
            head, _, tail = span.partition("-")
            first = int(head)
            last = int(tail) if tail else first
        values.update(range(first, last + 1, int(step) if step else 1))
    if not values or min(values) < low or max(values) > high:
        raise ValueError(f"{text!r} leaves {low}-{high}")
    return tuple(sorted(values))


@lru_cache(maxsize=256)
def parse(expression: str) -> tuple[tuple[int, ...], ...]:
    """Return the values that each of the five fields allows.

    Raises:
        ValueError: the expression is not supported.
    """
    fields = expression.split()
    try:
        return tuple(
            _field(text, low, high) for text, (low, high) in zip(fields, _BOUNDS, strict=True)
        )
    except ValueError as error:
        raise ValueError(
            f"cron expression {expression!r}: {error}; write five fields like '*/5 * * * *'"
        ) from error


def check(expression: str, timezone: str) -> None:
    """Check an expression and a time zone.

    Raises:
        ValueError: the expression is not supported, or the time zone is unknown.
    """
    parse(expression)
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"time zone {timezone!r} is unknown; write an IANA name like 'Europe/Berlin'"
        ) from error


def due_times(expression: str, timezone: str, after: float) -> Iterator[float]:
    """Yield the due times later than `after`, in order, in seconds since the epoch.

    A local time that the clocks skip or repeat falls due once.
    """
    minutes, hours, days, months, weekdays = parse(expression)
    zone = ZoneInfo(timezone)
    day = datetime.fromtimestamp(after, zone).date()
    last = after
    empty = 0
    while empty < _DAYS:
        empty += 1
        if day.day in days and day.month in months and day.isoweekday() % 7 in weekdays:
            for hour in hours:
                for minute in minutes:
                    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                    due = local.astimezone(UTC).timestamp()
                    if due > last:
                        last, empty = due, 0
                        yield due
        day += timedelta(days=1)
