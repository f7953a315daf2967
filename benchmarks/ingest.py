"""Measure how fast a backlog of results is read: `python -m benchmarks.ingest [records]`.

There are three paths over the same pages, with medians of several rounds: in memory (decode, read
and count, without the ledger's look-up), with the ledger's look-up and durable commit, and over
HTTP from a server in its own process. Each is compared with a simple script: `json`, a set of ids,
`datetime`, and prometheus-client's `labels().inc()`. The script stores nothing durably.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from prometheus_client import CollectorRegistry, Counter, Histogram

from runtype_exporter import catalogue
from runtype_exporter.clock import SystemClock
from runtype_exporter.ledger import Ledger
from runtype_exporter.ledger.counting import count_page
from runtype_exporter.ledger.identities import Page, result_identity
from runtype_exporter.metrics import ProcessMetrics
from runtype_exporter.model import Batch, BatchRef, Labels, SweepTally
from runtype_exporter.polling import StatusWords
from runtype_exporter.polling.chunks import CHUNK
from runtype_exporter.polling.sweeps.sweep import Chunk, advance, begin
from runtype_exporter.runtype import ApiTime, Budget, Client, Exchange
from runtype_exporter.runtype.responses import RESULTS

RECORDS = 20_000
ROUNDS = 5
BOUNDS = catalogue.RECORD_LATENCY.buckets


def body(offset: int, size: int, total: int, payload: int = 0) -> bytes:
    """Return one page as the API documents it: about 460 bytes per record, without a payload."""
    rows = []
    for number in range(offset, min(offset + size, total)):
        created = datetime.fromtimestamp(1_780_000_000 + number % 3600, UTC)
        ended = datetime.fromtimestamp(1_780_000_000 + number % 3600 + number % 97, UTC)
        failed = number % 20 == 0
        rows.append(
            {
                "recordResultId": f"record_result_01jv8k{number:020d}",
                "recordId": f"record_01jv8k{number:020d}",
                "record": {
                    "id": f"record_01jv8k{number:020d}",
                    "name": f"Example company {number}",
                    "type": "company",
                },
                "status": "failed" if failed else "completed",
                "createdAt": created.isoformat().replace("+00:00", "Z"),
                "executedAt": None if failed else ended.isoformat().replace("+00:00", "Z"),
                "failedAt": ended.isoformat().replace("+00:00", "Z") if failed else None,
                "error": "the model did not answer" if failed else None,
                "flowId": "flow_01jv8k00000000000000000001",
                "flowName": "enrich company",
                "agentExecutionId": None,
                "result": "x" * payload,
            }
        )
    page = {"limit": size, "offset": offset, "total": total, "hasMore": offset + size < total}
    return json.dumps({"data": rows, "pagination": page}).encode()


def bodies(size: int, total: int, payload: int = 0) -> list[bytes]:
    """Return all pages of a batch."""
    return [body(offset, size, total, payload) for offset in range(0, total, size)]


class SimpleScript:
    """The simple consumer that the exporter is compared with."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        names = ("account", "schedule", "flow", "outcome")
        self.finished = Counter("records_finished", "Records.", names, registry=registry)
        self.latency = Histogram(
            "record_latency_seconds", "Latency.", names, registry=registry, buckets=BOUNDS
        )
        self.tally: set[str] = set()

    def count(self, text: bytes) -> dict[str, Any]:
        """Count one page. Return its pagination."""
        document = json.loads(text)
        for row in document["data"]:
            if row["recordResultId"] in self.tally or row["status"] not in ("completed", "failed"):
                continue
            self.tally.add(row["recordResultId"])
            outcome = "success" if row["status"] == "completed" else "failure"
            labels = ("acme", "nightly", row["flowName"], outcome)
            created = datetime.fromisoformat(row["createdAt"])
            ended = datetime.fromisoformat(row["executedAt"] or row["failedAt"])
            self.finished.labels(*labels).inc()
            self.latency.labels(*labels).observe((ended - created).total_seconds())
        page: dict[str, Any] = document["pagination"]
        return page


def batch() -> Batch:
    """Return an open batch whose sweep has begun."""
    fresh = Batch(
        ref=BatchRef("acme", "batch_01jv8k"),
        first_seen=0.0,
        labels=Labels("nightly", "enrich company"),
    )
    return begin(fresh, 0.0, full=True)


def awaited(function: Callable[..., Awaitable[None]], *arguments: Any) -> Callable[[], None]:
    """Return a call of a coroutine function in a loop of its own."""

    async def main() -> None:
        await function(*arguments)

    return lambda: asyncio.run(main())


async def in_memory(pages: Iterable[bytes]) -> None:
    """Decode, read and count pages. Every identity is new."""
    status_words, swept = StatusWords(), batch()
    for text in pages:
        results = status_words.results((await RESULTS.decode(text)).data)
        page = Page([result_identity(result.key or "") for result in results], {}, {})
        count_page(swept, results, page, now=1_790_000_000.0, wall=1_790_000_000.0)


