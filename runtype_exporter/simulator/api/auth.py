"""API keys with scopes and hourly limits, and the log of every request.

Scope names are the simulator's own: the real ones for schedules and batches are not documented.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from email.utils import formatdate
from math import ceil
from typing import Literal, NamedTuple

_HOUR = 3600.0
_LOG = 100_000
"""Requests that the log keeps. The counts include all."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key with its scopes and its limit of requests in any hour (None: no limit).

    A scope is `RESOURCE:ACTION`, `RESOURCE:*` or `*`.
    """

    token: str
    scopes: tuple[str, ...] = ("*",)
    requests_per_hour: int | None = None

    def allows(self, scope: str) -> bool:
        """Return True if the key has the scope."""
        return bool({"*", scope, f"{scope.partition(':')[0]}:*"} & set(self.scopes))


class Refusal(Exception):  # noqa: N818  # an answer of the API, no error of ours
    """An error answer of the API: a status, a text, perhaps a validation code, and headers."""

    def __init__(
        self, status: int, text: str, *, code: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status, self.text, self.code, self.headers = status, text, code, headers or {}


class RecordedRequest(NamedTuple):
    """One request and its answer. `status` is 0 if no complete answer was sent."""

    at: float
    operation: str
    target: str
    status: int


class _SlidingHour:
    """The requests of the last hour, and the most that any hour had."""

    def __init__(self) -> None:
        self.times: deque[float] = deque()
        self.most = 0

    def count(self, now: float) -> int:
        while self.times and self.times[0] <= now - _HOUR:
            self.times.popleft()
        return len(self.times)

    def add(self, now: float) -> None:
        self.count(now)
        self.times.append(now)
        self.most = max(self.most, len(self.times))


class RequestRecorder:
    """The number of requests by operation, and in the busiest hour. Refused requests count too."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.log: deque[RecordedRequest] = deque(maxlen=_LOG)
        self._hour = _SlidingHour()

    @property
    def total(self) -> int:
        """The number of requests so far."""
        return self.counts.total()

    @property
    def busiest_hour(self) -> int:
        """The most requests in any sliding hour."""
        return self._hour.most

    def received(self, operation: str, now: float) -> None:
        """Count a request when it comes in."""
        self.counts[operation] += 1
        self._hour.add(now)

    def answered(self, request: RecordedRequest) -> None:
        """Log a request when it is answered, or left without an answer."""
        self.log.append(request)

    def clear(self) -> None:
        """Forget everything. The next count begins at 0."""
        self.counts.clear()
        self.log.clear()
        self._hour = _SlidingHour()


class Authorizer:
    """The check of a request's key, as the API does it."""

    def __init__(self, keys: tuple[Key, ...], retry_after: Literal["seconds", "date"]) -> None:
        self._keys = {key.token: key for key in keys}
        self._hours = {key.token: _SlidingHour() for key in keys}
        self._retry_after = retry_after

    def authorize(self, authorization: str, scope: str, now: float) -> None:
        """Check the key, its hour and its scope, in this order.

        Raises:
            Refusal: 401 with WWW-Authenticate, 429 with Retry-After, 403.
        """
        scheme, _, token = authorization.partition(" ")
        key = self._keys.get(token.strip())
        if scheme.lower() != "bearer" or key is None:
            challenge = {
                "WWW-Authenticate": (
                    'Bearer resource_metadata="/.well-known/oauth-protected-resource"'
                )
            }
            raise Refusal(401, "Unauthorized", headers=challenge)
        hour = self._hours[key.token]
        if key.requests_per_hour is not None and hour.count(now) >= key.requests_per_hour:
            wait = ceil(hour.times[0] + _HOUR - now) if hour.times else int(_HOUR)
            after = (
                str(wait) if self._retry_after == "seconds" else formatdate(now + wait, usegmt=True)
            )
            raise Refusal(429, "Rate limit exceeded", headers={"Retry-After": after})
        hour.add(now)
        if not key.allows(scope):
            raise Refusal(403, "Insufficient permissions")
