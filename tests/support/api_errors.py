"""Every error of the API that the design names, as faults for any read and any item."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runtype_exporter.simulator.faults import ApiFault
from tests.support.rig import TOO_LARGE

HOUR = 3600.0
PAST = "Sun, 31 May 2026 00:00:00 GMT"
"""A date before the start of the rig."""


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One error.

    `fault` is a template without operation and item. `pauses`: the whole account waits after it.
    `recovery` is within how many seconds after its end everything is read again.
    """

    fault: ApiFault
    pauses: bool = False
    recovery: float = 600.0

    def at(self, operation: str = "*", match: str = "") -> ApiFault:
        """Return the fault of one read, for all its items or for those that contain `match`."""
        return replace(self.fault, operation=operation, match=match)


def _status(code: int, retry_after: str = "") -> ApiFault:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return ApiFault(kind="status", value=code, headers=headers)


ERRORS: dict[str, ErrorKind] = {
    "400": ErrorKind(_status(400)),
    "401": ErrorKind(_status(401), pauses=True),
    "403": ErrorKind(_status(403), recovery=HOUR + 600.0),
    "403 of an edge": ErrorKind(ApiFault(kind="html", value=403), pauses=True),
    "403 with Retry-After": ErrorKind(_status(403, "5"), pauses=True),
    "404": ErrorKind(_status(404)),
    "408": ErrorKind(_status(408)),
    "409": ErrorKind(_status(409)),
    "410": ErrorKind(_status(410)),
    "413": ErrorKind(_status(413)),
    "414": ErrorKind(_status(414)),
    "425": ErrorKind(_status(425)),
    "429": ErrorKind(_status(429), pauses=True),
    "429 for 30 s": ErrorKind(_status(429, "30"), pauses=True),
    "429 for 0 s": ErrorKind(_status(429, "0"), pauses=True),
    "429 until the past": ErrorKind(_status(429, PAST), pauses=True),
    "500": ErrorKind(_status(500)),
    "502": ErrorKind(_status(502)),
    "503 for 30 s": ErrorKind(_status(503, "30"), pauses=True),
    "504": ErrorKind(_status(504)),
    "hanging": ErrorKind(ApiFault(kind="hang")),
    "connection lost": ErrorKind(ApiFault(kind="reset")),
    "too large": ErrorKind(ApiFault(kind="oversize", value=TOO_LARGE)),
    "not JSON": ErrorKind(ApiFault(kind="html")),
    "cut short": ErrorKind(ApiFault(kind="truncate")),
}
ITEM_ERRORS = {name: kind for name, kind in ERRORS.items() if not kind.pauses}
"""The errors that say nothing about the whole account."""
