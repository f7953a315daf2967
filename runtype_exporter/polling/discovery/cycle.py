"""One cycle: the cheap reads that tell which batches there are and which of them changed.

It pages no results.

What it finds goes into the ledger (batches, runs, labels); which batches want a sweep follows from
there, elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from runtype_exporter.clock import Clock
from runtype_exporter.config import Account, Poll
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, BatchRef, Delta, Horizon, Probe, Run, Source
from runtype_exporter.polling.batches import lifecycle, runs_without_batch
from runtype_exporter.polling.batches.closing import BatchCloser
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.batches.lifecycle import ProbeReading
from runtype_exporter.polling.collectors import CollectorStates
from runtype_exporter.polling.discovery.run_list import RunList, ended_run, merge_deltas, run_of
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
"""How many reads of the run list must leave a batch of the summary unclaimed before it passes for
ad hoc."""
FULL_WALK_SHARE = 0.1
"""Whole walks over the run list take at most this share of the request budget."""

YOUNG = 24 * 3600.0
"""An unfinished run created longer ago than this is left to whole walks: one that never ends must
not cost every cycle, seconds."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Discovery:
    """One account's cycles."""

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
    listed: Callable[[Sequence[ScheduleRow]], None]
    """Hears of the schedules that are followed, each time that all were read."""
    requests: int = field(default=0, init=False)
    """Requests that the last cycle asked for, retries left out."""
    changed: dict[str, Batch] = field(default_factory=dict, init=False)
    """The batches that the last cycle changed, as they stand."""
    _runs: RunList = field(init=False)
    _unfinished: UnfinishedRuns = field(init=False)
    _filter: ScheduleFilter = field(init=False)
    _starts: StartChecks = field(init=False)
    _readings: dict[str, dict[Source, ProbeReading]] = field(default_factory=dict, init=False)
    _undated: set[str] = field(default_factory=set, init=False)
    """Runs of this cycle whose creation is not known: nothing but their being listed tells that
    they must not be forgotten."""
    _last_schedule_list: WallClockTimer = field(default=WallClockTimer(), init=False)
    """Until when the last whole read of the schedules holds, and below, the last whole walk over
    the runs."""
    _last_full_walk: WallClockTimer = field(default=WallClockTimer(), init=False)
    _warned: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Start with an unread run list."""
        self._runs = RunList(self.client)
        self._filter = ScheduleFilter(self.account.schedules, self.labels, self.collectors)
        self._unfinished = UnfinishedRuns(self.account.name, self.ledger)
        self._starts = StartChecks(self.account.name, self.retention, self.ledger, self.labels)

    async def cycle(self) -> None:
        """Read what changed.

        Raises:
            ApiError: nothing else could be asked for; what was read before that stands.
            LedgerError: what was read could not be kept.
        """
        self.requests = 0
        self.changed.clear()
        self._readings.clear()
        self._undated.clear()
        began = self.clock.now()
        self._horizon()  # fixed by the first start, whatever fails then
        if self._last_schedule_list.over(began):
            await self.collectors.read("schedules", self._schedules)
        if self.collectors.never_answered("schedules"):
            return  # a batch's labels freeze for ever, so its schedule's name is waited for
        summary = await self.collectors.read("summary", self._summary)
        full = self._last_full_walk.over(began)
        runs = not self._filter.waits_for_names() and await self.collectors.read(
            "runs", partial(self._run_list, full=full)
        )
        self._expire_claims(read=runs)
        self._configured()
        if (
            summary
            or runs
            or not (self.collectors.is_enabled("summary") or self.collectors.is_enabled("runs"))
        ):
            # An API that fails its lists is not asked about each batch as well.
            self.requests += await self.status_probe.read(self._readings, self.changed)
        self._observe()
        if runs:
            await self._starts.judge(read=began, now=self.clock.now())
        if (
            (runs or not self.collectors.is_enabled("runs"))
            and (summary or not self.collectors.is_enabled("summary"))
            and full
        ):
            await self._forget(began, walked=runs)

    async def _schedules(self) -> None:
        began = self.clock.now()
        rows: dict[str, ScheduleRow] = {}
        async for page in cursor_walk(self.client.schedules):
            self.requests += 1
            rows |= {row.id: row for row in page.data}
        followed = self._filter.update(rows.values())
        self.listed(followed)
        await self._starts.observe(
            followed if self.account.collectors.runs else (), began=began, now=self.clock.now()
        )
        self._last_schedule_list = WallClockTimer(
            began, self.clock.now() + self.poll.discovery_interval
        )

    async def _summary(self) -> None:
        self.requests += 1
        summary: Summary = await self.client.summary()
        items = {item.id: item for item in (*summary.recent, *summary.batches)}
        stored = self.ledger.lookup(items)
        horizon = self._horizon()
        for item in items.values():
            probe = Probe(
                normalise(item.status),
                item.total_records,
                item.processed_records,
                item.failed_records,
            )
            started = parse_time(item.started_at)
            self._readings.setdefault(item.id, {})["summary"] = ProbeReading(probe, started)
            final = self.status_words.outcome(probe.status, ended=False) is not None
            past = started is not None and started < horizon.at and (horizon.opened or final)
            if item.id not in stored and self.account.adhoc_batches and not past:
                self._open(
                    item.id,
                    horizon,
                    created=started,
                    flow_name=item.flow_name or "",
                    unclaimed=READS_TO_CLAIM,
                )

    async def _run_list(self, *, full: bool) -> None:
        async def take(rows: Sequence[RunRow]) -> bool:
            self.requests += 1
            self._unfinished.mark_seen(rows)
            await self._filter.resolve_names({row.schedule_id for row in rows}, self._schedules)
            return self._process_run_page(rows)

        started = self.clock.now()
        if full:
            self._unfinished.start_full_walk()
        await self._runs.read(
            take,
            self._unfinished.creation_times,
            self._horizon().at,
            young=started - YOUNG,
            full=full,
        )
        if full:
            stretched = (
                self._runs.pages * 3600.0 / (FULL_WALK_SHARE * self.account.requests_per_hour)
            )
            self._last_full_walk = WallClockTimer(
                started, started + max(self.poll.discovery_interval, stretched)
            )

    def _process_run_page(self, rows: Sequence[RunRow]) -> bool:
        """Keep one page of runs. Whether it told nothing new."""
        stored = self.ledger.runs(row.id for row in rows)
        keys = (
            key
            for row in rows
            for key in (row.batch_execution_id, runs_without_batch.results_batch_id(row.id))
            if key
        )
        followed = self.ledger.lookup(keys)
        horizon = self._horizon()
        fresh: list[Run] = []
        deltas: list[Delta] = []
        opened: dict[str, Batch] = {}
        labels: set[str] = set()
        for row in rows:
            run = run_of(self.account.name, row, self.status_words)
            if run.created is None:
                self._undated.add(run.id)
            before = stored.get(run.id)
            if before is not None and before.account != run.account:
                self._warn_owned(before.account, "run", run.id)
                opened |= self._labelled(followed.get(run.batch), run, row, horizon)
                continue
            taken_up = before is not None or _should_follow(run, horizon)
            if not taken_up and run.batch not in followed:
                continue
            included = self._filter.includes(run.schedule)
            if run.batch:
                self._read_run(row, run.batch)
                batch = opened.get(run.batch, followed.get(run.batch))
                counted = (
                    runs_without_batch.results_batch_id(run.id) in followed
                )  # before the run had a batch id
                claimed = self._claim_batch(
                    batch, run, row, horizon, included=included and not counted
                )
                if claimed is not None:
                    opened[run.batch] = claimed
            if _unchanged(before, run):
                continue
            kept = (
                run
                if before is None or before.outcome is None
                else replace(before, batch=run.batch)
            )
            stored[run.id] = kept  # the page may show it twice
            fresh.append(kept)
            ended_unseen = before is None or before.outcome is None
            if (
                included
                and taken_up
                and ended_unseen
                and (before is not None or _within(run, horizon))
            ):
                label = self.labels.run(run.schedule, self._filter.names.get(run.schedule), labels)
                deltas.append(
                    ended_run(self.account.name, label, row, run.outcome, self.clock.now())
                )
                own = self._new(
                    runs_without_batch.results_batch_id(run.id), horizon, created=run.created
                )
                opened |= runs_without_batch.results_batch(own, run, row, self.clock.now())
        if fresh or opened:
            self.ledger.settle(
                merge_deltas(deltas), batches=tuple(opened.values()), runs=tuple(fresh)
            )
            self.changed |= opened
        return not fresh

    def _read_run(self, row: RunRow, batch_id: str) -> None:
        probe = Probe(
            normalise(row.status), row.total_records, row.processed_records, row.failed_records
        )
        reading = ProbeReading(probe, parse_time(row.started_at), parse_time(row.completed_at))
        self._readings.setdefault(batch_id, {})["run"] = reading

    def _claim_batch(
        self, batch: Batch | None, run: Run, row: RunRow, horizon: Horizon, *, included: bool
    ) -> Batch | None:
        """The run's batch as the run makes it, None where that changes nothing.

        The batch of an excluded schedule is closed, uncounted.
        """
        now = self.clock.now()
        if batch is None:
            batch = self._new(run.batch, horizon, created=run.created)
        elif batch.ref.account != self.account.name:
            self._warn_owned(batch.ref.account, "batch", batch.ref.id)
            return None
        elif batch.closed is not None or batch.schedule or batch.labels is not None:
            return None
        claimed = replace(
            batch,
            schedule=run.schedule,
            flow_id=row.flow_id or batch.flow_id,
            created=run.created or batch.created,
            unclaimed=0,
        )
        claimed = lifecycle.unguarded(claimed)
        if run.batch in self.closer.configured:
            self.labels.schedule(run.schedule, self._filter.names.get(run.schedule))
        elif not included:
            return replace(claimed, closed=now)
        return claimed

    def _labelled(
        self, batch: Batch | None, run: Run, row: RunRow, horizon: Horizon
    ) -> dict[str, Batch]:
        """This account's batch of a run that another account counts.

        The batch gets its schedule all the same.
        """
        if batch is None or batch.ref.account != self.account.name:
            return {}
        self._read_run(row, run.batch)
        included = self._filter.includes(run.schedule)
        claimed = self._claim_batch(batch, run, row, horizon, included=included)
        return {} if claimed is None else {run.batch: claimed}

    def _expire_claims(self, *, read: bool) -> None:
        """One more read of the run list left these batches unclaimed, or none can ever claim them."""
        waiting = [
            batch for batch in self.ledger.open_batches(self.account.name) if batch.unclaimed > 0
        ]
        if not waiting or not (read or not self.collectors.is_enabled("runs")):
            return
        left = [replace(batch, unclaimed=batch.unclaimed - 1 if read else 0) for batch in waiting]
        self.ledger.save(*left)
        self.changed |= {batch.ref.id: batch for batch in left}

    def _configured(self) -> None:
        self.closer.drop_never_found()
        stored = self.ledger.lookup(self.closer.configured)
        horizon = self._horizon()
        for batch_id in sorted(self.closer.configured):
            if batch_id not in stored:
                self._open(
                    batch_id,
                    horizon,
                    unclaimed=READS_TO_CLAIM if self.collectors.is_enabled("runs") else 0,
                )
            elif stored[batch_id].ref.account != self.account.name:
                self._warn_owned(stored[batch_id].ref.account, "batch", batch_id)

    def _observe(self) -> None:
        """Fold the cycle's readings into the batches, each source beside the others."""
        now = self.clock.now()
        changed: list[Batch] = []
        late: list[Delta] = []
        for batch_id, batch in self.ledger.lookup(self._readings).items():
            if batch.ref.account != self.account.name:
                self._warn_owned(batch.ref.account, "batch", batch_id)
                continue
            readings = self._readings[batch_id]
            self.closer.missing.discard(batch_id)
            if batch.closed is None:
                after = lifecycle.observe(batch, readings, self.status_words, now)
            else:
                after, delta = lifecycle.changed_late(batch, readings, self.status_words)
                late.append(delta)
            if after != batch:
                changed.append(after)
        if changed:
            self.ledger.settle(merge_deltas(late), batches=changed)
            self.changed |= {batch.ref.id: batch for batch in changed}

    async def _forget(self, began: float, *, walked: bool) -> None:
        """After a whole walk: all that is listed is held, so what was created long before it and is not held will never be counted."""
        self.ledger.opened(self.account.name)
        self.ledger.advance(self.account.name, began - self.retention)
        if walked:
            self._unfinished.expire(self._horizon().at)
        listed = {*self._readings, *self._undated, *self.closer.configured}
        while self.ledger.forget(self.account.name, listed=listed, retention=self.retention):  # noqa: ASYNC110  # it yields, it waits for nothing
            await asyncio.sleep(0)
        # A whole read of this cycle or one that still held when it began; the walk over the runs
        # may have taken longer than that lasts.
        if self.collectors.is_enabled("schedules") and not self._last_schedule_list.over(
            max(began, self._last_schedule_list.since)
        ):
            labels = self.labels.listed(self._filter.names)
            # What was counted since that read, or for `retention` before it, may be of a schedule
            # that it could not list yet.
            self.ledger.end_series(
                self.account.name,
                labels,
                before=min(began, self._last_schedule_list.since) - self.retention,
            )
        if self._last_full_walk.over(self.clock.now()):  # runs are not read
            self._last_full_walk = WallClockTimer(began, began + self.poll.discovery_interval)

    def _open(
        self,
        batch_id: str,
        horizon: Horizon,
        *,
        created: float | None = None,
        flow_name: str = "",
        unclaimed: int,
    ) -> None:
        batch = self._new(batch_id, horizon, created=created)
        batch = replace(batch, flow_name=flow_name, unclaimed=unclaimed)
        self.ledger.save(batch)
        self.changed[batch_id] = batch

    def _new(self, batch_id: str, horizon: Horizon, *, created: float | None) -> Batch:
        guard = horizon.at if created is None or created < horizon.at else None
        return Batch(
            ref=BatchRef(self.account.name, batch_id),
            seen=self.clock.now(),
            created=created,
            guard=guard,
        )

    def _horizon(self) -> Horizon:
        return self.ledger.horizon(self.account.name, lookback=self.poll.lookback)

    def _warn_owned(self, owner: str, what: str, key: str) -> None:
        if key not in self._warned and len(self._warned) < 10_000:
            self._warned.add(key)
            _log.warning(
                f"{what} is counted by another account already",
                account=self.account.name,
                owner=owner,
                **{what: key},
            )


def _unchanged(before: Run | None, run: Run) -> bool:
    """Whether a run tells nothing that is not held of it.

    One that has ended may still be given its batch.
    """
    if before is None or before.batch != run.batch:
        return False
    return before.outcome is not None or (run.outcome is None and run.started == before.started)


def _within(run: Run, horizon: Horizon) -> bool:
    return run.ended is None or run.ended >= horizon.at


def _should_follow(run: Run, horizon: Horizon) -> bool:
    """Whether a run that the ledger does not hold is followed."""
    if run.created is None or run.created >= horizon.at:
        return True
    return not horizon.opened and (
        run.outcome is None or (run.ended is not None and run.ended >= horizon.at)
    )
