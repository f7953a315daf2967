"""The API's timestamps as seconds since the Unix epoch.

Their precision is not documented, so every common ISO 8601 form is accepted.
"""

from __future__ import annotations

from datetime import UTC, datetime

_SHORTEST = len("2026-07-01T10:00:00")
_SEPARATOR = len("2026-07-01")


# A verdict on a value, which its caller counts: nothing went wrong here.
class Unparseable(ValueError):  # noqa: N818
    """A value in place of a timestamp is not one. The message never quotes it."""


def parse_timestamp(value: object) -> float | None:
    """Return seconds since the Unix epoch, None for a missing timestamp (null or absent).

    It accepts 0 to 9 fraction digits (microseconds are kept), `Z` or an offset or neither (which
    means UTC), and `T` or a space between date and time. A date without a time is no timestamp.

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
    """Parse a time with `t` and `z`, which RFC 3339 allows and the standard library refuses."""
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError:
        raise Unparseable("not a timestamp") from None
