"""Random work of a batch: latencies, failures and bursts, slow and stuck records, retries.

Everything is drawn at once, from a random stream that only this batch uses. Latencies are
log-normal.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf, log
from random import Random
from typing import NamedTuple

from runtype_exporter.simulator.account.work import RecordAttempts, Work, cancel_at
from runtype_exporter.simulator.settings import RecordAttempt, SimulatedOutcome, Traffic

_WAIT = 0.5
"""Mean seconds between a record's creation and its start, where records are created as their work
begins."""


class BatchTimes(NamedTuple):
    """When a batch's rows may first appear, and when its work begins (seconds since the epoch)."""

    created: float
    started: float


class SampledPlan:
    """The plan of a batch of `total` random records.

    The work is the same each time, because `stream` returns an equal random stream each time.
    """

    def __init__(
        self, stream: Callable[[], Random], traffic: Traffic, times: BatchTimes, total: int
    ) -> None:
        self._stream, self._traffic, self._times, self._total = stream, traffic, times, total

    def work(self) -> Work:
        """Return the work, drawn again: a batch that is not read keeps no records in memory."""
        stream = self._stream()
        records = _records(stream, self._traffic, self._times, self._total)
        if stream.random() < self._traffic.cancelled_batches:
            return Work(_cancel(stream, records, self._times.started), cancelled=True)
        return Work(records)


def _records(
    stream: Random, traffic: Traffic, times: BatchTimes, total: int
) -> list[RecordAttempts]:
    median = log(traffic.latency)
    lanes = [times.started] * min(traffic.concurrency, max(total, 1))
    records: list[RecordAttempts] = []
    for _ in range(total):
        begin = heappop(lanes)
        seconds = stream.lognormvariate(median, traffic.latency_sigma)
        if stream.random() < traffic.slow_share:
            seconds *= traffic.slow_factor
        end = round(begin + seconds, 3)
        heappush(lanes, end)
        row = (
            max(times.created, round(begin - stream.expovariate(1 / _WAIT), 3))
            if traffic.as_created
            else times.created
        )
        if stream.random() < traffic.stuck_share:
            records.append((RecordAttempt(row, begin, inf),))
            continue
        attempts = [RecordAttempt(row, begin, end, _outcome(stream, traffic, begin))]
        while (
            attempts[-1].outcome == "failure"
            and len(attempts) <= traffic.retry_limit
            and stream.random() < traffic.retry_share
        ):
            attempts.append(_retry(stream, traffic, median, attempts[-1].finished))
        records.append(tuple(attempts))
    return records


def _outcome(stream: Random, traffic: Traffic, at: float) -> SimulatedOutcome:
    chance = stream.random()
    if chance < traffic.cancelled_share:
        return "cancelled"
    return "failure" if chance < traffic.cancelled_share + traffic.failure_at(at) else "success"


def _retry(stream: Random, traffic: Traffic, median: float, failed: float) -> RecordAttempt:
    created = round(failed + stream.uniform(0.5, 1.5) * traffic.retry_delay, 3)
    begin = round(created + stream.expovariate(1 / _WAIT), 3)
    end = round(begin + stream.lognormvariate(median, traffic.latency_sigma), 3)
    return RecordAttempt(created, begin, end, _outcome(stream, traffic, begin))


def _cancel(stream: Random, records: list[RecordAttempts], started: float) -> list[RecordAttempts]:
    last = max(
        (attempt.finished for record in records for attempt in record if attempt.finished < inf),
        default=started,
    )
    return cancel_at(records, round(stream.uniform(started, last), 3))
