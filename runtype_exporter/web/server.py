"""The HTTP server in the exporter's own event loop.

It does not handle signals, and cuts off clients that still do not read some time after a stop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

GRACE = 1.5
"""Seconds that a response under way may still take after `stop`."""
KEEP_ALIVE = 130
"""Seconds that an idle connection is kept. This is longer than usual scrape intervals, so that
Prometheus need not connect again."""


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        # uvicorn sets it only once it listens.
        self.servers: list[asyncio.Server] = []

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would handle the process's signals and raise them again afterwards.
        yield

    def cut(self) -> None:
        """Stop listening and drop the connections that are left."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; an empty host means every address of both families.

    Raises:
        OSError: the address is taken or not this machine's; the message names it.
    """
    try:
        if not host and socket.has_dualstack_ipv6():
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128
            )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host or '*'}:{port} (--web.listen-address): {error.strerror}"
        ) from None


class Server:
    """Serves an application from `run` until `stop`.

    `date_header` adds a `Date` header, for an application that sends none.
    """

    def __init__(
        self, app: ASGIApp, sockets: Sequence[socket.socket], *, date_header: bool = True
    ) -> None:
        self._sockets = list(sockets)
        for listener in self._sockets:
            # Connections inherit it; asyncio sets it only where proto is given.
            if listener.family in (
                socket.AF_INET,
                socket.AF_INET6,
            ):
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                # Always the tested parser, whatever else may be installed.
                http="h11",
                ws="none",
                lifespan="off",
                interface="asgi3",
                access_log=False,
                log_config=None,
                server_header=False,
                date_header=date_header,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=2,
            )
        )

    @property
    def started(self) -> bool:
        """Return whether requests are answered."""
        return self._server.started

    def stop(self) -> None:
        """Accept nothing more and let `run` return.

        This takes about 2 s at the most, and no time if no response is under way.
        """
        if not self._server.should_exit:
            self._server.should_exit = True
            asyncio.get_running_loop().call_later(GRACE, self._server.cut)

    async def run(self) -> None:
        """Serve until stopped or cancelled, then close the sockets."""
        try:
            await self._server.serve(sockets=self._sockets)
        finally:
            self._server.cut()
            for listener in self._sockets:
                listener.close()
