"""What the response headers say about time, `Retry-After`, `Date` and `Age`, and about HTML.

A header that cannot be understood counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from runtype_exporter.limits import EARLIEST
from runtype_exporter.runtype.pauses import MAX_PAUSE

_LATEST: Final = 4_102_444_800.0
"""A `Date` of the year 2100 or later is not believed."""
_MOST_DIGITS: Final = 18
_MOST_AGE: Final = 9
"""The most digits of an `Age` that is believed: thirty years."""


def server_time(headers: Mapping[str, str]) -> float | None:
    """Return the `Date` header as seconds since the epoch, None if there is none that is usable.

    A date of another century comes from a machine without a clock.
    """
    date = _http_date(headers.get("date", ""))
    return date if date is not None and EARLIEST <= date < _LATEST else None


def age(headers: Mapping[str, str]) -> float | None:
    """Return the seconds for which a cache kept the answer (`Age`), None if there is none."""
    text = headers.get("age", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_AGE else None


def is_html(headers: Mapping[str, str]) -> bool:
    """Return whether the body is a page for people, which no API sends."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait by `Retry-After`, from 0 to an hour.

    None means that there is no header that can be understood.

    The header holds seconds or a date (RFC 9110, 10.2.3). A date is compared with the API's own
    clock if the answer has a `Date`, else with `now`.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:_MOST_DIGITS])
    else:
        date = _http_date(text)
        if date is None:
            return None
        api_now = server_time(headers)
        seconds = date - (now if api_now is None else api_now)
    return min(max(seconds, 0.0), MAX_PAUSE)


def _http_date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
