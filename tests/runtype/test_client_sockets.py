"""The client against real sockets: what only a network can do."""

import asyncio
import gzip
import json
import logging
import time
from contextlib import asynccontextmanager

import pytest

from runtype_exporter.clock import SystemClock
from runtype_exporter.runtype import (
    ApiError,
    ApiTime,
    Budget,
    Client,
    Exchange,
    NetworkError,
    OversizedError,
    TimedOut,
)
from tests.runtype.conftest import Recorder, Store

KEY = "rt_live_KEY-MARK"
SUMMARY = json.dumps({"batches": [], "recent": [{"id": "batch_1", "status": "completed"}]}).encode()


def answer(body, *headers, status="200 OK"):
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def whole(body, *headers, status="200 OK"):
    return answer(body, f"Content-Length: {len(body)}", *headers, status=status)


@asynccontextmanager
async def serving(handle):
    """A server that reads a request and leaves the rest to `handle`.

    Gives its port and the requests' heads.
    """
    heads = []

    async def connected(reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                heads.append(head.decode())
                await handle(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()


@asynccontextmanager
async def connected(port, telemetry, **options):
    clock = SystemClock()
    budget = Budget("acme", 1000, Store(), clock, telemetry)
    given = {"attempts": 1} | options
    base_url = f"http://127.0.0.1:{port}"
    exchange = Exchange(
        "acme",
        base_url,
        KEY,
        budget=budget,
        telemetry=telemetry,
        clock=clock,
        api_time=ApiTime("acme", clock, telemetry),
        **given,
    )
    async with Client(exchange) as client:
        yield client
    budget.close()


def sends(data):
    async def handle(writer):
        writer.write(data)
        await writer.drain()

    return handle


async def test_an_answer_comes_over_the_wire_and_the_connection_is_kept():
    telemetry = Recorder()
    zipped = gzip.compress(SUMMARY)
    date = "Date: Thu, 28 May 2026 20:26:40 GMT"
    async with (
        serving(sends(whole(zipped, "Content-Encoding: gzip", date))) as (port, heads),
        connected(port, telemetry) as client,
    ):
        for _ in range(3):
            assert [row.id for row in (await client.summary()).recent] == ["batch_1"]
    assert telemetry.codes == ["200"] * 3
    assert len(telemetry.skews) == 3
    assert heads[0].startswith("GET /v1/batch/summary HTTP/1.1\r\n")
    assert f"authorization: Bearer {KEY}\r\n" in heads[0].lower().replace(KEY.lower(), KEY).replace(
        "bearer", "Bearer"
    )


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        answer(b"", "Content-Length: 100"),
        answer(SUMMARY[:5], "Content-Length: 100"),
    ],
    ids=["silence", "half a head", "no body", "half a body"],
)
async def test_an_api_that_hangs_is_given_up_in_time(begun, telemetry):
    async def hang(writer):
        writer.write(begun)
        await asyncio.sleep(60)

    began = time.monotonic()
    async with serving(hang) as (port, _), connected(port, telemetry, timeout=0.2) as client:
        with pytest.raises(TimedOut) as caught:
            await client.summary()
    assert str(caught.value) == "summary: no whole answer within 0.2 s; it will be asked again"
    assert telemetry.codes == ["timeout"]
    assert time.monotonic() - began < 5


async def test_a_body_that_drips_for_ever_is_given_up_in_time(telemetry):
    async def drip(writer):
        writer.write(answer(b"", "Content-Length: 100000"))
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as (port, _), connected(port, telemetry, timeout=0.3) as client:
        with pytest.raises(TimedOut):
            await client.summary()
    assert telemetry.attempts[0].seconds < 5


async def test_a_refused_connection_tells_which_host_was_not_reached(telemetry):
    async with serving(sends(b"")) as (port, _):
        pass
    async with connected(port, telemetry) as client:
        with pytest.raises(NetworkError) as caught:
            await client.summary()
    assert str(caught.value).startswith("summary: 127.0.0.1 was not reached: ")
    assert telemetry.codes == ["connect"]


@pytest.mark.parametrize(
    "data",
    [
        answer(SUMMARY[:5], "Content-Length: 100"),
        b"",
        b"CUSTOMER-SECRET\r\n\r\n",
        answer(b"zz\r\nCUSTOMER-SECRET", "Transfer-Encoding: chunked"),
    ],
    ids=["cut short", "nothing", "no HTTP", "bad chunk"],
)
async def test_an_answer_that_breaks_off_is_no_answer(data, telemetry):
    async def cut(writer):
        writer.write(data)
        writer.close()

    async with serving(cut) as (port, _), connected(port, telemetry) as client:
        with pytest.raises(NetworkError) as caught:
            await client.summary()
    assert str(caught.value).startswith("summary: the connection broke off (")
    assert "CUSTOMER-SECRET" not in str(caught.value)
    assert telemetry.codes == ["network"]


async def test_a_connection_reset_is_no_answer(telemetry):
    async def reset(writer):
        writer.write(answer(SUMMARY[:5], "Content-Length: 100"))
        await writer.drain()
        writer.transport.abort()

    async with serving(reset) as (port, _), connected(port, telemetry) as client:
        with pytest.raises(NetworkError):
            await client.summary()
    assert telemetry.codes == ["network"]


@pytest.mark.parametrize(
    "data",
    [
        answer(b"", "Content-Length: 99999999"),
        answer(b"ffff\r\n" + b" " * 0xFFFF + b"\r\n", "Transfer-Encoding: chunked"),
        whole(gzip.compress(b" " * 1_000_000), "Content-Encoding: gzip"),
    ],
    ids=["by its own word", "as it comes", "inflated"],
)
async def test_an_answer_that_is_too_large_is_not_read_to_its_end(data, telemetry):
    async def endless(writer):
        writer.write(data)
        await asyncio.sleep(60)

    async with (
        serving(endless) as (port, _),
        connected(port, telemetry, max_response=10_000) as client,
    ):
        with pytest.raises(OversizedError):
            await client.summary()
    assert telemetry.codes == ["oversized"]


async def test_an_error_does_not_wait_for_its_body_and_the_next_request_works(telemetry):
    turns = iter([answer(b"", "Content-Length: 1000", status="404 Not Found"), whole(SUMMARY)])

    async def handle(writer):
        writer.write(next(turns))
        await writer.drain()

    async with serving(handle) as (port, _), connected(port, telemetry) as client:
        with pytest.raises(ApiError):
            await client.status("batch_1")
        assert (await client.summary()).batches == []
    assert telemetry.codes == ["404", "200"]


async def test_a_proxy_of_the_environment_is_not_given_what_is_for_this_machine(
    telemetry, monkeypatch
):
    async with serving(sends(b"")) as (closed, _):
        pass
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed}")
    async with serving(sends(whole(SUMMARY))) as (port, _), connected(port, telemetry) as client:
        await client.summary()
    assert telemetry.codes == ["200"]


async def test_no_log_at_any_level_holds_the_key(telemetry, caplog):
    caplog.set_level(logging.DEBUG)
    async with serving(sends(whole(SUMMARY))) as (port, _), connected(port, telemetry) as client:
        await client.summary()
    assert "summary" in caplog.text
    assert "KEY-MARK" not in caplog.text
