"""Read the summary: the batches at work, and those that ended recently."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runtype_exporter.model import Batch, Delta, Horizon
from runtype_exporter.polling.batches.lifecycle import ProbeReading
from runtype_exporter.polling.chunks import chunks
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.discovery.account_batches import AccountBatches
from runtype_exporter.polling.discovery.horizon import AccountHorizon
from runtype_exporter.polling.status_words import normalise, parse_time, probe_of
from runtype_exporter.runtype import SummaryRow

READS_TO_CLAIM = 2
"""A batch of the summary counts as ad hoc after so many reads of the run list without its run."""


@dataclass(frozen=True, slots=True)
class SummaryRead:
    """What a read of the summary showed: a reading of each batch, and the batches it added."""

    readings: Mapping[str, ProbeReading] = field(default_factory=dict)
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SummaryReads:
    """Reads the summary of one account and adds the batches that are new."""

    context: AccountContext
    batches: AccountBatches
    horizon: AccountHorizon

    async def read(self) -> SummaryRead:
        """Read the summary.

        Raises:
            ReadFailed: it could not be read.
            LedgerError: a batch could not be stored.
        """
        answer = await self.context.collectors.read("summary", "", self.context.client.summary)
        # A batch may be in both lists: the one at work is shown.
        items = list({item.id: item for item in (*answer.recent, *answer.batches)}.values())
        readings: dict[str, ProbeReading] = {}
        added: list[str] = []
        for chunk in chunks(items):
            horizon = self.horizon.current()
            if horizon is None:
                # The API's time is not certain yet, so nothing can be decided.
                return SummaryRead()
            latest = self.context.api_time.latest()
            readings |= {
                item.id: ProbeReading(probe_of(item), parse_time(item.started_at, latest=latest))
                for item in chunk
            }
            self.horizon.note_created(*(readings[item.id].started for item in chunk))
            if self.context.config.adhoc_batches:
                added += self._add(chunk, self.horizon.of_source("adhoc", horizon))
            await asyncio.sleep(0)
        return SummaryRead(readings, tuple(added))

    def _add(self, items: Sequence[SummaryRow], horizon: Horizon) -> list[str]:
        """Add the batches that are not stored and not from before the horizon. Return their ids."""
        stored = self.context.ledger.batches(item.id for item in items)
        # Not compared with the API's time: what began after the horizon is new in any case.
        began = {item.id: parse_time(item.started_at) for item in items if item.id not in stored}
        new = [
            self._batch(item, began[item.id], horizon)
            for item in items
            if item.id in began and not self._is_past(item.status, began[item.id], horizon)
        ]
        if new:
            self.context.ledger.commit(Delta(), batches=new)
        return [batch.ref.id for batch in new]

    def _batch(self, item: SummaryRow, started: float | None, horizon: Horizon) -> Batch:
        return self.batches.new(
            item.id,
            horizon,
            created=started,
            flow_name=item.flow_name or "",
            claims_left=READS_TO_CLAIM,
        )

    def _is_past(self, status: str, began: float | None, horizon: Horizon) -> bool:
        words = self.context.status_words
        final = words.outcome(normalise(status), ended=False) is not None
        return began is not None and began < horizon.at and (horizon.first_discovery_done or final)
