"""A web server over real sockets, in the test's own loop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import httpx
import pytest

from runtype_exporter.clock import SystemClock
from runtype_exporter.metrics import Gauges, ProcessMetrics, Publisher
from runtype_exporter.model import Sample, Snapshot
from runtype_exporter.protocols import Status
from runtype_exporter.web import Server, create_app

RECORDS = "runtype_records_finished_total"


class Harness:
    """What `web` needs from the other packages, and the address of its server."""

    def __init__(self):
        self.families = {}
        self.now = Status(ready=False)
        self.errors = []
        self.reloads = 0
        self.served = []
        gauges = Gauges(batches_per_schedule=1, known_words=frozenset())
        self.publisher = Publisher(
            ledger=self._snapshot,
            gauges=gauges.snapshot,
            process=ProcessMetrics(),
            clock=SystemClock(),
            gate=False,
        )
        serve = self.publisher.served
        self.publisher.served = lambda version: (self.served.append(version), serve(version))

    def _snapshot(self):
        families, self.families = self.families, {}
        return Snapshot(1, families)

    def count(self, value, flow="f"):
        labels = ("a", "s", flow, "success")
        self.families.setdefault(RECORDS, {})[labels] = Sample(value, 1.7e9)

    def grow(self, series):
        """Make the exposition large enough not to fit into the sockets' buffers."""
        for number in range(series):
            self.count(1.0, flow=f"{number:06}-{'x' * 200}")
        self.publisher.publish_now()

    def status(self):
        return self.now

    async def reload(self):
        self.reloads += 1
        return self.errors

    @asynccontextmanager
    async def open(self, **options):
        """Serve, and hand out a client."""
        app = create_app(
            publisher=self.publisher, status=self, reload=self.reload, version="1.2.3", **options
        )
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()[:2]
        self.server = Server(app, [listener])
        self.running = asyncio.create_task(self.server.run())
        while not self.server.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0)
        try:
            async with httpx.AsyncClient(base_url="http://{}:{}".format(*self.address)) as client:
                yield client
        finally:
            self.server.stop()
            await self.running


@pytest.fixture
def harness():
    return Harness()
