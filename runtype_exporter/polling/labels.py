"""The `schedule` and `flow` labels: names where there are names, fixed in the ledger at first use.

A label must never change under a running batch, since its series would restart; so a batch's labels freeze with its first rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, Labels
from runtype_exporter.runtype import ResultRow


@dataclass(frozen=True, slots=True)
class LabelTable:
    """One account's names."""

    account: str
    ledger: Ledger

    def named(self, schedule_id: str) -> bool:
        """Whether the schedule has a label already."""
        return self.ledger.known_label(self.account, "schedule", schedule_id) is not None

    def schedule(self, schedule_id: str, name: str | None = None) -> str:
        """The label of a schedule ("" for none), fixed now if it was not; a new name is a rename."""
        return self.ledger.label(self.account, "schedule", schedule_id, name) if schedule_id else ""

    def freeze(self, batch: Batch, rows: Iterable[ResultRow] = ()) -> Batch:
        """The batch with its labels frozen. One batch has one flow: that of its run, else of its first row that names one."""
        flow_id = batch.flow_id
        flow_name = batch.flow_name
        for row in rows:
            if row.flow_id and flow_id in ("", row.flow_id):
                flow_id, flow_name = row.flow_id, row.flow_name or flow_name
                break
        flow = self.ledger.label(self.account, "flow", flow_id, flow_name or None) if flow_id else flow_name
        labels = Labels(self.schedule(batch.schedule), flow)
        return replace(batch, labels=labels, flow_id=flow_id, flow_name=flow_name)

    def shown(self, batch: Batch) -> Labels:
        """What the gauges call the batch: its frozen labels, else what is known so far, which fixes nothing."""
        if batch.labels is not None:
            return batch.labels
        schedule = self.ledger.known_label(self.account, "schedule", batch.schedule) if batch.schedule else ""
        flow = self.ledger.known_label(self.account, "flow", batch.flow_id) if batch.flow_id else batch.flow_name
        return Labels(batch.schedule if schedule is None else schedule, batch.flow_id if flow is None else flow)
