"""A small account in which each read of the API is needed for something that can be checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtype_exporter.simulator.account.batch import SimulatedBatch
from runtype_exporter.simulator.settings import Api, RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

DONE = (RecordPlan(finished=1.0),) * 3
"""Three records that end a second after their batch began."""
COMPANY = (
    ScheduleSpec(key="nightly", name="nightly", flow="enrich"),
    ScheduleSpec(key="inline", name="inline", flow="clean", kind="inline"),
)


class CompanyRig(Rig):
    """A rig whose account has a schedule, one whose runs have no batch ids, and ad-hoc batches.

    A `world` has other schedules. A request takes up to 5 s, so that cycles stay short when an
    answer never comes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        api: Api | None = None,
        account: Mapping[str, Any] | None = None,
        sections: Mapping[str, Any] | None = None,
        schedules: tuple[ScheduleSpec, ...] = COMPANY,
        world: WorldSettings | None = None,
        **options: Any,
    ) -> None:
        settings = world or WorldSettings(start=START, schedules=schedules, api=api or Api())
        self.account = {"timeout": "5s", **(account or {})}
        super().__init__(folder, settings, account=self.account, sections=sections, **options)

    @property
    def now(self) -> float:
        """The time of the API."""
        return self.api_clock.now()

    def start_nightly(self, records: Any = DONE, **options: Any) -> SimulatedBatch:
        """Start the schedule now. Return its batch."""
        batch = self.world.add_batch(records, schedule="nightly", at=self.now, **options).batch
        assert batch is not None
        return batch

    def start_inline(self, records: Any = DONE) -> str:
        """Start the schedule whose runs have no batch id. Return the id of the run."""
        return self.world.add_batch(records, schedule="inline", at=self.now).id

    def start_adhoc(self, records: Any = DONE, **options: Any) -> SimulatedBatch:
        """Submit a batch outside any schedule."""
        return self.world.add_adhoc(records, at=self.now, **options)

    def missing(self) -> dict[tuple[str, ...], float]:
        """Return what is not counted yet, by its labels; below 0 what is counted too often."""
        missing = Counter(self.truth())
        missing.subtract(self.counted())
        return {labels: count for labels, count in missing.items() if count}

    async def until(self, seconds: float, *, every: float = 30.0, left: frozenset[str]) -> float:
        """Let time pass until no schedule but those in `left` has anything uncounted.

        Return how long it took; at most about `seconds`.
        """
        begun = self.now
        while self.now - begun < seconds and {labels[0] for labels in self.missing()} - left:
            await self.sleep(every)
        return self.now - begun
