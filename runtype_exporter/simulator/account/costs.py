"""What batches cost: each record has a price drawn from the seed, due for each of its attempts.

An attempt costs when it ends, so a running batch shows what it has cost so far. A cancelled attempt
costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log

from runtype_exporter.simulator.account.batch import SimulatedBatch
from runtype_exporter.simulator.account.ids import Seed
from runtype_exporter.simulator.settings import Price

_MICRO = 1_000_000
"""Costs are whole millionths of a dollar, so that sums do not depend on their order."""


class SimulatedCosts:
    """The costs of an account's batches. `prices` are by the flow's name."""

    def __init__(self, seed: Seed, prices: Mapping[str, Price]) -> None:
        self._seed, self._prices = seed, prices
        self._settled: dict[str, int] = {}

    def micros(self, batch: SimulatedBatch, now: float) -> int:
        """Return what a batch has cost by now, in millionths of a dollar."""
        if now < batch.settled:
            return self._sum(batch, now)
        if batch.id not in self._settled:
            self._settled[batch.id] = self._sum(batch, now)
        return self._settled[batch.id]

    def _sum(self, batch: SimulatedBatch, now: float) -> int:
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
    """Convert millionths of a dollar to dollars."""
    return micros / _MICRO
