"""Random trouble for a long test: faults of the API, wrong clocks, restarts, kills and reloads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from runtype_exporter.simulator.faults import ApiFault
from tests.support.api_errors import ERRORS
from tests.support.company import CompanyRig

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
READS = (
    "schedules",
    "runs",
    "summary",
    "batch_status",
    "batch_results",
    "run_results",
    "cost",
    "sparklines",
    "usage",
)
ODD_ANSWERS = (
    ApiFault(kind="date"),
    ApiFault(kind="date", value="yesterday"),
    ApiFault(kind="date", value=-900, headers={"Age": "900"}),
    ApiFault(kind="date", value=40 * DAY, probability=0.2),
    ApiFault(kind="date", value=-40 * DAY, probability=0.2),
    ApiFault(kind="cookie", value=2000),
    ApiFault(kind="surrogates", value=5000),
    ApiFault(kind="slow_rows", operation="batch_results", value=0.5),
    ApiFault(kind="slow", value=4.0, probability=0.3),
    ApiFault(kind="shift", operation="batch_results", value=1),
    ApiFault(kind="duplicate", operation="runs"),
    ApiFault(kind="short", operation="runs", value=1),
    ApiFault(kind="status", value=413, above=5),
    ApiFault(kind="status", value=504, above=12),
    ApiFault(kind="set", operation="schedules", path="data", value=[]),
    ApiFault(kind="set", operation="runs", path="data.0.status", value=None),
    ApiFault(kind="set", operation="summary", path="recent", value=None),
    ApiFault(kind="set", operation="batch_results", path="data.0.recordId", value=None),
)


class Trouble:
    """Trouble that a seed decides. It ends within an hour or two, so that all can be counted."""

    def __init__(self, rig: CompanyRig, reconfigure: Callable[[Random], Any], seed: int) -> None:
        self.rig = rig
        # Not for secrets: a test must be able to repeat it.
        self.random = Random(seed)
        self.happened: Counter[str] = Counter()
        self._reconfigure = reconfigure
        self._kinds: tuple[tuple[str, int, Callable[[], Awaitable[None]]], ...] = (
            ("an error of one read", 8, self._sick_read),
            ("an error of the account", 3, self._sick_account),
            ("an error of one batch", 4, self._sick_batch),
            ("odd answers", 8, self._odd_answers),
            ("our clock steps and goes back", 4, self._wrong_clock),
            ("our clock steps", 1, self._step),
            ("our clock drifts", 1, self._drift),
            ("the API's clock steps", 1, self._api_step),
            ("a suspend", 1, self._suspend),
            ("a restart", 3, self._restart),
            ("a kill", 2, self._kill),
            ("a reload", 2, self._reload),
        )

    async def strike(self) -> None:
        """Let one thing go wrong, and end."""
        weights = [weight for _, weight, _ in self._kinds]
        (name, _, happen) = self.random.choices(self._kinds, weights)[0]
        self.happened[name] += 1
        await happen()
        self.rig.faults.clear()

    async def _wait(self, least: float, most: float) -> None:
        await self.rig.sleep(self.random.uniform(least, most))

    async def _sick_read(self) -> None:
        kind = self.random.choice([*ERRORS.values()])
        self.rig.faults.add(kind.at(self.random.choice(READS)))
        await self._wait(MINUTE, HOUR)

    async def _sick_account(self) -> None:
        self.rig.faults.add(self.random.choice([*ERRORS.values()]).at())
        await self._wait(MINUTE, HOUR)

    async def _sick_batch(self) -> None:
        batches = sorted(self.rig.open_batches()) or [""]
        kind = self.random.choice([*ERRORS.values()])
        self.rig.faults.add(kind.at("batch_results", self.random.choice(batches)))
        await self._wait(MINUTE, 2 * HOUR)

    async def _odd_answers(self) -> None:
        self.rig.faults.add(*self.random.sample(ODD_ANSWERS, 2))
        await self._wait(MINUTE, 20 * MINUTE)

    async def _wrong_clock(self) -> None:
        step = self.random.choice([-1, 1]) * self.random.choice([90.0, HOUR, 3 * DAY, 4000 * DAY])
        self.rig.clock.jump(step)
        await self._wait(MINUTE, 2 * HOUR)
        self.rig.clock.jump(-step)

    async def _step(self) -> None:
        self.rig.clock.jump(self.random.uniform(-2 * HOUR, 2 * HOUR))

    async def _drift(self) -> None:
        self.rig.clock.drift(self.random.choice([0.0, 0.9, 1.1]))
        await self._wait(HOUR, 2 * HOUR)
        self.rig.clock.drift(1.0)

    async def _api_step(self) -> None:
        step = self.random.uniform(-20 * MINUTE, 20 * MINUTE)
        self.rig.world.shown_time.step(self.rig.now, step)
        await self._wait(HOUR, 2 * HOUR)
        self.rig.world.shown_time.step(self.rig.now, -step)

    async def _suspend(self) -> None:
        self.rig.suspend(self.random.uniform(MINUTE, HOUR))

    async def _restart(self) -> None:
        await self.rig.stop()
        await self._wait(0.0, HOUR)
        self.rig.start()

    async def _kill(self) -> None:
        await self.rig.kill()
        await self._wait(0.0, 10 * MINUTE)
        self.rig.start()

    async def _reload(self) -> None:
        await self.rig.stop()
        self.rig.configure(*self._reconfigure(self.random))
        self.rig.start()
