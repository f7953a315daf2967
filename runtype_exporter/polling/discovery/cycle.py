"""One cycle: the two cheap reads that show which batches there are and which of them changed.

A cycle reads the summary and the head of the run list, and nothing else. What it finds goes into
the ledger: batches, runs and labels. From there follows which batches want a sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from runtype_exporter.model import Batch, Delta, Source
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.lifecycle import ProbeReading
from runtype_exporter.polling.batches.reopening import reopenable
from runtype_exporter.polling.chunks import chunks
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.discovery.account_batches import AccountBatches
from runtype_exporter.polling.discovery.horizon import AccountHorizon
from runtype_exporter.polling.discovery.run_list import RunList, RunsRead
from runtype_exporter.polling.discovery.run_rows import merge_deltas
from runtype_exporter.polling.discovery.summary import READS_TO_CLAIM, SummaryRead, SummaryReads
from runtype_exporter.polling.failures import ReadFailed
from runtype_exporter.polling.schedules.start_checks import StartChecks

ListT = TypeVar("ListT")
Readings = Mapping[str, Mapping[Source, ProbeReading]]
"""The probes of batches that a cycle read, by batch id and source."""


@dataclass(frozen=True, slots=True)
class CycleResult:
    """What one cycle did and found."""

    requests: int = 0
    """Requests of the cycle, repeated ones not counted."""
    changed: tuple[str, ...] = ()
    """The batches that the cycle changed."""
    shown: frozenset[str] = frozenset()
    """The batches that a list showed."""
    listed: frozenset[str] = frozenset()
    """What must not be forgotten: the batches that were shown, and runs without a creation time."""
    answered: frozenset[str] = frozenset()
    """The lists that were answered."""
    failure: ReadFailed | None = None
    """The first list that failed."""


@dataclass(slots=True)
class Discovery:
    """The cycles of one account."""

    context: AccountContext
    closer: BatchCloser
    batches: AccountBatches
    horizon: AccountHorizon
    runs: RunList
    summary: SummaryReads
    starts: StartChecks

    async def cycle(self) -> CycleResult:
        """Read the lists that are enabled, both at the same time, and store what they show.

        Raises:
            LedgerError: a change could not be stored.
        """
        summary, runs = await asyncio.gather(
            self._read("summary", self.summary.read),
            self._read("runs", self.runs.read_head),
            return_exceptions=True,
        )
        failures: list[ReadFailed] = []
        for outcome in (summary, runs):
            if isinstance(outcome, ReadFailed):
                failures.append(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        shown = summary if isinstance(summary, SummaryRead) else SummaryRead()
        head = runs if isinstance(runs, RunsRead) else None
        readings = _merge(shown, head)
        changed = [*shown.added, *(head.shown.changed if head is not None else ())]
        changed += await self._apply(readings)
        changed += self._add_configured()
        if head is not None:
            changed += await self.count_claims(head)
            await self.judge_starts(head)
        elif self._no_run_can_claim() and self.horizon.current() is not None:
            changed += await self._expire(self._unclaimed(), at_once=True)
        kept = frozenset() if head is None else head.shown.undated | head.shown.deferred
        answered = {"summary": isinstance(summary, SummaryRead), "runs": head is not None}
        return CycleResult(
            requests=len(failures) + answered["summary"] + (0 if head is None else head.pages),
            changed=tuple(dict.fromkeys(changed)),
            shown=frozenset(readings),
            listed=frozenset(readings) | kept,
            answered=frozenset(name for name, came in answered.items() if came),
            failure=failures[0] if failures else None,
        )

    async def judge_starts(self, read: RunsRead) -> None:
        """Judge the starts about which a read of the run list proves something.

        A run that waits for the name of its schedule is not stored. It may be the one that a start
        came of.

        Raises:
            LedgerError: nothing was judged.
        """
        if self.context.api_time.certain and not read.shown.waits:
            await self.starts.judge(read=read.began, reach=read.reach, now=self.context.now())

    def stored(self, ids: Iterable[str]) -> list[Batch]:
        """Return these batches as they are stored now, in order and each once.

        Raises:
            LedgerError: the ledger could not be read.
        """
        wanted = dict.fromkeys(ids)
        found = self.context.ledger.batches(wanted)
        return [found[batch_id] for batch_id in wanted if batch_id in found]

    async def count_claims(self, read: RunsRead) -> list[str]:
        """Count one more read of the run list without a run for the batches that wait for one.

        Only batches count that were seen before the read began, that began after the moment to
        which it reached back, and that no deferred run names. Return their ids.

        Raises:
            LedgerError: nothing was stored.
        """
        waiting = [
            batch
            for batch in self._unclaimed()
            if batch.ref.id not in read.shown.deferred
            and batch.first_seen <= read.began
            and read.reach <= (batch.first_seen if batch.created is None else batch.created)
        ]
        return await self._expire(waiting, at_once=False)

    async def _read(self, collector: str, read: Callable[[], Awaitable[ListT]]) -> ListT | None:
        return await read() if self.context.collectors.is_enabled(collector) else None

    def _no_run_can_claim(self) -> bool:
        """Return whether no run can claim a batch: the run list is off, or was always forbidden.

        A list that is forbidden for a while may come back. Its batches wait for it, up to their
        deadline, since their labels never change.
        """
        enabled = self.context.collectors.is_enabled("runs")
        return not enabled and not self.runs.may_come_back

    def _unclaimed(self) -> list[Batch]:
        return [
            batch
            for batch in self.context.ledger.open_batches(self.context.name)
            if batch.claims_left > 0
        ]

    async def _expire(self, waiting: Sequence[Batch], *, at_once: bool) -> list[str]:
        """Count down the claims of these batches, or end them at once. Return their ids."""
        ids = [batch.ref.id for batch in waiting]
        for chunk in chunks(ids):
            self._expire_chunk(chunk, at_once=at_once)
            await asyncio.sleep(0)
        return ids

    def _expire_chunk(self, ids: Iterable[str], *, at_once: bool) -> None:
        stored = self.context.ledger.batches(ids).values()
        left = [
            lifecycle.expire_claim(batch, at_once=at_once)
            for batch in stored
            if batch.closed is None and batch.claims_left
        ]
        self.context.ledger.save(*left)

    def _add_configured(self) -> list[str]:
        """Follow each configured batch that is not in the ledger yet. Return what changed.

        Where no list is read, the status of these batches is the first read of the account. So they
        are added before there is a horizon, and get their guard once there is one.
        """
        horizon = self.horizon.current()
        self.closer.drop_never_found()
        stored = self.context.ledger.batches(self.closer.configured)
        wait = horizon is None or self.context.collectors.is_enabled("runs")
        claims = READS_TO_CLAIM if wait else 0
        changed = []
        for batch_id in sorted(self.closer.configured):
            batch = stored.get(batch_id)
            if batch is None:
                changed.append(
                    self.batches.new(batch_id, horizon, created=None, claims_left=claims)
                )
            elif batch.ref.account != self.context.name:
                self.batches.warn_other_owner(batch.ref.account, "batch", batch_id)
            elif horizon is not None and batch != (guarded := self.batches.guarded(batch, horizon)):
                changed.append(guarded)
        if changed:
            self.context.ledger.save(*changed)
        return [batch.ref.id for batch in changed]

    async def _apply(self, readings: Readings) -> list[str]:
        """Apply the readings to the batches, each source separately. Return what changed."""
        changed: list[str] = []
        for ids in chunks([*readings]):
            changed += self._apply_chunk(ids, readings)
            await asyncio.sleep(0)
        return changed

    def _apply_chunk(self, ids: Iterable[str], readings: Readings) -> list[str]:
        context, now = self.context, self.context.now()
        changed: list[Batch] = []
        late: list[Delta] = []
        for batch_id, batch in context.ledger.batches(ids).items():
            if batch.ref.account != context.name:
                self.batches.warn_other_owner(batch.ref.account, "batch", batch_id)
                continue
            self.closer.missing.discard(batch_id)
            if batch.closed is None:
                after = lifecycle.observe(batch, readings[batch_id], context.status_words, now)
            else:
                after, delta = lifecycle.changed_late(
                    batch,
                    readings[batch_id],
                    context.status_words,
                    now,
                    reopens=reopenable(batch, now, context.retention),
                )
                late.append(delta)
            if after != batch:
                changed.append(after)
        if changed:
            context.ledger.commit(merge_deltas(late), batches=changed)
        return [batch.ref.id for batch in changed]


def _merge(summary: SummaryRead, runs: RunsRead | None) -> Readings:
    """Return the readings of both lists by batch and source."""
    merged: dict[str, dict[Source, ProbeReading]] = {}
    for batch_id, reading in summary.readings.items():
        merged.setdefault(batch_id, {})["summary"] = reading
    for batch_id, reading in ({} if runs is None else runs.shown.readings).items():
        merged.setdefault(batch_id, {})["run"] = reading
    return merged
