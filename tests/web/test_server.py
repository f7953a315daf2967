"""Slow clients, clients that hang, and the end."""

from __future__ import annotations

import asyncio
import signal
import socket

import httpx
import pytest

from runtype_exporter.web import Server, listen
from runtype_exporter.web.server import GRACE

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


async def connect(harness, request=REQUEST):
    """A client that asked, and reads nothing yet."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(client, harness.address)
    except OSError:
        client.close()
        raise
    await loop.sock_sendall(client, request)
    return client


async def under_way(harness):
    """Wait until the server writes a response."""
    state = harness.server._server.server_state
    while not state.tasks:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_slow_client_gets_the_version_that_it_began_with(harness):
    harness.grow(20_000)
    async with harness.open() as other:
        client = await connect(harness)
        await under_way(harness)
        assert harness.served == []
        harness.count(1.0, flow="late")
        harness.publisher.publish_now()
        assert 'flow="late"' in (await other.get("/metrics")).text
        assert harness.served == [2], "the slow one has not got its version whole"
        reader, writer = await asyncio.open_connection(sock=client)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        body = await reader.readexactly(length)
        assert b'flow="late"' not in body
        assert body.count(b"runtype_records_finished_total{") == 20_000
        writer.close()
        await writer.wait_closed()
    assert harness.served == [2, 1]


async def test_a_client_that_breaks_off_counts_for_no_scrape(harness):
    harness.grow(20_000)
    async with harness.open() as other:
        client = await connect(harness)
        await under_way(harness)
        client.close()
        # Uvicorn has no event for it.
        while harness.server._server.server_state.tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert harness.served == []
        assert (await other.get("/-/healthy")).status_code == 200


async def test_an_idle_server_stops_at_once(harness):
    loop = asyncio.get_running_loop()
    async with harness.open() as client:
        await client.get("/metrics")
        began = loop.time()
        harness.server.stop()
        harness.server.stop()
        await harness.running
        assert loop.time() - began < 1.0
    with pytest.raises(ConnectionRefusedError):
        await connect(harness)


async def test_a_client_that_hangs_is_cut_off_when_the_server_stops(harness, caplog):
    loop = asyncio.get_running_loop()
    harness.grow(20_000)
    async with harness.open():
        client = await connect(harness)
        await under_way(harness)
        began = loop.time()
        harness.server.stop()
        await harness.running
        assert GRACE <= loop.time() - began < GRACE + 1
        client.close()
    assert harness.served == []
    assert not [record for record in caplog.records if record.exc_info], (
        "an end as planned leaves no traceback"
    )


async def test_a_client_that_never_finishes_its_request_does_not_hold_up_the_end(harness):
    loop = asyncio.get_running_loop()
    async with harness.open():
        client = await connect(harness, b"GET /metrics HT")
        await asyncio.sleep(0)
        began = loop.time()
        harness.server.stop()
        await harness.running
        assert loop.time() - began < GRACE + 1
        client.close()


async def test_a_response_under_way_is_finished_before_the_end(harness):
    harness.grow(20_000)
    async with harness.open():
        client = await connect(harness)
        await under_way(harness)
        harness.server.stop()
        reader, writer = await asyncio.open_connection(sock=client)
        data = await reader.read()
        assert data.count(b"runtype_records_finished_total{") == 20_000
        writer.close()
        await writer.wait_closed()


async def test_a_server_that_is_cancelled_closes_its_sockets(harness):
    harness.grow(20_000)
    async with harness.open():
        client = await connect(harness)
        await under_way(harness)
        harness.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await harness.running
        client.close()
        with pytest.raises(ConnectionRefusedError):
            await connect(harness)
        harness.running = asyncio.create_task(asyncio.sleep(0))


async def test_a_server_stopped_before_it_ran_returns(harness):
    async def app(scope, receive, send):
        raise AssertionError

    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(app, [listener])
    server.stop()
    await asyncio.wait_for(server.run(), 5)
    assert listener.fileno() == -1


async def test_signals_are_left_alone(harness):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with harness.open() as client:
        await client.get("/-/healthy")
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_date_header_is_left_to_an_application_that_sends_its_own(wanted):
    async def app(_scope, _receive, send):
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
        )
        await send({"type": "http.response.body", "body": b""})

    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(app, [listener], date_header=wanted)
    running = asyncio.create_task(server.run())
    async with httpx.AsyncClient(base_url="http://{}:{}".format(*listener.getsockname())) as client:
        answer = await client.get("/")
    server.stop()
    await running
    assert ("date" in answer.headers) is wanted


async def test_small_writes_go_out_at_once(harness):
    async with harness.open() as client:
        await client.get("/-/healthy")
        [connection] = harness.server._server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), (
            "or a scrape waits 40 ms for an acknowledgement"
        )


async def test_a_socket_of_another_kind_serves_as_well(tmp_path):
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    server = Server(app, [listener])
    running = asyncio.create_task(server.run())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0)
    async with httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=str(tmp_path / "socket"))
    ) as client:
        assert (await client.get("http://local/")).status_code == 204
    server.stop()
    await running


def test_without_ipv6_it_listens_on_ipv4(monkeypatch):
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with listen("", 0) as listener:
        assert socket.AF_INET == listener.family
