"""Drawing the work of a batch.

Log-normal latencies, failures and their bursts, slow and stuck records, retries, cancellation.

Everything is drawn at once, from a stream that the batch alone uses. It knows neither clocks nor
ids.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf, log
from random import Random
from typing import NamedTuple

from .values import Attempt, Outcome, Traffic
from .work import Record, Work, cut

_WAIT = 0.5
"""Mean seconds between a record's creation and its start, where records are created as their work
begins."""


class Span(NamedTuple):
    """When a batch's rows may first appear and when its work begins, in seconds since the epoch."""

    created: float
    started: float


class Draw:
    """The work of a batch of `total` records, the same each time, for `stream` gives the same stream each time."""

    def __init__(
        self, stream: Callable[[], Random], traffic: Traffic, span: Span, total: int
    ) -> None:
        self._stream, self._traffic, self._span, self._total = stream, traffic, span, total

    def work(self) -> Work:
        """The work, drawn anew: a batch that nobody reads keeps no records."""
        stream = self._stream()
        records = _records(stream, self._traffic, self._span, self._total)
        if stream.random() < self._traffic.cancelled_batches:
            return Work(_cancel(stream, records, self._span.started), cancelled=True)
        return Work(records)


def _records(stream: Random, traffic: Traffic, span: Span, total: int) -> list[Record]:
    median = log(traffic.latency)
    lanes = [span.started] * min(traffic.concurrency, max(total, 1))
    records: list[Record] = []
    for _ in range(total):
        begin = heappop(lanes)
        seconds = stream.lognormvariate(median, traffic.latency_sigma)
        if stream.random() < traffic.slow_share:
            seconds *= traffic.slow_factor
        end = round(begin + seconds, 3)
        heappush(lanes, end)
        row = (
            max(span.created, round(begin - stream.expovariate(1 / _WAIT), 3))
            if traffic.as_created
            else span.created
        )
        if stream.random() < traffic.stuck_share:
            records.append((Attempt(row, begin, inf),))
            continue
        attempts = [Attempt(row, begin, end, _outcome(stream, traffic, begin))]
        while (
            attempts[-1].outcome == "failure"
            and len(attempts) <= traffic.retry_limit
            and stream.random() < traffic.retry_share
        ):
            attempts.append(_retry(stream, traffic, median, attempts[-1].finished))
        records.append(tuple(attempts))
    return records


def _outcome(stream: Random, traffic: Traffic, at: float) -> Outcome:
    chance = stream.random()
    if chance < traffic.cancelled_share:
        return "cancelled"
    return "failure" if chance < traffic.cancelled_share + traffic.failure_at(at) else "success"


def _retry(stream: Random, traffic: Traffic, median: float, failed: float) -> Attempt:
    created = round(failed + stream.uniform(0.5, 1.5) * traffic.retry_delay, 3)
    begin = round(created + stream.expovariate(1 / _WAIT), 3)
    end = round(begin + stream.lognormvariate(median, traffic.latency_sigma), 3)
    return Attempt(created, begin, end, _outcome(stream, traffic, begin))


def _cancel(stream: Random, records: list[Record], started: float) -> list[Record]:
    last = max(
        (attempt.finished for record in records for attempt in record if attempt.finished < inf),
        default=started,
    )
    return cut(records, round(stream.uniform(started, last), 3))
