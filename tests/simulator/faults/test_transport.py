"""The faults of the connection, over real sockets and in process."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
import uvicorn

from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.faults import ApiFault, Faults
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import RecordPlan

SUMMARY = "/v1/batch/summary"
HEADERS = {"Authorization": "Bearer good"}


@asynccontextmanager
async def served(clock, *faults):
    """A client on the simulator behind a real server on loopback."""
    app = simulator_app(small_world(clock), keys=[Key("good")], faults=Faults(*faults))
    config = uvicorn.Config(
        app, log_level="critical", lifespan="off", date_header=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        # Listen at once, so that a client may connect before the server has started.
        listening.listen()
        port = listening.getsockname()[1]
        # The public one takes the process's signals.
        task = asyncio.create_task(server._serve([listening]))
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", headers=HEADERS, timeout=5
            ) as client:
                yield client, app
        finally:
            server.should_exit = True
            await task


async def test_a_healthy_answer_has_one_date(clock):
    async with served(clock) as (client, _):
        answer = await client.get(SUMMARY)
        assert (answer.status_code, len(answer.headers.get_list("date"))) == (200, 1)


async def test_a_hanging_request_never_answers_and_ends_with_its_client(clock):
    async with served(clock, ApiFault(kind="hang")) as (client, app):
        with pytest.raises(httpx.ReadTimeout):
            await client.get(SUMMARY, timeout=0.2)
        assert app.state.requests.counts == {"summary": 1}
        assert [entry.status for entry in app.state.requests.log] == [0]


async def test_a_reset_breaks_off_in_the_body(clock):
    async with served(clock, ApiFault(kind="reset", times=1)) as (client, _):
        async with client.stream("GET", SUMMARY) as answer:
            assert answer.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                await answer.aread()
        assert (await client.get(SUMMARY)).status_code == 200


async def test_a_slow_body_comes_in_pieces(clock):
    async with served(clock, ApiFault(kind="slow", value=0.01, times=1)) as (client, _):
        async with client.stream("GET", SUMMARY) as answer:
            pieces = [piece async for piece in answer.aiter_raw()]
        assert len(pieces) > 1
        assert b"".join(pieces) == (await client.get(SUMMARY)).content


async def test_a_slow_body_outlasts_a_client_s_patience(clock):
    async with served(clock, ApiFault(kind="slow", value=30.0)) as (client, _):
        with pytest.raises(httpx.ReadTimeout):
            await client.get(SUMMARY, timeout=0.2)


@pytest.mark.parametrize("kind", ["reset", "hang"])
async def test_in_process_a_client_sees_what_a_socket_would_show(open_api, clock, kind):
    async with open_api(small_world(clock), ApiFault(kind=kind)) as api:
        call = asyncio.create_task(api.client.get(SUMMARY))
        done, _ = await asyncio.wait([call], timeout=0.05)
        if kind == "reset":
            with pytest.raises(httpx.RemoteProtocolError):
                call.result()
        else:
            assert done == set()
            call.cancel()
            with suppress(asyncio.CancelledError):
                await call
        assert [entry.status for entry in api.requests.log] == [0]


async def test_an_answer_waits_for_each_of_its_rows(open_api, clock):
    world = small_world(clock)
    batch = world.add_batch([RecordPlan()] * 10, schedule="nightly", at=clock.at).batch
    path = f"/v1/schedules/batch/{batch.id}/results"
    async with open_api(world, ApiFault(kind="slow_rows", value=0.03)) as api:
        slow = asyncio.create_task(api.get(path))
        quick = asyncio.create_task(api.get(path, limit=1))
        done, _ = await asyncio.wait([slow, quick], timeout=0.15)
        assert done == {quick}
        slow.cancel()
        with suppress(asyncio.CancelledError):
            await slow


async def test_a_body_may_hold_surrogates_without_a_partner(open_api, clock):
    async with open_api(small_world(clock), ApiFault(kind="surrogates", value=3)) as api:
        body = (await api.client.get(SUMMARY)).content
    assert body.count(rb"\ud800") == 3
    assert json.loads(body)["note"] == "\ud800" * 3
    assert json.loads(body)["batches"] == []
