"""The API's timestamps as seconds since the Unix epoch.

Their precision is not documented, so every ISO 8601 form in use is taken. It must not know which
field a timestamp stood in.
"""

from __future__ import annotations

from datetime import UTC, datetime

_SHORTEST = len("2026-07-01T10:00:00")
_SEPARATOR = len("2026-07-01")


class Unparseable(ValueError):  # noqa: N818 - a verdict on a value, which its caller counts; nothing went wrong here
    """What stands in a timestamp's place is not one. The message never quotes it."""


def parse_timestamp(value: object) -> float | None:
    """Seconds since the Unix epoch, None for a missing timestamp (null or absent).

    Takes 0 to 9 fraction digits (microseconds are kept), `Z` or an offset or neither (which means
    UTC), and `T` or a space between date and time. A date without a time is no timestamp.

    Raises:
        Unparseable: anything else.
    """
    if value is None:
        return None
    if not isinstance(value, str) or len(value) < _SHORTEST or value[_SEPARATOR] not in "Tt ":
        raise Unparseable("not a timestamp")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = _lower_case(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def _lower_case(value: str) -> datetime:
    """RFC 3339 allows `t` and `z`; the standard library knows neither."""
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError:
        raise Unparseable("not a timestamp") from None
