"""The API's reads over HTTP: one account, GET only, every request paid from the budget and counted.

What comes back is a typed answer or one error of the tree; neither the key nor an answer's text
gets anywhere else. It must not know what is asked for next: walking pages and waiting for a batch
are other modules' business.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import quote

import httpx

from runtype_exporter.clock import Clock
from runtype_exporter.model import Attempt
from runtype_exporter.protocols import Telemetry
from runtype_exporter.runtype import responses
from runtype_exporter.runtype.body import ACCEPTED, read_body
from runtype_exporter.runtype.budget import Budget, Priority
from runtype_exporter.runtype.errors import (
    ApiError,
    ClientError,
    NetworkError,
    RedirectError,
    ServerError,
    TimedOut,
    Unauthorised,
    of_status,
)
from runtype_exporter.runtype.headers import retry_after, server_time

MAX_RESPONSE: Final = 16 * 1024 * 1024
"""The largest answer taken, bytes after inflating."""
MAX_LIST_PAGE: Final = 100
"""The documented maximum of `GET /v1/schedules`; that of the run list is not documented."""
MAX_SPARKLINES: Final = 100
"""The documented maximum of `GET /v1/schedules/sparklines`."""
MAX_REDIRECTS: Final = 3
MAX_ID: Final = 512
ATTEMPTS: Final = 3
"""How often a request is sent in all when the API fails or is not reached."""
UNSPOKEN_PAUSE: Final = 60.0
"""How long requests pause after a 429 that does not say how long, seconds."""

_FIRST_BACKOFF: Final = 1.0

T = TypeVar("T")


class Client:
    """One account's reads. An async context manager; `aclose` ends its connections.

    Every read takes a `priority`, waits for the budget, and raises one of `errors.ApiError`'s
    kinds, or whatever the budget's store or `key` raises. Server and network failures are tried
    again, each time from the budget; nothing else is.
    """

    def __init__(  # noqa: PLR0913 - what differs between accounts and tests, all by keyword
        self,
        account: str,
        base_url: str,
        key: Callable[[], str] | str,
        *,
        budget: Budget,
        telemetry: Telemetry,
        clock: Clock,
        timeout: float = 30.0,
        page_size: int = 100,
        transport: httpx.AsyncBaseTransport | None = None,
        max_response: int = MAX_RESPONSE,
        user_agent: str = "runtype-exporter",
        attempts: int = ATTEMPTS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Open nothing yet.

        `key` may be a function, which is asked before each request, so a rotated key is taken up.
        `timeout` is for one request as a whole, to the last byte of its answer, seconds. `jitter`
        gives numbers from 0 up to 1.

        Raises:
            ValueError: `base_url` is no URL, holds credentials or a query, or would send the key in
                the clear.
        """
        self._account = account
        self._base = _checked(base_url)
        self._key = key
        self._budget = budget
        self._telemetry = telemetry
        self._clock = clock
        self._timeout = timeout
        self._page_size = page_size
        self._max_response = max_response
        self._attempts = attempts
        self._jitter = jitter
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=timeout,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": ACCEPTED,
                "User-Agent": user_agent,
            },
            # A proxy of the environment must not be given what is meant for this machine alone.
            trust_env=not _is_loopback(self._base.host),
        )

    def __repr__(self) -> str:
        """Whose client it is; never the key."""
        return f"Client(account={self._account!r}, base_url={str(self._base)!r})"

    async def __aenter__(self) -> Self:
        """Nothing to open."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """End the connections. The budget stays open: it is its owner's."""
        await self._http.aclose()

    async def schedules(
        self, cursor: str | None = None, *, priority: Priority = Priority.DISCOVERY
    ) -> responses.SchedulesPage:
        """One page of the schedules."""
        return await self._get(responses.SCHEDULES, "v1/schedules", self._list(cursor), priority)

    async def runs(
        self, cursor: str | None = None, *, priority: Priority = Priority.DISCOVERY
    ) -> responses.RunsPage:
        """One page of all schedules' runs."""
        return await self._get(
            responses.RUNS, "v1/schedules/runs/all", self._list(cursor), priority
        )

    async def summary(self, *, priority: Priority = Priority.DISCOVERY) -> responses.Summary:
        """The batches at work and those that ended of late."""
        return await self._get(responses.SUMMARY, "v1/batch/summary", {}, priority)

    async def status(
        self, batch_id: str, *, priority: Priority = Priority.DISCOVERY
    ) -> responses.BatchStatus:
        """One batch's state."""
        path = f"v1/batch/status/{_segment('status', batch_id)}"
        return await self._get(responses.STATUS, path, {}, priority)

    async def results(
        self,
        batch_id: str,
        offset: int,
        *,
        status: str | None = None,
        priority: Priority = Priority.RUNNING,
    ) -> responses.ResultsPage:
        """One page of a batch's results from row `offset`, those of one `status` word alone if it is given."""
        path = f"v1/schedules/batch/{_segment('results', batch_id)}/results"
        parameters = {"limit": str(self._page_size), "offset": str(offset)}
        if status is not None:
            parameters["status"] = status
        return await self._get(responses.RESULTS, path, parameters, priority)

    async def run_results(
        self, run_id: str, offset: int, *, priority: Priority = Priority.RUNNING
    ) -> responses.ResultsPage:
        """One page of a run's results from row `offset`.

        Whether the API heeds the offset is not documented.
        """
        path = f"v1/schedules/runs/{_segment('run_results', run_id)}/results"
        parameters = {"limit": str(self._page_size), "offset": str(offset)}
        return await self._get(responses.RUN_RESULTS, path, parameters, priority)

    async def cost(
        self, batch_id: str, *, priority: Priority = Priority.EXTRA
    ) -> responses.BatchCost:
        """What a batch cost."""
        return await self._get(
            responses.COST, f"v1/batch/{_segment('cost', batch_id)}/cost", {}, priority
        )

    async def sparklines(
        self, ids: Sequence[str], *, priority: Priority = Priority.EXTRA
    ) -> responses.Sparklines:
        """The last seven days of these schedules, `MAX_SPARKLINES` at the most.

        Raises:
            ValueError: the ids are too many, none, or one of them holds a comma, which is what
                separates them.
        """
        if not 0 < len(ids) <= MAX_SPARKLINES or any("," in identity for identity in ids):
            raise ValueError(f"sparklines are asked for 1 to {MAX_SPARKLINES} ids without commas")
        return await self._get(
            responses.SPARKLINES, "v1/schedules/sparklines", {"ids": ",".join(ids)}, priority
        )

    async def usage(self, *, priority: Priority = Priority.EXTRA) -> responses.Usage:
        """What of the plan is used up."""
        return await self._get(responses.USAGE, "v1/usage-limits/daily", {}, priority)

    def _list(self, cursor: str | None) -> dict[str, str]:
        parameters = {"limit": str(min(self._page_size, MAX_LIST_PAGE))}
        if cursor is not None:
            parameters["cursor"] = cursor
        return parameters

    async def _get(
        self,
        decoder: responses.Decoder[T],
        path: str,
        parameters: Mapping[str, str],
        priority: Priority,
    ) -> T:
        url = self._base.join(path).copy_merge_params(parameters)
        for attempt in range(1, self._attempts):
            try:
                return await self._follow(decoder, url, priority)
            except (ServerError, NetworkError):
                await asyncio.sleep(
                    _FIRST_BACKOFF * 2 ** (attempt - 1) * (0.5 + self._jitter() / 2)
                )
        return await self._follow(decoder, url, priority)

    async def _follow(self, decoder: responses.Decoder[T], url: httpx.URL, priority: Priority) -> T:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._exchange(decoder, url, priority)
            if not isinstance(answer, httpx.URL):
                return answer
            url = answer
        raise RedirectError(
            decoder.operation, f"the API redirected more than {MAX_REDIRECTS} times in a row"
        )

    async def _exchange(
        self, decoder: responses.Decoder[T], url: httpx.URL, priority: Priority
    ) -> T | httpx.URL:
        """One request: the answer, or where it is to be had."""
        operation = decoder.operation
        request = self._http.build_request("GET", url, headers=self._authorization(operation))
        await self._budget.spend(priority)
        loop = asyncio.get_running_loop()
        began = loop.time()
        code = "cancelled"
        try:
            status, content = await self._receive(operation, request)
            answer = content if isinstance(content, httpx.URL) else decoder.decode(content)
            code = str(status)
        except ApiError as error:
            code = error.code
            raise
        finally:
            self._telemetry.attempt(Attempt(self._account, operation, code, loop.time() - began))
        return answer

    async def _receive(
        self, operation: str, request: httpx.Request
    ) -> tuple[int, bytes | httpx.URL]:
        """Send a request and read what comes back to its end."""
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._http.send(request, stream=True)
                try:
                    return response.status_code, await self._content(operation, response)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            failure = self._unreached(operation, error)
        # Raised here, so that it does not carry the request, and with it the key, as its context.
        raise failure

    async def _content(self, operation: str, response: httpx.Response) -> bytes | httpx.URL:
        now = self._clock.now()
        if (told := server_time(response.headers)) is not None:
            self._telemetry.skew(self._account, told - now)
        status = response.status_code
        if status == 200:
            return await read_body(response, operation, self._max_response)
        if 300 <= status < 400:
            return self._redirected(operation, response)
        wait = retry_after(response.headers, now)
        if status == 429 and wait is None:
            wait = UNSPOKEN_PAUSE
        if status in (429, 503) and wait is not None:
            self._budget.pause(now + wait)
        raise of_status(operation, status, retry_after=wait)

    def _redirected(self, operation: str, response: httpx.Response) -> httpx.URL:
        following = response.next_request
        if following is None:
            raise RedirectError(operation, f"the API redirects ({response.status_code}) to nowhere")
        url = following.url
        if _origin(url) != _origin(self._base) or url.userinfo:
            message = (
                "the API redirects to another host, which would be given the key, so it is not"
                " followed; check base_url"
            )
            raise RedirectError(operation, message)
        return url

    def _authorization(self, operation: str) -> dict[str, str]:
        key = self._key if isinstance(self._key, str) else self._key()
        # Said here, without quoting it: the HTTP library would quote it.
        if not key or " " in key or not (key.isascii() and key.isprintable()):
            message = (
                "the API key is empty or has characters that no key has; check the variable or file"
                " that it is read from"
            )
            raise Unauthorised(operation, message, code="key")
        return {"Authorization": f"Bearer {key}"}

    def _unreached(self, operation: str, error: Exception) -> NetworkError:
        if isinstance(error, (httpx.TimeoutException, TimeoutError)):
            return TimedOut(
                operation,
                f"no whole answer within {self._timeout:g} s; it will be asked again",
                code="timeout",
            )
        if isinstance(error, httpx.ConnectError):
            # The one kind whose text comes from the operating system and TLS alone, and tells the
            # user what to mend.
            return NetworkError(
                operation, f"{self._base.host} was not reached: {error}", code="connect"
            )
        return NetworkError(
            operation,
            f"the connection broke off ({type(error).__name__}); it will be asked again",
            code="network",
        )


def _checked(base_url: str) -> httpx.URL:
    """The base URL, its path ending in a slash."""
    try:
        url = httpx.URL(base_url)
        # As resolving the name will do, with an error that is no network error.
        url.raw_host.decode().encode("idna")
    except (httpx.InvalidURL, TypeError, UnicodeError):
        raise ValueError(
            "base_url is not a URL; it should look like https://api.runtype.com"
        ) from None
    if not url.host or url.userinfo or url.query or url.fragment:
        raise ValueError(
            "base_url must be a scheme, a host and at most a port and a path, like"
            " https://api.runtype.com"
        )
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.host)):
        raise ValueError(
            f"base_url {base_url} would send the API key in the clear; use https (http is allowed"
            " on loopback only)"
        )
    return url.copy_with(path=url.path.rstrip("/") + "/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _segment(operation: str, identity: str) -> str:
    """An opaque identity as one segment of a path, whatever characters it has."""
    if not 0 < len(identity) <= MAX_ID or identity in (".", ".."):
        raise ClientError(
            operation,
            f"an id of {len(identity)} characters cannot be asked for; check the configured"
            " batches",
            code="client",
        )
    return quote(identity, safe="", errors="replace")
