"""Who may ask how often: keys, their scopes and hourly limits, and the record of every request.

Scope names are the simulator's own: the real ones for schedules and batches are not documented. It
knows nothing of the account's contents.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from email.utils import formatdate
from math import ceil
from typing import Literal, NamedTuple

_HOUR = 3600.0
_LOG = 100_000
"""Requests that the log keeps; the counts know all."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, what it may do (`RESOURCE:ACTION`, `RESOURCE:*` or `*`) and how often in any hour (None: without limit)."""

    token: str
    scopes: tuple[str, ...] = ("*",)
    requests_per_hour: int | None = None

    def allows(self, scope: str) -> bool:
        """Whether the key has the scope."""
        return bool({"*", scope, f"{scope.partition(':')[0]}:*"} & set(self.scopes))


class Refusal(Exception):  # noqa: N818  # an answer of the API, no error of ours
    """The API says no: a status, a text, a validation code perhaps, and headers."""

    def __init__(
        self, status: int, text: str, *, code: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status, self.text, self.code, self.headers = status, text, code, headers or {}


class Request(NamedTuple):
    """One request as it was asked and answered. `status` is 0 where no answer was sent whole."""

    at: float
    operation: str
    target: str
    status: int


class _Hour:
    """A sliding hour and the most that it ever held."""

    def __init__(self) -> None:
        self.times: deque[float] = deque()
        self.most = 0

    def held(self, now: float) -> int:
        while self.times and self.times[0] <= now - _HOUR:
            self.times.popleft()
        return len(self.times)

    def add(self, now: float) -> None:
        self.held(now)
        self.times.append(now)
        self.most = max(self.most, len(self.times))


class Recorder:
    """Every request by operation, and the most in any sliding hour, the refused ones included."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.log: deque[Request] = deque(maxlen=_LOG)
        self._hour = _Hour()

    @property
    def total(self) -> int:
        """All requests so far."""
        return self.counts.total()

    @property
    def busiest_hour(self) -> int:
        """The most requests that any sliding hour saw."""
        return self._hour.most

    def asked(self, operation: str, now: float) -> None:
        """A request came in."""
        self.counts[operation] += 1
        self._hour.add(now)

    def answered(self, request: Request) -> None:
        """A request was answered, or was left without an answer."""
        self.log.append(request)

    def clear(self) -> None:
        """Forget everything: the next count begins at 0."""
        self.counts.clear()
        self.log.clear()
        self._hour = _Hour()


class Gate:
    """Lets a request in, or refuses it as the API does."""

    def __init__(self, keys: tuple[Key, ...], retry_after: Literal["seconds", "date"]) -> None:
        self._keys = {key.token: key for key in keys}
        self._hours = {key.token: _Hour() for key in keys}
        self._retry_after = retry_after

    def admit(self, authorization: str, scope: str, now: float) -> None:
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
        if key.requests_per_hour is not None and hour.held(now) >= key.requests_per_hour:
            wait = ceil(hour.times[0] + _HOUR - now) if hour.times else int(_HOUR)
            after = (
                str(wait) if self._retry_after == "seconds" else formatdate(now + wait, usegmt=True)
            )
            raise Refusal(429, "Rate limit exceeded", headers={"Retry-After": after})
        hour.add(now)
        if not key.allows(scope):
            raise Refusal(403, "Insufficient permissions")
