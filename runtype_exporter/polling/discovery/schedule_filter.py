"""Which schedules are followed, by the globs of the configuration.

A glob matches a name or an id, and names come late, or never. Excluding a batch cannot be undone.
So if the id does not match and the name is unknown, nothing is decided yet.
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
    """The schedule filter of one account.

    `names` are the names of the schedules in the last list, by id, None for a schedule without one.
    """

    globs: Globs
    labels: LabelTable
    collectors: CollectorStates
    names: dict[str, str | None] = field(default_factory=dict, init=False)
    _listed_once: bool = field(default=False, init=False)
    """Whether the list of schedules was read once since the start."""
    _looked_up: set[str] = field(default_factory=set, init=False)
    """Schedules that a run named and that no list shows. Deleted ones are never listed again, so
    each one is looked up once."""

    def update(self, rows: Collection[ScheduleRow]) -> Sequence[ScheduleRow]:
        """Store the names of a full list of schedules. Return the schedules that are followed.

        Their labels are fixed then.
        """
        self.names = {row.id: row.name or None for row in rows}
        self._listed_once = True
        followed = [row for row in rows if self.globs.matches(row.name or None, row.id)]
        for row in followed:
            self.labels.schedule(row.id, row.name or None)
        return followed

    def waits_for_names(self) -> bool:
        """Return whether names decide that were not read since the start but may still be read."""
        return (
            not self._listed_once and self.globs.by_name and self.collectors.is_enabled("schedules")
        )

    async def resolve_names(
        self, schedule_ids: Collection[str], read: Callable[[], Awaitable[None]]
    ) -> None:
        """Read the list of schedules if it is needed to decide about these schedules.

        Raises:
            ServerError: names decide whether they are followed, and the names cannot be read.
        """
        unlisted = {*schedule_ids} - self.names.keys() - self._looked_up
        needs_list = any(not self.labels.named(schedule_id) for schedule_id in unlisted)
        answered = (
            await self.collectors.read("schedules", read)
            if needs_list
            else self.collectors.is_enabled("schedules")
        )
        if not answered and any(self._decided(schedule_id) is None for schedule_id in unlisted):
            raise ServerError(
                "runs",
                "which of them are followed goes by names of schedules that cannot be read; "
                "let the key read schedules, or write ids in full under accounts[].schedules",
                code="names",
            )
        self._looked_up |= unlisted

    def includes(self, schedule_id: str) -> bool:
        """Return whether a schedule is followed.

        If a full list does not show it and its name is unknown, its id decides.
        """
        decided = self._decided(schedule_id)
        return self.globs.matches(None, schedule_id) if decided is None else decided

    def _decided(self, schedule_id: str) -> bool | None:
        """Return whether a schedule is followed, None if that cannot be decided yet."""
        if schedule_id in self.names:
            return self.globs.matches(self.names[schedule_id], schedule_id)
        # The schedule was deleted since, or the list may no longer be read.
        name = self.labels.known_name(schedule_id)
        return (
            self.globs.by_id(schedule_id) if name is None else self.globs.matches(name, schedule_id)
        )
