"""The `schedule` and `flow` labels: names if there are names, fixed in the ledger at first use.

The labels of a running batch must not change, since its series would restart. So the labels of a
batch freeze with its first rows. If the series limit allows no other label set, they freeze as one
label set that all such batches share: totals stay exact, only the detail is lost.

A long name is cut, so that a hostile one cannot grow every series of a schedule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from runtype_exporter.catalogue import RECORDS_ABANDONED, SCHEDULE_RUNS_FINISHED, series
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import OVERFLOW, Batch, Labels, LabelValues
from runtype_exporter.protocols import SeriesLimit
from runtype_exporter.runtype import ResultRow

LABEL_LENGTH = 200
"""Longer names and ids of schedules and flows are cut at this many characters as labels."""
MOST_REMEMBERED = 10_000
"""So many label sets beyond the series limit are remembered as counted. Further ones may be counted
twice as pooled label sets."""


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The labels of one account's schedules, flows and batches."""

    account: str
    ledger: Ledger
    series_limit: SeriesLimit
    _overflowed: set[LabelValues] = field(default_factory=set, init=False)

    def named(self, schedule_id: str) -> bool:
        """Return whether the schedule has a label already."""
        return self.ledger.known_label(self.account, "schedule", schedule_id) is not None

    def known_name(self, schedule_id: str) -> str | None:
        """Return the last known name of the schedule by its label, None if that is its id."""
        label = self.ledger.known_label(self.account, "schedule", schedule_id)
        return None if label == schedule_id else label

    def schedule(self, schedule_id: str, name: str | None = None) -> str:
        """Return the label of a schedule, "" for no schedule. Fix it now if it has none.

        A new name is a rename.
        """
        return self._label("schedule", schedule_id, name) if schedule_id else ""

    def listed(self, schedule_ids: Iterable[str]) -> set[str]:
        """Return the labels of these schedules, as far as they have one."""
        labels = (
            self.ledger.known_label(self.account, "schedule", schedule_id)
            for schedule_id in schedule_ids
        )
        return {label[:LABEL_LENGTH] for label in labels if label is not None}

    def run(self, schedule_id: str, name: str | None, promised: set[str]) -> str:
        """Return the schedule label under which runs are counted.

        That is the label of the schedule or, if the series limit is reached, the shared one.
        `promised` are new labels that were returned before and have no series in the ledger yet. A
        new label is added to it.
        """
        label = self.schedule(schedule_id, name)
        counted = series(
            SCHEDULE_RUNS_FINISHED, account=self.account, schedule=label, outcome="success"
        )
        if label in promised or self.ledger.has_series(counted):
            return label
        if not self._admitted((label,), len(promised)):
            return OVERFLOW
        promised.add(label)
        return label

    def freeze(self, batch: Batch, rows: Iterable[ResultRow] = ()) -> Batch:
        """Return the batch with its labels frozen.

        A batch has one flow: the flow of its run, else of the first row that names one.
        """
        flow_id = batch.flow_id
        flow_name = batch.flow_name
        for row in rows:
            if row.flow_id and flow_id in ("", row.flow_id):
                flow_id, flow_name = row.flow_id, row.flow_name or flow_name
                break
        flow = self._label("flow", flow_id, flow_name) if flow_id else flow_name[:LABEL_LENGTH]
        labels = Labels(self.schedule(batch.schedule), flow)
        counted = series(RECORDS_ABANDONED, account=self.account, **labels._asdict())
        if not (self.ledger.has_series(counted) or self._admitted(labels, 0)):
            labels = Labels(OVERFLOW, OVERFLOW)
        return replace(batch, labels=labels, flow_id=flow_id, flow_name=flow_name)

    def shown(self, batch: Batch) -> Labels:
        """Return the labels for the gauges of a batch: the frozen ones, else what is known so far.

        This fixes no label.
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
            (batch.schedule if schedule is None else schedule)[:LABEL_LENGTH],
            (batch.flow_id if flow is None else flow)[:LABEL_LENGTH],
        )

    def _label(self, kind: Literal["schedule", "flow"], id_: str, name: str | None) -> str:
        """Return the label of a schedule or flow, at most `LABEL_LENGTH` characters long."""
        # Without a name the ledger takes the id. One that is too long has its beginning as name.
        name = name or (id_ if len(id_) > LABEL_LENGTH else None)
        label = self.ledger.label(self.account, kind, id_, name[:LABEL_LENGTH] if name else None)
        # Another id may have that name already.
        return label[:LABEL_LENGTH]

    def _admitted(self, labels: LabelValues, promised: int) -> bool:
        """Return whether a new label set may have its own series. Report each refused one once."""
        if self.series_limit.allows_more(promised):
            return True
        if labels not in self._overflowed:
            if len(self._overflowed) < MOST_REMEMBERED:
                self._overflowed.add(labels)
            self.series_limit.overflowed()
        return False
