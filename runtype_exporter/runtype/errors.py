"""The errors of the API, as one tree.

Each error says what happened, to which operation, and whether the request is worth repeating. None
of them holds the key, a query or a byte of an answer, because they are logged.

ApiError
├── Unauthorised      401, or a key that no header can carry
├── Forbidden         403: the key lacks a scope
├── EdgeRefused       403 of something before the API: an HTML body or Retry-After
├── NotFound          404, 410
├── UrlTooLong        414
├── ClientError       another 4xx, or an id that cannot be asked for
├── Throttled         429, or 503 with Retry-After: the account's budget pauses
├── ServerError       5xx, and 408, 409 and 425, which pass by themselves
├── NetworkError      no whole answer came
│   └── TimedOut      none came in time
├── RedirectError     to another host, or without end
├── DecodeError       not JSON, or not of the documented types
├── OversizedError    413, or an answer above the size limit
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
    """

    reason = "api"
    retryable = False

    def __init__(self, operation: str, message: str, *, code: str) -> None:
        super().__init__(f"{operation}: {message}")
        self.operation = operation
        self.code = code


class Unauthorised(ApiError):
    """The API does not know the key."""

    reason = "unauthorised"


class Forbidden(ApiError):
    """The API knows the key, which may not read this."""

    reason = "forbidden"


class EdgeRefused(ApiError):
    """Something before the API refused the request, such as a firewall. No scope is missing."""

    reason = "edge"
    retryable = True


class NotFound(ApiError):
    """The API does not know what was asked for, or no longer."""

    reason = "not_found"


class UrlTooLong(ApiError):
    """The request asks for too much in one URL. Its reason is that of any refused request."""

    reason = "client"


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
    """The answer is larger than the exporter takes, or than the API gives."""

    reason = "oversized"

    def __init__(self, operation: str, message: str, *, code: str = "oversized") -> None:
        super().__init__(operation, message, code=code)


class PagingError(ApiError):
    """The pages contradict each other so that reading on would not end or would leave rows out."""

    reason = "paging"

    def __init__(self, operation: str, message: str) -> None:
        super().__init__(operation, message, code="paging")


_Meaning = tuple[type[ApiError], str]
_UNKNOWN_HERE: Final[_Meaning] = (
    NotFound,
    "the API does not know it ({status}): it is gone, or not this key's to see",
)
_SERVER_FAULT: Final[_Meaning] = (ServerError, "the API failed ({status}); it will be asked again")
_WAIT: Final[_Meaning] = (
    Throttled,
    "the API asks to wait ({status}); requests pause for {wait:.0f} s",
)
_EDGE: Final[_Meaning] = (
    EdgeRefused,
    (
        "something between here and the API refused the request ({status}): no scope is missing,"
        " but a firewall or proxy may block this address or client"
    ),
)
_BAD_REQUEST: Final[_Meaning] = (
    ClientError,
    (
        "the API refuses the request ({status}): page_size may be more than it takes, or this"
        " exporter too old for it"
    ),
)
_MEANINGS: Final[Mapping[int, _Meaning]] = {
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
    400: _BAD_REQUEST,
    404: _UNKNOWN_HERE,
    408: _SERVER_FAULT,
    409: _SERVER_FAULT,
    410: _UNKNOWN_HERE,
    413: (
        OversizedError,
        "the API refuses to answer with so much ({status}); a smaller page_size makes it less",
    ),
    414: (
        UrlTooLong,
        "the URL is too long for the API ({status}); fewer ids in a request make it shorter",
    ),
    422: _BAD_REQUEST,
    425: _SERVER_FAULT,
    429: _WAIT,
}


def of_status(
    operation: str, status: int, *, retry_after: float | None = None, html: bool = False
) -> ApiError:
    """Return the error for an HTTP status other than 200 and the redirects.

    `retry_after` is what the API asked to wait, in seconds. `html` says that the body is a page for
    people.
    """
    if status == 403 and (html or retry_after is not None):
        kind, message = _EDGE
    elif status in _MEANINGS:
        kind, message = _MEANINGS[status]
    elif status == 503 and retry_after is not None:
        kind, message = _WAIT
    elif status >= 500:
        kind, message = _SERVER_FAULT
    elif status >= 400:
        kind, message = (
            ClientError,
            "the API refuses the request ({status}): is this exporter too old for it?",
        )
    else:
        return DecodeError(operation, f"the API answered {status} where it documents 200")
    text = message.format(status=status, wait=retry_after or 0.0)
    return kind(operation, text, code=str(status))
