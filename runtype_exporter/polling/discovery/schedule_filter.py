"""Which schedules are followed, by the globs of the configuration, and whether names are known.

A glob matches a name or an id, and names come late, or never. Excluding a batch cannot be undone,
and labels never change. So where a name decides, the list of schedules is read first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import structlog

from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.failures import FAILURES_TO_WITHDRAW
from runtype_exporter.protocols import ignore
from runtype_exporter.runtype import ScheduleRow

MOST_UNKNOWN = 5000
"""At most so many deleted schedules are remembered as unknown. The others are looked up again."""

_log = structlog.get_logger()


@dataclass(slots=True)
class ScheduleFilter:
    """The schedule filter of one account.

    `names` are the names of the schedules in the last list, by id, None for a schedule without one.
    """

    context: AccountContext
    names: dict[str, str | None] = field(default_factory=dict, init=False)
    on_missing: Callable[[], None] = ignore
    """Called when the list of schedules should be read early, because a name is missing."""
    waited: bool = field(default=False, init=False)
    """Whether anything waited for the last list of schedules."""
    _warned: bool = field(default=False, init=False)
    """Whether it was logged that something waits for names that cannot be read."""
    _listed_once: bool = field(default=False, init=False)
    """Whether the list of schedules was read since the start."""
    _missing_since: dict[str, float] = field(default_factory=dict, init=False)
    """Since when the name of a schedule is missing, in monotonic seconds."""

    @property
    def waits(self) -> bool:
        """Whether something waits for the next list of schedules."""
        return bool(self._missing_since)

    async def update(self, rows: Collection[ScheduleRow], began: float) -> Sequence[ScheduleRow]:
        """Store the names of a full list of schedules. Return the schedules that are followed.

        `began` is when the read of the list began, in monotonic seconds. The labels of the followed
        schedules are fixed.

        Raises:
            LedgerError: a label could not be stored.
        """
        context = self.context
        self.names = {row.id: row.name or None for row in rows}
        self._listed_once = True
        self._warned = False
        self.waited = self.waits
        missing = {
            schedule_id
            for schedule_id, since in self._missing_since.items()
            if since <= began and schedule_id not in self.names
        }
        self._missing_since = {
            schedule_id: since
            for schedule_id, since in self._missing_since.items()
            if since > began
        }
        learned = context.ledger.learned(context.name)
        unknown = (learned.unknown_schedules | missing) - self.names.keys()
        if len(unknown) > MOST_UNKNOWN:
            unknown = frozenset(missing)
        context.ledger.set_learned(context.name, replace(learned, unknown_schedules=unknown))
        globs = context.config.schedules
        followed = [row for row in rows if globs.matches(row.name or None, row.id)]
        for row in followed:
            is_new = not context.labels.named(row.id)
            context.labels.schedule(row.id, row.name or None)
            if is_new:
                # Each new label is a commit of its own, and there may be thousands.
                await asyncio.sleep(0)
        return followed

    def decide(self, schedule_id: str) -> bool | None:
        """Return whether a schedule is followed, None if that cannot be decided yet."""
        by_name = self.context.config.schedules.by_name
        if by_name and not self._listed_once and self._may_be_listed():
            # Even a name of the ledger may have changed since.
            self._wait(schedule_id)
            return None
        decided = self._decided(schedule_id)
        if decided is None and self._is_settled(schedule_id):
            # It was deleted, so its name will never come.
            return self.context.config.schedules.matches(None, schedule_id)
        if decided is None:
            self._wait(schedule_id)
        return decided

    def is_named(self, schedule_id: str) -> bool:
        """Return whether the label of a schedule may be fixed now.

        True if its name is known, if a list that was read after its run appeared does not show it,
        or if the list cannot be read.
        """
        if not schedule_id or schedule_id in self.names:
            return True
        if self.context.labels.named(schedule_id) or self._is_settled(schedule_id):
            return True
        if not self._may_be_listed():
            return True
        self._wait(schedule_id)
        return False

    def _wait(self, schedule_id: str) -> None:
        """Record that the name of a schedule is missing."""
        is_new = schedule_id not in self._missing_since
        if is_new:
            self._missing_since[schedule_id] = self.context.clock.monotonic()
        may_be_listed = self._may_be_listed()
        if is_new or may_be_listed:
            self.on_missing()
        if not (may_be_listed or self._warned):
            self._warned = True
            _log.warning(
                "runs wait, because the names of their schedules decide whether they are followed"
                " and cannot be read: let the key read schedules, or filter by ids",
                account=self.context.name,
            )

    def _is_settled(self, schedule_id: str) -> bool:
        """Return whether the list of schedules was read and does not show the schedule."""
        return schedule_id in self.context.ledger.learned(self.context.name).unknown_schedules

    def _may_be_listed(self) -> bool:
        """Return whether it is worth waiting for the list of schedules."""
        collectors = self.context.collectors
        return (
            collectors.is_enabled("schedules")
            and collectors.failures("schedules") < FAILURES_TO_WITHDRAW
        )

    def _decided(self, schedule_id: str) -> bool | None:
        """Return whether a schedule is followed, None if that cannot be decided yet."""
        globs = self.context.config.schedules
        if schedule_id in self.names:
            return globs.matches(self.names[schedule_id], schedule_id)
        # The schedule was deleted since, or the list may no longer be read.
        name = self.context.labels.known_name(schedule_id)
        return globs.by_id(schedule_id) if name is None else globs.matches(name, schedule_id)
