"""Background reads: usage, sparklines and costs. They never delay a cycle or a sweep.

The task is woken after each cycle, and when the cost of a batch becomes due. It then reads what is
due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import LedgerError
from runtype_exporter.model import Series
from runtype_exporter.polling import ledger_failures
from runtype_exporter.polling.background.sparklines import portions, recent_run_gauges
from runtype_exporter.polling.background.usage import usage_gauges
from runtype_exporter.polling.batches.costs import CostReads
from runtype_exporter.polling.collectors import CollectorStates
from runtype_exporter.polling.schedules.gauges import schedule_gauges
from runtype_exporter.polling.timers import WallClockTimer
from runtype_exporter.protocols import GaugeSink
from runtype_exporter.runtype import Client, ScheduleRow

_log = structlog.get_logger()


@dataclass(slots=True)
class BackgroundReads:
    """The background reads of one account.

    `interval` is in seconds. `label` returns the label of a schedule by its id and name.
    """

    account: str
    interval: float
    client: Client
    collectors: CollectorStates
    costs: CostReads
    gauges: GaugeSink
    label: Callable[[str, str | None], str]
    clock: Clock
    _labels: dict[str, str] = field(default_factory=dict, init=False)
    """Labels of the schedules that were listed last, by id."""
    _schedules_listed: bool = field(default=False, init=False)
    _timers: dict[str, WallClockTimer] = field(default_factory=dict, init=False)
    _awake: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def set_schedules(self, rows: Sequence[ScheduleRow]) -> None:
        """Set the schedules that are followed, and their gauges."""
        self._labels = {row.id: self.label(row.id, row.name or None) for row in rows}
        self._schedules_listed = True
        self.gauges.set_collector(
            self.account, "schedules", schedule_gauges(self.account, rows, self._labels)
        )

    def wake(self) -> None:
        """Wake the task: a cycle ended or a batch closed, so something may be due."""
        self._awake.set()

    async def run(self, key_accepted: asyncio.Event) -> None:
        """Read what is due each time the task is woken, until cancelled.

        Nothing is read while the API refuses the key.
        """
        while True:
            await self._awake.wait()
            self._awake.clear()
            await key_accepted.wait()
            try:
                await self.read()
            except LedgerError as error:
                ledger_failures.warn("costs wait: the ledger failed", self.account, error)
            # A bug here must not stop the account.
            except Exception:  # noqa: BLE001
                _log.exception("reading usage, sparklines or costs failed", account=self.account)

    async def read(self) -> None:
        """Read what is due.

        Raises:
            LedgerError: a cost could not be stored; it stays due.
        """
        if self._is_due("usage"):
            await self.collectors.read_in_background("usage", self._usage)
        if self._schedules_listed and self._is_due("sparklines"):
            await self.collectors.read_in_background("sparklines", self._sparklines)
        await self.costs.read()

    def _is_due(self, name: str) -> bool:
        now = self.clock.now()
        if not self._timers.get(name, WallClockTimer()).over(now):
            return False
        self._timers[name] = WallClockTimer(now, now + self.interval)
        return True

    async def _usage(self) -> None:
        answer = await self.client.usage()
        self.gauges.set_collector(self.account, "usage", usage_gauges(self.account, answer))

    async def _sparklines(self) -> None:
        labels = self._labels
        samples: dict[Series, float] = {}
        for ids in portions(labels):
            answer = await self.client.sparklines(ids)
            samples |= recent_run_gauges(
                self.account, answer.data, {id_: labels[id_] for id_ in ids}
            )
        self.gauges.set_collector(self.account, "sparklines", samples)
