"""The HTTP paths and what they answer.

A handler writes what is ready: none waits for the API, a poll or the ledger, except the reload.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from runtype_exporter.metrics import Publisher, ResponseBody
from runtype_exporter.protocols import Status, StatusSource
from runtype_exporter.web.landing import landing_page
from runtype_exporter.web.negotiation import CONTENT_TYPES, choose_encoding, choose_format

Reload = Callable[[], Awaitable[list[str]]]
"""Reads the configuration again. Returns the errors for which the old one was kept, or an empty
list."""

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class _ExpositionResponse(Response):
    """Writes the prepared chunks of a body.

    It calls `served` if the client is still connected after the last chunk.
    """

    def __init__(
        self, body: ResponseBody, headers: dict[str, str], served: Callable[[], None]
    ) -> None:
        super().__init__(headers={**headers, "content-length": str(body.length)})
        self._chunks = body.chunks
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        # After the response's end every request reads as disconnected, so this is the last moment
        # to ask.
        gone = await Request(scope, receive).is_disconnected()
        await send({"type": "http.response.body", "body": b""})
        if not gone:
            self._served()


def create_app(  # noqa: PLR0913  # keywords all: one for each thing that app supplies
    *,
    publisher: Publisher,
    status: StatusSource,
    reload: Reload,
    version: str,
    telemetry_path: str = "/metrics",
    lifecycle: bool = False,
) -> Starlette:
    """Return the ASGI application. `lifecycle` allows POST /-/reload.

    Raises:
        ValueError: the telemetry path is no path, or is taken.
    """
    if (
        not telemetry_path.startswith("/")
        or telemetry_path.startswith("/-/")
        or set(telemetry_path) & set("{}?#")
    ):
        raise ValueError(
            f"--web.telemetry-path {telemetry_path!r}: give a path such as /metrics, not below /-/"
            " and without {}?#"
        )

    async def metrics(request: Request) -> Response:
        format_ = choose_format(_header(request, "accept"))
        encoding = choose_encoding(_header(request, "accept-encoding"))
        number, body = publisher.body((format_, encoding))
        headers = {
            "content-type": CONTENT_TYPES[format_],
            "vary": "Accept, Accept-Encoding",
            "x-content-type-options": "nosniff",
        }
        if encoding == "gzip":
            headers["content-encoding"] = "gzip"
        return _ExpositionResponse(body, headers, lambda: publisher.served(number))

    async def landing(_request: Request) -> Response:
        page = landing_page(status.status(), version=version, telemetry_path=telemetry_path)
        return HTMLResponse(page, headers=_HEADERS)

    async def healthy(_request: Request) -> Response:
        return _text("healthy")

    async def ready(_request: Request) -> Response:
        now = status.status()
        return _text("ready") if now.ready else _text(_waiting(now), HTTPStatus.SERVICE_UNAVAILABLE)

    async def reload_configuration(_request: Request) -> Response:
        if not lifecycle:
            return _text(
                "reloading over HTTP is off; start with --web.enable-lifecycle",
                HTTPStatus.FORBIDDEN,
            )
        errors = await reload()
        return (
            _text("\n".join(errors), HTTPStatus.INTERNAL_SERVER_ERROR)
            if errors
            else _text("reloaded")
        )

    async def not_found(_request: Request, _error: Exception) -> Response:
        return _text(f"not found; the metrics are at {telemetry_path}", HTTPStatus.NOT_FOUND)

    routes = [
        Route(telemetry_path, metrics, methods=["GET"]),
        Route("/-/healthy", healthy, methods=["GET"]),
        Route("/-/ready", ready, methods=["GET"]),
        Route("/-/reload", reload_configuration, methods=["POST"]),
        # Last, because the telemetry path may be "/" itself.
        Route("/", landing, methods=["GET"]),
    ]
    app = Starlette(routes=routes, exception_handlers={404: not_found})
    # A redirect would repeat the request's Host header.
    app.router.redirect_slashes = False
    return app


def _header(request: Request, name: str) -> str:
    return ",".join(request.headers.getlist(name))


def _text(text: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return PlainTextResponse(f"{text}\n", status, headers=_HEADERS)


def _waiting(status: Status) -> str:
    names = ", ".join(account.name for account in status.accounts if account.up is None)
    return f"not ready: no cycle has ended yet of {names}" if names else "not ready: starting"
