"""One cycle: the cheap reads that show which batches there are and which of them changed.

No results are read. What a cycle finds goes into the ledger: batches, runs and labels. From there
follows which batches want a sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from runtype_exporter.clock import Clock
from runtype_exporter.config import Account, Poll
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, Delta, Horizon, Probe
from runtype_exporter.polling.batches import lifecycle
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.batches.lifecycle import ProbeReading
from runtype_exporter.polling.collectors import CollectorStates
from runtype_exporter.polling.discovery.account_batches import AccountBatches
from runtype_exporter.polling.discovery.findings import CycleFindings
from runtype_exporter.polling.discovery.run_list import RunList, merge_deltas
from runtype_exporter.polling.discovery.run_pages import RunPages
from runtype_exporter.polling.discovery.schedule_filter import ScheduleFilter
from runtype_exporter.polling.discovery.status_probe import StatusProbe
from runtype_exporter.polling.discovery.unfinished_runs import UnfinishedRuns
from runtype_exporter.polling.schedules.start_checks import StartChecks
from runtype_exporter.polling.status_words import StatusWords, normalise, parse_time
from runtype_exporter.polling.timers import WallClockTimer
from runtype_exporter.runtype import (
    Client,
    RunRow,
    ScheduleRow,
    Summary,
    cursor_walk,
)

READS_TO_CLAIM = 2
"""A batch of the summary counts as ad hoc after so many reads of the run list without its run."""
FULL_WALK_SHARE = 0.1
"""Full walks over the run list take at most this share of the request budget."""

YOUNG = 24 * 3600.0
"""An unfinished run older than this is left to full walks, in seconds. Otherwise a run that never
ends would make every cycle read far back."""


@dataclass(slots=True)
class Discovery:
    """The cycles of one account."""

    account: Account
    poll: Poll
    retention: float
    client: Client
    ledger: Ledger
    labels: LabelTable
    status_words: StatusWords
    collectors: CollectorStates
    closer: BatchCloser
    status_probe: StatusProbe
    clock: Clock
    on_schedules: Callable[[Sequence[ScheduleRow]], None]
    """Called with the schedules that are followed, each time that all were read."""
    _findings: CycleFindings = field(default_factory=CycleFindings, init=False)
    _batches: AccountBatches = field(init=False)
    _run_pages: RunPages = field(init=False)
    _runs: RunList = field(init=False)
    _unfinished: UnfinishedRuns = field(init=False)
    _filter: ScheduleFilter = field(init=False)
    _starts: StartChecks = field(init=False)
    _last_schedule_list: WallClockTimer = field(default=WallClockTimer(), init=False)
    """Runs until the list of schedules is to be read again."""
    _last_full_walk: WallClockTimer = field(default=WallClockTimer(), init=False)
    """Runs until the next full walk over the run list is due."""

    def __post_init__(self) -> None:
        """Put the parts together, with an unread run list."""
        name = self.account.name
        self._runs = RunList(self.client)
        self._filter = ScheduleFilter(self.account.schedules, self.labels, self.collectors)
        self._unfinished = UnfinishedRuns(name, self.ledger)
        self._starts = StartChecks(name, self.retention, self.ledger, self.labels)
        self._batches = AccountBatches(name, self.poll.lookback, self.ledger, self.clock)
        self._run_pages = RunPages(
            account=name,
            configured=self.closer.configured,
            ledger=self.ledger,
            labels=self.labels,
            status_words=self.status_words,
            schedule_filter=self._filter,
            batches=self._batches,
            findings=self._findings,
            clock=self.clock,
        )

    @property
    def requests(self) -> int:
        """Return the number of requests of the last cycle, retries not counted."""
        return self._findings.requests

    def changed(self) -> list[Batch]:
        """Return the batches that the last cycle changed, as they are stored now.

        Raises:
            LedgerError: the ledger could not be read.
        """
        stored = self.ledger.batches(self._findings.changed)
        return [stored[batch_id] for batch_id in self._findings.changed if batch_id in stored]

    async def cycle(self) -> None:
        """Read what changed.

        Raises:
            ApiError: no other request makes sense now; what was read before is stored.
            LedgerError: a change could not be stored.
        """
        self._findings.clear()
        began = self.clock.now()
        # The first cycle ever fixes the horizon, whatever fails after that.
        self._batches.horizon()
        if self._last_schedule_list.over(began):
            await self.collectors.read("schedules", self._read_schedules)
        if self.collectors.never_answered("schedules"):
            # The labels of a batch never change, so the names of the schedules must come first.
            return
        summary = await self.collectors.read("summary", self._read_summary)
        full = self._last_full_walk.over(began)
        runs = not self._filter.waits_for_names() and await self.collectors.read(
            "runs", partial(self._read_runs, full=full)
        )
        self._expire_claims(read=runs)
        self._add_configured()
        if (
            summary
            or runs
            or not (self.collectors.is_enabled("summary") or self.collectors.is_enabled("runs"))
        ):
            # If both lists fail, do not send one request for each batch as well.
            self._findings.requests += await self.status_probe.read(self._findings)
        self._apply_readings()
        if runs:
            await self._starts.judge(read=began, now=self.clock.now())
        if (
            (runs or not self.collectors.is_enabled("runs"))
            and (summary or not self.collectors.is_enabled("summary"))
            and full
        ):
            await self._forget(began, full_walk_done=runs)

    async def _read_schedules(self) -> None:
        began = self.clock.now()
        rows: dict[str, ScheduleRow] = {}
        async for page in cursor_walk(self.client.schedules):
            self._findings.requests += 1
            rows |= {row.id: row for row in page.data}
        followed = self._filter.update(rows.values())
        self.on_schedules(followed)
        await self._starts.observe(
            followed if self.account.collectors.runs else (), began=began, now=self.clock.now()
        )
        self._last_schedule_list = WallClockTimer(
            began, self.clock.now() + self.poll.discovery_interval
        )

    async def _read_summary(self) -> None:
        self._findings.requests += 1
        summary: Summary = await self.client.summary()
        items = {item.id: item for item in (*summary.recent, *summary.batches)}
        stored = self.ledger.batches(items)
        horizon = self._batches.horizon()
        for item in items.values():
            probe = Probe(
                normalise(item.status),
                item.total_records,
                item.processed_records,
                item.failed_records,
            )
            started = parse_time(item.started_at)
            self._findings.add_reading(item.id, "summary", ProbeReading(probe, started))
            final = self.status_words.outcome(probe.status, ended=False) is not None
            past = (
                started is not None
                and started < horizon.at
                and (horizon.first_discovery_done or final)
            )
            if item.id not in stored and self.account.adhoc_batches and not past:
                self._add_batch(
                    item.id,
                    horizon,
                    created=started,
                    flow_name=item.flow_name or "",
                    claims_left=READS_TO_CLAIM,
                )

    async def _read_runs(self, *, full: bool) -> None:
        async def handle(rows: Sequence[RunRow]) -> bool:
            self._findings.requests += 1
            self._unfinished.mark_seen(rows)
            await self._filter.resolve_names(
                {row.schedule_id for row in rows}, self._read_schedules
            )
            return self._run_pages.process_run_page(rows)

        started = self.clock.now()
        if full:
            self._unfinished.start_full_walk()
        await self._runs.read(
            handle,
            self._unfinished.creation_times,
            self._batches.horizon().at,
            young=started - YOUNG,
            full=full,
        )
        if full:
            # Stretch the interval so that full walks keep to their share of the budget.
            stretched = (
                self._runs.pages * 3600.0 / (FULL_WALK_SHARE * self.account.requests_per_hour)
            )
            self._last_full_walk = WallClockTimer(
                started, started + max(self.poll.discovery_interval, stretched)
            )

    def _expire_claims(self, *, read: bool) -> None:
        """Count one more read of the run list without a run for these batches.

        If the run list is not read at all, no run can ever claim them.
        """
        waiting = [
            batch for batch in self.ledger.open_batches(self.account.name) if batch.claims_left > 0
        ]
        if not waiting or not (read or not self.collectors.is_enabled("runs")):
            return
        left = [lifecycle.expire_claim(batch, at_once=not read) for batch in waiting]
        self.ledger.save(*left)
        self._findings.add_changed(left)

    def _add_configured(self) -> None:
        """Follow each configured batch that is not in the ledger yet."""
        self.closer.drop_never_found()
        stored = self.ledger.batches(self.closer.configured)
        horizon = self._batches.horizon()
        for batch_id in sorted(self.closer.configured):
            if batch_id not in stored:
                self._add_batch(
                    batch_id,
                    horizon,
                    claims_left=READS_TO_CLAIM if self.collectors.is_enabled("runs") else 0,
                )
            elif stored[batch_id].ref.account != self.account.name:
                self._batches.warn_other_owner(stored[batch_id].ref.account, "batch", batch_id)

    def _apply_readings(self) -> None:
        """Apply the readings of the cycle to the batches, each source separately."""
        now = self.clock.now()
        changed: list[Batch] = []
        late: list[Delta] = []
        for batch_id, batch in self.ledger.batches(self._findings.readings).items():
            if batch.ref.account != self.account.name:
                self._batches.warn_other_owner(batch.ref.account, "batch", batch_id)
                continue
            readings = self._findings.readings[batch_id]
            self.closer.missing.discard(batch_id)
            if batch.closed is None:
                after = lifecycle.observe(batch, readings, self.status_words, now)
            else:
                after, delta = lifecycle.changed_late(batch, readings, self.status_words)
                late.append(delta)
            if after != batch:
                changed.append(after)
        if changed:
            self.ledger.commit(merge_deltas(late), batches=changed)
            self._findings.add_changed(changed)

    async def _forget(self, began: float, *, full_walk_done: bool) -> None:
        """Move the horizon and forget old batches, runs and series, after a full walk.

        Everything that is listed is in the ledger then. So anything older than the new horizon that
        is not in the ledger will never be counted.
        """
        self.ledger.mark_discovered(self.account.name)
        self.ledger.raise_horizon(self.account.name, began - self.retention)
        if full_walk_done:
            self._unfinished.expire(self._batches.horizon().at)
        listed = {*self._findings.readings, *self._findings.undated_runs, *self.closer.configured}
        # Each call forgets some; the sleep yields to the event loop and waits for nothing.
        while self.ledger.forget(  # noqa: ASYNC110
            self.account.name, now=self.clock.now(), listed=listed, retention=self.retention
        ):
            await asyncio.sleep(0)
        # The list of schedules must be valid as of the start of the cycle. The walk over the runs
        # may take longer than it stays valid.
        if self.collectors.is_enabled("schedules") and not self._last_schedule_list.over(
            max(began, self._last_schedule_list.since)
        ):
            labels = self.labels.listed(self._filter.names)
            # Series that changed since that read, or within `retention` before it, may belong to a
            # schedule that it could not list yet.
            self.ledger.end_series(
                self.account.name,
                labels,
                before=min(began, self._last_schedule_list.since) - self.retention,
            )
        if self._last_full_walk.over(self.clock.now()):
            # The run list is not read.
            self._last_full_walk = WallClockTimer(began, began + self.poll.discovery_interval)

    def _add_batch(
        self,
        batch_id: str,
        horizon: Horizon,
        *,
        created: float | None = None,
        flow_name: str = "",
        claims_left: int,
    ) -> None:
        """Store a new batch."""
        batch = self._batches.new(
            batch_id, horizon, created=created, flow_name=flow_name, claims_left=claims_left
        )
        self.ledger.save(batch)
        self._findings.add_changed((batch,))
