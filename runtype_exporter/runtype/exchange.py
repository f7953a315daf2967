"""Send one request to the API and return its answer: retries, redirects, key and budget.

Each request is paid from the budget and counted. The answer is typed, or one error of the tree;
neither the key nor the text of an answer goes anywhere else. An answer also says what time it is,
and whether the key and the pace of requests are right.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx
import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.protocols import Attempt, Telemetry
from runtype_exporter.runtype.api_key import ApiKey
from runtype_exporter.runtype.api_time import ApiTime
from runtype_exporter.runtype.body import ACCEPTED, read_body
from runtype_exporter.runtype.budget import Budget, Priority
from runtype_exporter.runtype.decoding import AnswerT, Decoder, RowsPage
from runtype_exporter.runtype.errors import (
    ApiError,
    NetworkError,
    RedirectError,
    ServerError,
    TimedOut,
    Unauthorised,
    of_status,
)
from runtype_exporter.runtype.headers import age, is_html, retry_after, server_time
from runtype_exporter.urls import DEFAULT_BASE_URL, UrlFault, base_url_fault, is_loopback

MAX_RESPONSE: Final = 16 * 1024 * 1024
"""The largest answer that is read, bytes after inflating."""
MAX_REDIRECTS: Final = 3
ATTEMPTS: Final = 2
"""How often a request is sent in all when the API fails or is not reached."""

_FIRST_BACKOFF: Final = 1.0

_NOT_A_BASE: Final = (
    f"base_url must be a scheme, a host and at most a port and a path, like {DEFAULT_BASE_URL}"
)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Sent:
    """When a request was sent, by the monotonic clock and by the loop's time."""

    monotonic: float
    loop: float


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer with the status 200, and when it came: by its head and by the monotonic clock."""

    body: bytes
    date: float | None
    age: float | None
    sent: float
    received: float


class Exchange:
    """The HTTP connection to one account's API, GET only.

    Server and network failures are tried again, each time from the budget; nothing else is.
    """

    def __init__(  # noqa: PLR0913  # what differs between accounts and tests, all by keyword
        self,
        account: str,
        base_url: str,
        key: Callable[[], str] | str,
        *,
        budget: Budget,
        telemetry: Telemetry,
        clock: Clock,
        api_time: ApiTime,
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
        max_response: int = MAX_RESPONSE,
        user_agent: str = "runtype-exporter",
        attempts: int = ATTEMPTS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Open nothing yet.

        Args:
            account: the account's name, for metrics.
            base_url: where the API is.
            key: the API key, or a function that is called before each request, so that a rotated
                key is used at once.
            budget: pays for every request. It stays open: its owner closes it.
            telemetry: counts each request.
            clock: measures when requests are sent and answered.
            api_time: learns from each answer what time it is at the API.
            timeout: for one request, to the last byte of its answer, seconds.
            transport: replaces the network in tests.
            max_response: the largest answer that is read, bytes after inflating.
            user_agent: the `User-Agent` header.
            attempts: how often a request is sent in all.
            jitter: returns numbers from 0 up to 1.

        Raises:
            ValueError: `base_url` is no URL, holds credentials or a query, or would send the key in
                the clear.
        """
        self.account: Final = account
        self.base_url: Final = _parse_base(base_url)
        self._key = ApiKey(key)
        self._budget = budget
        self._telemetry = telemetry
        self._clock = clock
        self._api_time = api_time
        self._timeout = timeout
        self._max_response = max_response
        self._attempts = attempts
        self._jitter = jitter
        self._logged: set[tuple[str, str]] = set()
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=timeout,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": ACCEPTED,
                "User-Agent": user_agent,
            },
            # A proxy of the environment must not be given what is meant for this machine alone.
            trust_env=not is_loopback(self.base_url.host),
            # A cookie is state that is not needed, and a server may set more and more of them.
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
        )

    async def aclose(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def get(
        self,
        decoder: Decoder[AnswerT],
        path: str,
        parameters: Mapping[str, str],
        priority: Priority,
    ) -> AnswerT:
        """Return the decoded answer; try again if the API fails or is not reached.

        Raises:
            ApiError: the read failed.
            Exception: whatever the budget's store or `key` raises.
        """
        url = self.base_url.join(path).copy_merge_params(parameters)
        for attempt in range(1, self._attempts):
            try:
                return await self._follow(decoder, url, priority)
            except (ServerError, NetworkError):
                await asyncio.sleep(
                    _FIRST_BACKOFF * 2 ** (attempt - 1) * (0.5 + self._jitter() / 2)
                )
        return await self._follow(decoder, url, priority)

    async def _follow(
        self, decoder: Decoder[AnswerT], url: httpx.URL, priority: Priority
    ) -> AnswerT:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._request(decoder, url, priority)
            if not isinstance(answer, httpx.URL):
                return answer
            url = answer
        raise RedirectError(
            decoder.operation, f"the API redirected more than {MAX_REDIRECTS} times in a row"
        )

    async def _request(
        self, decoder: Decoder[AnswerT], url: httpx.URL, priority: Priority
    ) -> AnswerT | httpx.URL:
        """Send one request; return the answer, or the URL that the API redirects to."""
        operation = decoder.operation
        await self._budget.spend(priority)
        # After the wait, which may be long: the key may be another one by now.
        try:
            headers = self._key.headers(operation)
        except Exception as error:
            if isinstance(error, Unauthorised):
                self._budget.refuse_key(self._key.has_changed)
            self._budget.refund()
            raise
        request = self._http.build_request("GET", url, headers=headers)
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome = "cancelled"
        try:
            status, content = await self._receive(operation, request)
            answer: AnswerT | httpx.URL
            if isinstance(content, _Answered):
                answer = await self._decoded(decoder, content)
            else:
                answer = content
            outcome = str(status)
        except ApiError as error:
            outcome = error.code
            raise
        finally:
            self._telemetry.attempt(Attempt(self.account, operation, outcome, loop.time() - began))
        return answer

    async def _decoded(self, decoder: Decoder[AnswerT], content: _Answered) -> AnswerT:
        answer = await decoder.decode(content.body)
        # Only now: what else answers with 200 in place of the API must not set the time.
        self._api_time.observe(
            content.date, content.age, sent=content.sent, received=content.received
        )
        for reason in answer.rejected if isinstance(answer, RowsPage) else ():
            self._telemetry.rejected(self.account, decoder.operation, reason)
            if (decoder.operation, reason) not in self._logged:
                self._logged.add((decoder.operation, reason))
                _log.warning(
                    "a row of an answer cannot be understood and is left out; further ones of this"
                    " kind are only counted",
                    account=self.account,
                    operation=decoder.operation,
                    reason=reason,
                )
        return answer

    async def _receive(
        self, operation: str, request: httpx.Request
    ) -> tuple[int, _Answered | httpx.URL]:
        """Send a request and read what comes back to its end."""
        sent = _Sent(self._clock.monotonic(), asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._http.send(request, stream=True)
                try:
                    return response.status_code, await self._content(operation, response, sent)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            failure = self._unreached(operation, error)
        # Raised here, so that it does not carry the request, and with it the key, as its context.
        raise failure

    async def _content(
        self, operation: str, response: httpx.Response, sent: _Sent
    ) -> _Answered | httpx.URL:
        received = self._clock.monotonic()
        status = response.status_code
        if status == 401:
            self._budget.refuse_key(self._key.has_changed)
        else:
            self._budget.key_accepted()
        if status == 200:
            date, kept = server_time(response.headers), age(response.headers)
            body = await read_body(response, operation, self._max_response)
            return _Answered(body, date, kept, sent.monotonic, received)
        if 300 <= status < 400:
            return self._redirected(operation, response)
        wait = retry_after(response.headers, self._api_time.now())
        if status == 429 or (status in (403, 503) and wait is not None):
            wait = self._budget.throttle(wait, sent=sent.loop)
        raise of_status(operation, status, retry_after=wait, html=is_html(response.headers))

    def _redirected(self, operation: str, response: httpx.Response) -> httpx.URL:
        following = response.next_request
        if following is None:
            raise RedirectError(operation, f"the API redirects ({response.status_code}) to nowhere")
        url = following.url
        if _origin(url) != _origin(self.base_url) or url.userinfo:
            message = (
                "the API redirects to another host, which would be given the key,"
                " so it is not followed; check base_url"
            )
            raise RedirectError(operation, message)
        return url

    def _unreached(self, operation: str, error: Exception) -> NetworkError:
        if isinstance(error, (httpx.TimeoutException, TimeoutError)):
            return TimedOut(
                operation,
                f"no whole answer within {self._timeout:g} s; it will be asked again",
                code="timeout",
            )
        if isinstance(error, httpx.ConnectError):
            # Only this kind has a text that comes from the operating system and TLS alone. It
            # says what to correct.
            return NetworkError(
                operation, f"{self.base_url.host} was not reached: {error}", code="connect"
            )
        return NetworkError(
            operation,
            f"the connection broke off ({type(error).__name__}); it will be asked again",
            code="network",
        )


def _parse_base(base_url: str) -> httpx.URL:
    """Return the base URL, its path ending in a slash.

    Raises:
        ValueError: it cannot be a base URL; the message says why.
    """
    match base_url_fault(base_url):
        case UrlFault.NOT_A_URL:
            raise ValueError(f"base_url is not a URL; it should look like {DEFAULT_BASE_URL}")
        case UrlFault.CREDENTIALS | UrlFault.NOT_A_BASE:
            raise ValueError(_NOT_A_BASE)
        case UrlFault.CLEAR_TEXT:
            raise ValueError(
                f"base_url {base_url} would send the API key in the clear;"
                " use https (http is allowed on loopback only)"
            )
    url = httpx.URL(base_url)
    return url.copy_with(path=url.path.rstrip("/") + "/")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
