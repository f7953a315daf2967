"""The closer of one account's batches, with values in place of what surrounds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

from runtype_exporter.config import ConfiguredBatch
from runtype_exporter.limits import DAY, HOUR
from runtype_exporter.model import Batch, Delta, Labels, Series
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.runtype import ApiError

RETENTION = 90 * DAY
Changed = Batch | tuple[Batch, Delta]


class StoredBatches:
    """A ledger of batches in memory. `totals` is the sum of what was added to the counters."""

    def __init__(self, *batches: Batch) -> None:
        self.stored = {batch.ref.id: batch for batch in batches}
        self.totals: dict[Series, float] = {}

    def open_batches(self, account: str) -> list[Batch]:
        return [batch for batch in self.stored.values() if batch.closed is None]

    def given_up_batches(self, account: str) -> list[Batch]:
        return [batch for batch in self.stored.values() if batch.given_up]

    def costs_due(self, account: str) -> list[Batch]:
        return [batch for batch in self.stored.values() if batch.cost_due]

    def recently_closed(self, account: str, per_label: int) -> list[Batch]:
        closed = [batch for batch in self.stored.values() if batch.closed is not None]
        return sorted(closed, key=lambda batch: batch.closed or 0.0)[-per_label:]

    def batches(self, ids: Iterable[str]) -> dict[str, Batch]:
        return {id_: self.stored[id_] for id_ in ids if id_ in self.stored}

    def save(self, *batches: Batch) -> None:
        self.commit(Delta(), batches=batches)

    def drop(self, batch_id: str) -> None:
        del self.stored[batch_id]

    def update(self, batch_id: str, change: Callable[[Batch], Changed]) -> Batch | None:
        if batch_id not in self.stored:
            return None
        changed = change(self.stored[batch_id])
        after, delta = changed if isinstance(changed, tuple) else (changed, Delta())
        self.commit(delta, batches=(after,))
        return after

    def commit(self, delta: Delta, *, batches: Sequence[Batch]) -> None:
        self.stored |= {batch.ref.id: batch for batch in batches}
        for series, increment in delta.increments.items():
            self.totals[series] = self.totals.get(series, 0.0) + increment

    def counted(self, metric: str) -> dict[tuple[str, ...], float]:
        """Return the series of a counter that are not 0, without the account label."""
        return {
            labels[1:]: value
            for (name, labels), value in self.totals.items()
            if name == metric and value
        }


class FixedLabels:
    """The labels of every batch."""

    def freeze(self, batch: Batch) -> Batch:
        return replace(batch, labels=Labels("nightly", "enrich"))

    def shown(self, batch: Batch) -> Labels:
        return batch.labels or Labels("nightly", "")


@dataclass
class Switches:
    """Collectors that are on and due unless they are in one of the sets."""

    off: set[str] = field(default_factory=set)
    waiting: set[tuple[str, str]] = field(default_factory=set)
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    up: bool | None = True

    def is_enabled(self, collector: str) -> bool:
        return collector not in self.off

    def may_read(self, collector: str, item: str) -> bool:
        return self.is_enabled(collector)

    def due(self, collector: str, item: str = "") -> bool:
        return (collector, item) not in self.waiting

    def next_try(self, collector: str, item: str = "") -> float | None:
        return None

    def forget(self, collector: str, item: str) -> None:
        self.forgotten.append((collector, item))

    async def read(self, collector: str, item: str, call: Callable[[], Any]) -> Any:
        try:
            return await call()
        except ApiError as error:
            raise failed(error, item, collector=collector) from None


@dataclass
class SetTime:
    """API time and the process's clock: both show what a test sets."""

    at: float = 1_800_000_000.0
    certain: bool = True

    def now(self) -> float:
        return self.at

    def latest(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class ClosingRig:
    """One account's closer. `settle_time` is in seconds."""

    batches: tuple[Batch, ...] = ()
    settle_time: float = HOUR / 2
    configured: tuple[ConfiguredBatch, ...] = ()
    client: Any = None
    gauges: Any = None
    time: SetTime = field(default_factory=SetTime)
    collectors: Switches = field(default_factory=Switches)

    def __post_init__(self) -> None:
        self.ledger = StoredBatches(*self.batches)
        self.context = cast(
            AccountContext,
            SimpleNamespace(
                name="acme",
                config=SimpleNamespace(batches=self.configured),
                poll=SimpleNamespace(settle_time=self.settle_time),
                retention=RETENTION,
                batches_per_schedule=1,
                client=self.client,
                ledger=self.ledger,
                labels=cast(LabelTable, FixedLabels()),
                status_words=StatusWords(),
                clock=self.time,
                api_time=self.time,
                collectors=self.collectors,
                gauges=self.gauges,
                now=self.time.now,
                deadline_time=lambda: self.time.at if self.time.certain else 0.0,
            ),
        )
        self.closer = BatchCloser(
            self.context, frozenset(entry.id for entry in self.configured), lambda _: False
        )

    def batch(self, batch_id: str = "b1") -> Batch:
        return self.ledger.stored[batch_id]


def failed(
    error: ApiError,
    item: str = "b1",
    *,
    collector: str = "results",
    reach: Reach = Reach.ITEM,
    tries: int = 1,
    elapsed: float = 0.0,
    answered: bool = True,
) -> ReadFailed:
    """Return the failure of a read of one batch, while all others are answered or none is."""
    return ReadFailed(
        error,
        reach,
        (collector, item),
        tries=tries,
        elapsed=elapsed,
        others_answered=answered,
        same_read_answered=answered,
    )
