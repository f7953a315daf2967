"""What records cost: a price for each record drawn from the seed, owed anew each time that the record is tried.

Costs accrue as attempts end, so a running batch answers with what it has cost so far; a cancelled
attempt is free. It knows no JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log

from .batch import Batch
from .ids import Seed
from .values import Price

_MICRO = 1_000_000
"""Costs are whole millionths of a dollar, so that sums do not depend on their order."""


class Costs:
    """The costs of one account's batches. `prices` are by the flow's name."""

    def __init__(self, seed: Seed, prices: Mapping[str, Price]) -> None:
        self._seed, self._prices = seed, prices
        self._settled: dict[str, int] = {}

    def micros(self, batch: Batch, now: float) -> int:
        """What a batch has cost by now, in millionths of a dollar."""
        if now < batch.settled:
            return self._sum(batch, now)
        if batch.id not in self._settled:
            self._settled[batch.id] = self._sum(batch, now)
        return self._settled[batch.id]

    def _sum(self, batch: Batch, now: float) -> int:
        price = self._prices.get(batch.target.flow_name, Price())
        stream = self._seed.random("cost", batch.id)
        factor = price.spike_factor if stream.random() < price.spike_share else 1.0
        median = log(price.median * factor * _MICRO)
        total = 0
        for record in batch.work.records:
            each = round(stream.lognormvariate(median, price.sigma))
            total += each * sum(
                attempt.finished <= now and attempt.outcome != "cancelled" for attempt in record
            )
        return total


def dollars(micros: int) -> float:
    """Millionths of a dollar as dollars."""
    return micros / _MICRO
