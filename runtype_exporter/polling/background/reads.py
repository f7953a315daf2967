"""The reads beside discovery and sweeps: usage, sparklines and costs.

They wait for the budget without holding up anything else.

It must not know how batches are followed; it is woken after each cycle and where a batch's cost
falls due, and reads what has become due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import LedgerError
from runtype_exporter.model import Series
from runtype_exporter.polling.background import usage
from runtype_exporter.polling.batches.costs import CostReads
from runtype_exporter.polling.collectors import CollectorStates
from runtype_exporter.polling.schedules import gauges as schedule_gauges
from runtype_exporter.polling.timers import WallClockTimer
from runtype_exporter.protocols import Pictures
from runtype_exporter.runtype import MAX_SPARKLINES, Client, ScheduleRow

LONGEST_IDS = 6000
"""Characters of ids in one request: they travel in the URL."""

_log = structlog.get_logger()


@dataclass(slots=True)
class BackgroundReads:
    """One account's.

    `interval` is in seconds; `label` tells a schedule's label by its id and name.
    """

    account: str
    interval: float
    client: Client
    collectors: CollectorStates
    costs: CostReads
    pictures: Pictures
    label: Callable[[str, str | None], str]
    clock: Clock
    _labels: dict[str, str] = field(default_factory=dict, init=False)
    """Of the schedules last listed, by id."""
    _listed: bool = field(default=False, init=False)
    _read: dict[str, WallClockTimer] = field(default_factory=dict, init=False)
    _awake: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def set_schedules(self, rows: Sequence[ScheduleRow]) -> None:
        """These are the schedules that are followed."""
        self._labels = {row.id: self.label(row.id, row.name or None) for row in rows}
        self._listed = True
        self.pictures.family(
            self.account, "schedules", schedule_gauges.listed(self.account, rows, self._labels)
        )

    def wake(self) -> None:
        """A cycle ended or a batch closed: something may be due."""
        self._awake.set()

    async def run(self, authorised: asyncio.Event) -> None:
        """Read what is due whenever woken, until cancelled.

        Nothing is asked while the API refuses the key.
        """
        while True:
            await self._awake.wait()
            self._awake.clear()
            await authorised.wait()
            try:
                await self.read()
            except LedgerError as error:
                ledger_failures.warn("costs wait: the ledger failed", self.account, error)
            except Exception:  # noqa: BLE001 - a fault of ours here must not stop the account
                _log.exception("reading usage, sparklines or costs failed", account=self.account)

    async def read(self) -> None:
        """Read what is due.

        Raises:
            LedgerError: a cost could not be kept; it stays due.
        """
        if self._is_due("usage"):
            await self.collectors.read_in_background("usage", self._usage)
        if self._listed and self._is_due("sparklines"):
            await self.collectors.read_in_background("sparklines", self._sparklines)
        await self.costs.read()

    def _is_due(self, name: str) -> bool:
        now = self.clock.now()
        if not self._read.get(name, WallClockTimer()).over(now):
            return False
        self._read[name] = WallClockTimer(now, now + self.interval)
        return True

    async def _usage(self) -> None:
        answer = await self.client.usage()
        self.pictures.family(self.account, "usage", usage.gauges(self.account, answer))

    async def _sparklines(self) -> None:
        labels = self._labels
        samples: dict[Series, float] = {}
        for ids in portions(labels):
            answer = await self.client.sparklines(ids)
            samples |= schedule_gauges.recent(
                self.account, answer.data, {id_: labels[id_] for id_ in ids}
            )
        self.pictures.family(self.account, "sparklines", samples)


def portions(ids: Sequence[str] | dict[str, str]) -> Iterator[list[str]]:
    """The ids in portions for one request each. One that holds a comma cannot be asked for."""
    portion: list[str] = []
    length = 0
    for id_ in ids:
        if "," in id_:
            continue
        if portion and (len(portion) == MAX_SPARKLINES or length + len(id_) > LONGEST_IDS):
            yield portion
            portion, length = [], 0
        portion.append(id_)
        length += len(id_) + 1
    if portion:
        yield portion
