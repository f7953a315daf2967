"""Durations as people write them: `30s`, `10m`, `1h30m`, `7d`."""

from __future__ import annotations

import re
from typing import Final

MAX_SECONDS: Final = 3650 * 86400.0
"""Ten years. A longer duration is a typing error, and arithmetic on it must not overflow."""

_UNITS: Final = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION: Final = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in _UNITS), re.ASCII)
_NUMBER: Final = re.compile(r"\d+(\.\d+)?", re.ASCII)


def parse_duration(text: str) -> float:
    """Return the seconds of a duration: numbers with units, from the largest to the smallest.

    Raises:
        ValueError: it is no duration, has no unit, or is longer than ten years; the message says
            how to write one.
    """
    if _NUMBER.fullmatch(text):
        raise ValueError(f"{text} has no unit; write {text}s for seconds, or m, h, d")
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"{text!r} is no duration; write it like 30s, 10m, 1h30m or 7d")
    seconds = sum(
        float(count) * unit
        for count, unit in zip(match.groups(), _UNITS.values(), strict=True)
        if count
    )
    if seconds > MAX_SECONDS:
        raise ValueError(f"{text} is longer than ten years")
    return seconds


def written_duration(seconds: float) -> str:
    """Return the duration in whole units from days down, as PromQL reads it too: `1h30m`.

    Parts of a millisecond are left out.
    """
    left = round(seconds * 1000)
    parts = []
    for unit, size in list(_UNITS.items())[1:]:
        count, left = divmod(left, round(size * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
