"""A task that reads one thing again and again, whatever fails in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from runtype_exporter.ledger import LedgerError
from runtype_exporter.polling import ledger_failures
from runtype_exporter.polling.collectors import Collectors
from runtype_exporter.polling.failures import ReadFailed

_log = structlog.get_logger()


@dataclass(slots=True)
class PeriodicRead:
    """A read that is repeated. A failure of it never ends another task.

    `interval` returns the seconds until the next read. With `wake`, the read comes earlier, but not
    earlier than `shortest` seconds after the one before.
    """

    name: str
    account: str
    collectors: Collectors
    read: Callable[[], Awaitable[object]]
    interval: Callable[[], float]
    shortest: float = 0.0
    _awake: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def wake(self) -> None:
        """Read soon: something may be due."""
        self._awake.set()

    async def run(self) -> NoReturn:
        """Read, and wait for the next time, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self.collectors.wait_for_account()
            self._awake.clear()
            began = loop.time()
            await self.once()
            await self._wait(began + self.shortest, began + self.interval())

    async def once(self) -> bool:
        """Read now. Return whether it did not fail."""
        try:
            await self.read()
        except ReadFailed:
            # The collectors recorded and logged it.
            return False
        except LedgerError as error:
            ledger_failures.warn(f"{self.name} wait: the ledger failed", self.account, error)
            return False
        # A bug here must not stop the account.
        except Exception:  # noqa: BLE001
            _log.exception("background read failed", account=self.account, read=self.name)
            return False
        return True

    async def _wait(self, earliest: float, latest: float) -> None:
        """Wait until `latest`, or from `earliest` on until the task is woken. Loop times."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, earliest - loop.time()))
        try:
            async with asyncio.timeout_at(latest):
                await self._awake.wait()
        except TimeoutError:
            return