def new_ledger(folder: str) -> Ledger:
    """Open a new ledger for one round."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "ledger.db"
    return Ledger.open(path, clock=SystemClock(), boundaries=catalogue.boundaries())


def commit(ledger: Ledger, swept: Batch, text_or_page: Any, status_words: StatusWords) -> Batch:
    """Write one page into the ledger, in the same chunks as polling does."""
    results = status_words.results(text_or_page.data)
    total = text_or_page.pagination.total
    for start in range(0, len(results), CHUNK):
        chunk = Chunk(results[start : start + CHUNK], total, is_first=start == 0)

        def after(seen: SweepTally, swept: Batch = swept, chunk: Chunk = chunk) -> Batch:
            return advance(swept, seen, chunk)

        swept = ledger.apply(swept, chunk.results, after, now=SystemClock().now())
    return swept


async def with_ledger(pages: Iterable[bytes], folder: str) -> None:
    """Decode, read, look up, count and commit pages."""
    ledger, status_words, swept = new_ledger(folder), StatusWords(), batch()
    for text in pages:
        swept = commit(ledger, swept, await RESULTS.decode(text), status_words)
    ledger.close()


def serve(port: int, size: int, total: int) -> None:
    """Serve prepared pages over HTTP."""
    ready = {str(index * size): page for index, page in enumerate(bodies(size, total))}

    # The signature of ASGI.
    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001
        query = dict(pair.split("=") for pair in scope["query_string"].decode().split("&"))
        content = ready[query["offset"]]
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    uvicorn.run(
        app, host="127.0.0.1", port=port, log_level="error", lifespan="off", access_log=False
    )


async def over_http(port: int, size: int, folder: str) -> None:
    """Read all pages with the real client, and commit them."""
    ledger, status_words, swept = new_ledger(folder), StatusWords(), batch()
    process, clock = ProcessMetrics(), SystemClock()
    budget = Budget("acme", 1_000_000, ledger, clock, process)
    url = f"http://127.0.0.1:{port}"
    exchange = Exchange(
        "acme",
        url,
        "key",
        budget=budget,
        telemetry=process,
        clock=clock,
        api_time=ApiTime("acme", clock, process),
    )
    async with Client(exchange, page_size=size) as client:
        more = True
        offset = 0
        while more:
            page = await client.results("batch_01jv8k", offset, limit=size)
            swept = commit(ledger, replace(swept), page, status_words)
            offset += len(page.data)
            more = page.pagination.has_more
    budget.close()
    ledger.close()


async def script_over_http(port: int, size: int) -> None:
    """Read all pages over HTTP with the simple script."""
    script = SimpleScript()
    async with httpx.AsyncClient(trust_env=False) as client:
        more = True
        offset = 0
        while more:
            url = f"http://127.0.0.1:{port}/v1/schedules/batch/batch_01jv8k/results"
            answer = await client.get(
                url,
                params={"limit": size, "offset": offset},
                headers={"Authorization": "Bearer key"},
            )
            page = script.count(answer.content)
            offset += size
            more = page["hasMore"]


def pair(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Return the median seconds of both.

    They run in turn, so that a slow moment of the machine affects both.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for work, seconds in zip((ours, theirs), times, strict=True):
            began = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - began)
    return statistics.median(times[0]), statistics.median(times[1])


def show(name: str, records: int, ours: float, theirs: float) -> None:
    """Print one row."""
    print(
        f"{name:44} {records / ours / 1e3:8.0f}k {records / theirs / 1e3:8.0f}k"
        f" {theirs / ours:7.2f}x"
    )


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_until_served(port: int) -> None:
    """Wait until the process of the server listens."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the benchmark's server did not start")


def main() -> None:
    """Measure, and print the table."""
    total = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    print(
        f"{'records a second, ' + str(total) + ' records':44} {'ours':>9} {'script':>9}"
        f" {'ratio':>8}"
    )

    def script(pages: list[bytes]) -> None:
        consumer = SimpleScript()
        for text in pages:
            consumer.count(text)

    with tempfile.TemporaryDirectory() as folder:
        for size, payload in ((100, 0), (1000, 0), (100, 4096)):
            pages = bodies(size, total, payload)
            name = f"in memory, pages of {size}" + (
                f", {payload} bytes of result" if payload else ""
            )
            ours, theirs = pair(awaited(in_memory, pages), partial(script, pages))
            show(name, total, ours, theirs)
            if payload:
                print(f"{'':44} {sum(map(len, pages)) / ours / 1e6:6.0f} MB/s")
        for size in (100, 1000):
            pages = bodies(size, total)
            ours, theirs = pair(awaited(with_ledger, pages, folder), partial(script, pages))
            show(f"with look-up and commit, pages of {size}", total, ours, theirs)
        for size in (100, 1000):
            port = free_port()
            server = multiprocessing.Process(target=serve, args=(port, size, total), daemon=True)
            server.start()
            try:
                wait_until_served(port)
                # `pair` calls both before the loop goes on.
                ours, theirs = pair(
                    lambda: asyncio.run(over_http(port, size, folder)),  # noqa: B023
                    lambda: asyncio.run(script_over_http(port, size)),  # noqa: B023
                )
                show(f"over HTTP and committed, pages of {size}", total, ours, theirs)
            finally:
                server.terminate()
                server.join()


if __name__ == "__main__":
    main()
