"""Which schedules are followed.

The configuration's globs go by name or id, and names come late, or never.

A batch that is taken for an excluded schedule's is lost for good. So where an id alone does not
tell and the name cannot be had, nothing is decided. It must not know what is done with the runs of
either kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field

from runtype_exporter.config import Globs
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.collectors import CollectorStates
from runtype_exporter.runtype import ScheduleRow, ServerError


@dataclass(slots=True)
class ScheduleFilter:
    """One account's.

    `names` are those of the schedules last listed, by id, None for a schedule without one.
    """

    globs: Globs
    labels: LabelTable
    collectors: CollectorStates
    names: dict[str, str | None] = field(default_factory=dict, init=False)
    _listed_once: bool = field(default=False, init=False)
    """Whether all schedules were read once."""
    _looked_up: set[str] = field(default_factory=set, init=False)
    """Schedules that runs named before any list of schedules did: deleted ones stay strangers, and
    are looked up once."""

    def update(self, rows: Collection[ScheduleRow]) -> Sequence[ScheduleRow]:
        """Take in a whole read of the schedules.

        Those that are followed, which have their labels now.
        """
        self.names = {row.id: row.name or None for row in rows}
        self._listed_once = True
        followed = [row for row in rows if self.globs.matches(row.name or None, row.id)]
        for row in followed:
            self.labels.schedule(row.id, row.name or None)
        return followed

    def waits_for_names(self) -> bool:
        """Whether names decide that no read has told since the start, and one that is not forbidden may still tell."""
        return (
            not self._listed_once and self.globs.by_name and self.collectors.is_enabled("schedules")
        )

    async def resolve_names(
        self, schedule_ids: Collection[str], read: Callable[[], Awaitable[None]]
    ) -> None:
        """Learn by `read` of schedules that no list told of, so that `follows` is sure of each.

        Raises:
            ServerError: names decide which of them are followed, and cannot be read.
        """
        strangers = {*schedule_ids} - self.names.keys() - self._looked_up
        asked = any(not self.labels.named(stranger) for stranger in strangers)
        told = (
            await self.collectors.read("schedules", read)
            if asked
            else self.collectors.is_enabled("schedules")
        )
        if not told and any(self._decided(stranger) is None for stranger in strangers):
            raise ServerError(
                "runs",
                "which of them are followed goes by names of schedules that cannot be read; "
                "let the key read schedules, or write ids in full under accounts[].schedules",
                code="names",
            )
        self._looked_up |= strangers

    def includes(self, schedule_id: str) -> bool:
        """Whether a schedule is followed.

        One that a whole list left out and whose name nobody knows is judged by its id.
        """
        decided = self._decided(schedule_id)
        return self.globs.matches(None, schedule_id) if decided is None else decided

    def _decided(self, schedule_id: str) -> bool | None:
        if schedule_id in self.names:
            return self.globs.matches(self.names[schedule_id], schedule_id)
        # Of a schedule deleted since, or one that may not be read any more.
        name = self.labels.known_name(schedule_id)
        return (
            self.globs.by_id(schedule_id) if name is None else self.globs.matches(name, schedule_id)
        )
