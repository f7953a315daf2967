"""The errors of the API, as one tree.

Each error says what happened, to which operation, whether the request is worth repeating, and after
how long. None of them holds the key, a query or a byte of an answer, because they are logged.

ApiError
├── Unauthorised      401, or a key that no header can carry
├── Forbidden         403: the key lacks a scope
├── NotFound          404, 410
├── ClientError       another 4xx, or an id that cannot be asked for
├── Throttled         429, or 503 with Retry-After: the account's budget pauses
├── ServerError       5xx
├── NetworkError      no whole answer came
│   └── TimedOut      none came in time
├── RedirectError     to another host, or without end
├── DecodeError       not JSON, or not of the documented types
├── OversizedError    an answer above the size limit
└── PagingError       pages that would never end or leave rows out
"""

# The names are the API's own words for what happened; they are errors by their base.
# ruff: noqa: N818

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


class ApiError(Exception):
    """A read of the API that failed.

    Attributes:
        operation: the read, one fixed word (`schedules`, `runs`, `summary`, `status`, `results`,
            `run_results`, `cost`, `sparklines`, `usage`).
        code: the HTTP status as text, or one word where there was no status or the status is not
            what failed.
        reason: one fixed word for a metric's label.
        retryable: whether the same request may succeed when it is simply asked again a little
            later.
        retry_after: seconds that the API asked to wait, None where it asked nothing.
    """

    reason = "api"
    retryable = False

    def __init__(
        self, operation: str, message: str, *, code: str, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{operation}: {message}")
        self.operation = operation
        self.code = code
        self.retry_after = retry_after


class Unauthorised(ApiError):
    """The API does not know the key."""

    reason = "unauthorised"


class Forbidden(ApiError):
    """The API knows the key, which may not read this."""

    reason = "forbidden"


class NotFound(ApiError):
    """The API does not know what was asked for, or no longer."""

    reason = "not_found"


class ClientError(ApiError):
    """The API refuses the request as such."""

    reason = "client"


class Throttled(ApiError):
    """The API asks for a pause.

    The client has paused the account's budget, so the next request waits by itself.
    """

    reason = "throttled"
    retryable = True


class ServerError(ApiError):
    """The API failed."""

    reason = "server"
    retryable = True


class NetworkError(ApiError):
    """The API was not reached, or its answer broke off."""

    reason = "network"
    retryable = True


class TimedOut(NetworkError):
    """The API did not answer in time, or not to the end."""

    reason = "timeout"


class RedirectError(ApiError):
    """The API points somewhere that is not followed."""

    reason = "redirect"

    def __init__(self, operation: str, message: str) -> None:
        super().__init__(operation, message, code="redirect")


class DecodeError(ApiError):
    """The answer is not what the API documents."""

    reason = "decode"

    def __init__(self, operation: str, message: str) -> None:
        super().__init__(operation, message, code="decode")


class OversizedError(ApiError):
    """The answer is larger than the exporter takes."""

    reason = "oversized"

    def __init__(self, operation: str, message: str) -> None:
        super().__init__(operation, message, code="oversized")


class PagingError(ApiError):
    """The pages contradict each other so that reading on would not end or would leave rows out."""

    reason = "paging"

    def __init__(self, operation: str, message: str) -> None:
        super().__init__(operation, message, code="paging")


_UNKNOWN_HERE: Final = (
    NotFound,
    "the API does not know it ({status}): it is gone, or not this key's to see",
)
_MEANINGS: Final[Mapping[int, tuple[type[ApiError], str]]] = {
    401: (
        Unauthorised,
        (
            "the API refuses the key ({status}): check that it is whole, current and allowed from"
            " this address"
        ),
    ),
    403: (
        Forbidden,
        "the key may not read this ({status}): give it the scope, or switch off what needs it",
    ),
    404: _UNKNOWN_HERE,
    410: _UNKNOWN_HERE,
    429: (Throttled, "the API asks to wait ({status}); requests pause for {wait:.0f} s"),
}


def of_status(operation: str, status: int, *, retry_after: float | None = None) -> ApiError:
    """Return the error for an HTTP status other than 200 and the redirects.

    `retry_after` is in seconds.
    """
    if status in _MEANINGS:
        kind, message = _MEANINGS[status]
    elif status == 503 and retry_after is not None:
        kind, message = _MEANINGS[429]
    elif status >= 500:
        kind, message = ServerError, "the API failed ({status}); it will be asked again"
    elif status >= 400:
        kind, message = (
            ClientError,
            "the API refuses the request ({status}): is this exporter too old for it?",
        )
    else:
        return DecodeError(operation, f"the API answered {status} where it documents 200")
    return kind(
        operation,
        message.format(status=status, wait=retry_after or 0.0),
        code=str(status),
        retry_after=retry_after,
    )
