"""The time of the API, which decides everything that cannot be taken back.

The wall clock of the machine may be wrong by decades. The API dates its answers, and what it lists
carries times of the same clock. So its time is the monotonic clock plus an offset that is learned
from the `Date` of its answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.limits import MINUTE
from runtype_exporter.model import TimeSource
from runtype_exporter.protocols import Telemetry

MAX_STEP: Final = MINUTE
"""A larger change of the offset is not believed at once, seconds."""
PROOFS: Final = 3
"""So many answers make a step, or a missing `Date`, believed."""
PROOF_TIME: Final = MINUTE
"""The answers that make a step believed span at least this time, seconds."""
MAX_SKEW: Final = MINUTE
"""A larger difference of the two clocks is logged, seconds."""
_RESOLUTION: Final = 1.0
"""`Date` has whole seconds: the moment is up to a second later than it says."""

_log = structlog.get_logger()


@dataclass(slots=True)
class _Step:
    """An offset far from the believed one, and the answers that show it."""

    offset: float
    since: float
    answers: int = 1


class ApiTime:
    """The time of one account's API."""

    def __init__(self, account: str, clock: Clock, telemetry: Telemetry) -> None:
        """Know nothing yet: `now` is the wall clock's time until the first answer."""
        self._account = account
        self._clock = clock
        self._telemetry = telemetry
        self._offset = 0.0
        self._source: TimeSource = "unknown"
        self._step: _Step | None = None
        self._undated = 0
        self._logged_skew = 0.0

    @property
    def source(self) -> TimeSource:
        """Return where the time comes from."""
        return self._source

    @property
    def certain(self) -> bool:
        """Return whether the time may decide what cannot be taken back.

        It may not before the first answer, and not while a step is in doubt.
        """
        return self._source != "unknown" and self._step is None

    def now(self) -> float:
        """Return the API's time as far as it is known, seconds since the epoch."""
        if self._source == "unknown":
            return self._clock.now()
        return self._clock.monotonic() + self._offset

    def latest(self) -> float:
        """Return a time that the API's is probably not later than, seconds since the epoch.

        While the time is not certain that is the latest of what is known, with a step in doubt.
        """
        times = [self.now()]
        if not self.certain:
            times.append(self._clock.now())
        if self._step is not None:
            times.append(self._clock.monotonic() + self._step.offset)
        return max(times)

    def observe(
        self, headers_date: float | None, age: float | None, *, sent: float, received: float
    ) -> None:
        """Learn from the head of an authenticated answer.

        Args:
            headers_date: its `Date`, seconds since the epoch; None if it has none that is usable.
            age: its `Age` in seconds, None if it has none: a cache may have kept the answer.
            sent: when the request was sent, by the monotonic clock.
            received: when the head of the answer was there, by the monotonic clock.
        """
        if headers_date is not None:
            self._undated = 0
            date = headers_date + (age or 0.0)
            self._learn("date", date - received, date + _RESOLUTION - sent, received)
            self._show_skew()
            return
        self._undated += 1
        if self._undated < PROOFS:
            return
        if self._source == "date":
            # What was learned stays right: the monotonic clock goes on. A step that was in doubt
            # finds no more proofs.
            self._step = None
            return
        local = self._clock.now() - self._clock.monotonic()
        self._learn("local", local, local, received)

    def _learn(
        self, source: Literal["date", "local"], low: float, high: float, received: float
    ) -> None:
        """Move the offset into the bounds that an answer gives, at once or after more proofs."""
        moved = _within(self._offset, low, high)
        if self._source == "unknown":
            # The lower bound: the API's clock is never taken for later than it is proven to be.
            moved = low
        elif abs(moved - self._offset) > MAX_STEP:
            if not self._is_proven(low, high, received):
                return
            # For the type checker: the proof is a step.
            assert self._step is not None  # noqa: S101
            moved = self._step.offset
            _log.warning(
                "the API's time has changed",
                account=self._account,
                seconds=round(moved - self._offset),
            )
        self._offset = moved
        self._step = None
        if source != self._source:
            self._source = source
            self._telemetry.time_source(self._account, source)
            if source == "local":
                _log.warning(
                    "the API does not date its answers: the clock of this machine is used",
                    account=self._account,
                )

    def _is_proven(self, low: float, high: float, received: float) -> bool:
        """Return whether enough answers agree on an offset that is far from the believed one."""
        step = self._step
        offset = low if step is None else _within(step.offset, low, high)
        if step is None or abs(offset - step.offset) > MAX_STEP:
            self._step = _Step(low, received)
            return False
        step.offset = offset
        step.answers += 1
        return step.answers >= PROOFS and received - step.since >= PROOF_TIME

    def _show_skew(self) -> None:
        skew = self.now() - self._clock.now()
        self._telemetry.skew(self._account, skew)
        apart = skew if abs(skew) > MAX_SKEW else 0.0
        if abs(apart - self._logged_skew) <= MAX_SKEW:
            return
        self._logged_skew = apart
        if apart:
            _log.warning(
                "the API's clock and the clock of this machine differ; one of them is wrong",
                account=self._account,
                seconds=round(apart),
            )
        else:
            _log.info(
                "the API's clock and the clock of this machine agree again", account=self._account
            )


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
