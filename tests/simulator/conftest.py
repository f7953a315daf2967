"""A clock that a test sets by hand, and a client on the simulated API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.faults import ApiFault, Faults

NOON = 1_782_907_200.0
"""2026-07-01T12:00:00Z, a Wednesday."""


class HandClock:
    """A clock that stands still until it is set."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


class OpenApi:
    """A simulated API and a client that holds its key."""

    def __init__(self, client: httpx.AsyncClient, app) -> None:
        self.client, self.requests = client, app.state.requests
        self.faults, self.world = app.state.faults, app.state.world

    async def get(self, path: str, **params: object) -> dict:
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: object = None) -> dict:
        answer = await self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def noon() -> float:
    return NOON


@pytest.fixture
def clock() -> HandClock:
    return HandClock(NOON)


@pytest.fixture
def open_api() -> Callable:
    """Return a context manager that opens the API of a world, with faults switched on."""

    @asynccontextmanager
    async def opened(
        world: World,
        *faults: ApiFault,
        keys: tuple[Key, ...] = (Key("good"),),
        control: bool = False,
    ) -> AsyncIterator[OpenApi]:
        app = simulator_app(world, keys=keys, faults=Faults(*faults), control=control)
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {keys[0].token}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://simulator", headers=headers
        ) as client:
            yield OpenApi(client, app)

    return opened
