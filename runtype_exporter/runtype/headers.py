"""The two response headers that carry time: how long to wait, and what time the API thinks it is.

Pure.

A header that is garbage is as good as none. It must not know what is done about either.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

MAX_RETRY_AFTER: Final = 3600.0
"""The longest wait believed, seconds."""
_MOST_DIGITS: Final = 18


def server_time(headers: Mapping[str, str]) -> float | None:
    """The `Date` header as seconds since the epoch."""
    return _http_date(headers.get("date", ""))


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by `Retry-After`, within 0 and an hour.

    None without a header that can be understood.

    The header holds seconds or a date (RFC 9110, 10.2.3). A date is the API's: it is compared with
    the API's own clock where the answer tells it, else with `now`.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:_MOST_DIGITS])
    else:
        date = _http_date(text)
        if date is None:
            return None
        told = server_time(headers)
        seconds = date - (now if told is None else told)
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _http_date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
