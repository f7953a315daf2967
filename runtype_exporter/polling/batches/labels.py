"""The `schedule` and `flow` labels: names where there are names, fixed in the ledger at first use.

A label must never change under a running batch, since its series would restart; so a batch's labels
freeze with its first rows. Where the exposition has no room for another label set, they freeze as
the one that all such share: totals stay exact, at the price of the detail.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from runtype_exporter.catalogue import RECORDS_ABANDONED, SCHEDULE_RUNS_FINISHED
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import OVERFLOW, Batch, Labels, LabelValues
from runtype_exporter.protocols import Room
from runtype_exporter.runtype import ResultRow

MOST_REMEMBERED = 10_000
"""Label sets that are remembered as counted among those without room; beyond, one may be counted
again."""


class NoSeriesLimit:
    """Room for every label set."""

    def room(self, promised: int = 0) -> bool:  # noqa: ARG002  # as the protocol has it
        """There is."""
        return True

    def overflowed(self) -> None:
        """It never comes to that."""


@dataclass(frozen=True, slots=True)
class LabelTable:
    """One account's names."""

    account: str
    ledger: Ledger
    room: Room = field(default_factory=NoSeriesLimit)
    _overflowed: set[LabelValues] = field(default_factory=set, init=False)

    def named(self, schedule_id: str) -> bool:
        """Whether the schedule has a label already."""
        return self.ledger.known_label(self.account, "schedule", schedule_id) is not None

    def known_name(self, schedule_id: str) -> str | None:
        """The name that the schedule last had, as far as its label tells.

        An id in its place says nothing.
        """
        label = self.ledger.known_label(self.account, "schedule", schedule_id)
        return None if label == schedule_id else label

    def schedule(self, schedule_id: str, name: str | None = None) -> str:
        """The label of a schedule ("" for none), fixed now if it was not.

        A new name is a rename.
        """
        return self.ledger.label(self.account, "schedule", schedule_id, name) if schedule_id else ""

    def listed(self, schedule_ids: Iterable[str]) -> set[str]:
        """The labels of those of these schedules that have one."""
        labels = (
            self.ledger.known_label(self.account, "schedule", schedule_id)
            for schedule_id in schedule_ids
        )
        return {label for label in labels if label is not None}

    def run(self, schedule_id: str, name: str | None, promised: set[str]) -> str:
        """The schedule label under which runs are counted.

        Its own or, without room for a new one, the shared one.

        `promised` are the new labels handed out of which the ledger holds no series yet; this one
        is added where it is new.
        """
        label = self.schedule(schedule_id, name)
        if label in promised or self.ledger.has_series(
            SCHEDULE_RUNS_FINISHED.name, (self.account, label, "success")
        ):
            return label
        if not self._admitted((label,), len(promised)):
            return OVERFLOW
        promised.add(label)
        return label

    def freeze(self, batch: Batch, rows: Iterable[ResultRow] = ()) -> Batch:
        """The batch with its labels frozen.

        One batch has one flow: that of its run, else of its first row that names one.
        """
        flow_id = batch.flow_id
        flow_name = batch.flow_name
        for row in rows:
            if row.flow_id and flow_id in ("", row.flow_id):
                flow_id, flow_name = row.flow_id, row.flow_name or flow_name
                break
        flow = (
            self.ledger.label(self.account, "flow", flow_id, flow_name or None)
            if flow_id
            else flow_name
        )
        labels = Labels(self.schedule(batch.schedule), flow)
        counted = self.ledger.has_series(RECORDS_ABANDONED.name, (self.account, *labels))
        if not (counted or self._admitted(labels, 0)):
            labels = Labels(OVERFLOW, OVERFLOW)
        return replace(batch, labels=labels, flow_id=flow_id, flow_name=flow_name)

    def shown(self, batch: Batch) -> Labels:
        """What the gauges call the batch.

        Its frozen labels, else what is known so far, which fixes nothing.
        """
        if batch.labels is not None:
            return batch.labels
        schedule = (
            self.ledger.known_label(self.account, "schedule", batch.schedule)
            if batch.schedule
            else ""
        )
        flow = (
            self.ledger.known_label(self.account, "flow", batch.flow_id)
            if batch.flow_id
            else batch.flow_name
        )
        return Labels(
            batch.schedule if schedule is None else schedule,
            batch.flow_id if flow is None else flow,
        )

    def _admitted(self, labels: LabelValues, promised: int) -> bool:
        """Whether a new label set may have series of its own. One that may not is told of once."""
        if self.room.room(promised):
            return True
        if labels not in self._overflowed:
            if len(self._overflowed) < MOST_REMEMBERED:
                self._overflowed.add(labels)
            self.room.overflowed()
        return False
