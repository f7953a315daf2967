"""Store the pages of the run list: runs, the batches that they claim, and what ended runs add.

A page is planned and committed in chunks. Nothing is awaited between the plan of a chunk and its
commit, so the plan is about the batches as they are stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from runtype_exporter.model import Batch, Delta, Horizon, Run
from runtype_exporter.polling.batches import lifecycle, runs_without_batch
from runtype_exporter.polling.batches.lifecycle import ProbeReading, reading_of
from runtype_exporter.polling.chunks import chunks
from runtype_exporter.polling.context import AccountContext
from runtype_exporter.polling.discovery.account_batches import AccountBatches
from runtype_exporter.polling.discovery.horizon import AccountHorizon
from runtype_exporter.polling.discovery.run_rows import ended_run, merge_deltas, run_of
from runtype_exporter.polling.discovery.schedule_filter import ScheduleFilter
from runtype_exporter.runtype import RunRow


@dataclass(frozen=True, slots=True)
class RunPage:
    """What one or more pages of runs showed.

    `known` is whether they showed nothing new. `deferred` are the batches of runs about which
    nothing could be decided yet. `runs` are the ids of all runs, `undated` those without a creation
    time. `changed` are the batches that were changed.
    """

    known: bool = True
    runs: frozenset[str] = frozenset()
    readings: Mapping[str, ProbeReading] = field(default_factory=dict)
    deferred: frozenset[str] = frozenset()
    undated: frozenset[str] = frozenset()
    changed: tuple[str, ...] = ()
    waits: bool = False
    """Whether a run waits until the name of its schedule is known."""

    def __or__(self, later: RunPage) -> RunPage:
        """Return what both showed."""
        return RunPage(
            self.known and later.known,
            self.runs | later.runs,
            {**self.readings, **later.readings},
            self.deferred | later.deferred,
            self.undated | later.undated,
            (*self.changed, *later.changed),
            self.waits or later.waits,
        )


class _Seen(NamedTuple):
    """One row of a page: its run, and the batch of the run as it is known so far."""

    run: Run
    row: RunRow
    batch: Batch | None


@dataclass(slots=True)
class _Plan:
    """What is to be committed of one chunk."""

    seen: frozenset[str]
    runs: dict[str, Run] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    deltas: list[Delta] = field(default_factory=list)
    readings: dict[str, ProbeReading] = field(default_factory=dict)
    deferred: set[str] = field(default_factory=set)
    undated: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    """Labels of schedules that get their first series with this chunk."""
    waits: bool = False
    """Whether a row waits until the name of its schedule is known."""

    def result(self) -> RunPage:
        """Return what the chunk showed."""
        return RunPage(
            not (self.runs or self.waits),
            self.seen,
            self.readings,
            frozenset(self.deferred),
            frozenset(self.undated),
            tuple(self.batches),
            self.waits,
        )


@dataclass(frozen=True, slots=True)
class RunPages:
    """Stores the pages of one account's run list.

    `configured` are the ids of batches that are followed whatever their schedule is.
    """

    context: AccountContext
    configured: frozenset[str]
    schedule_filter: ScheduleFilter
    batches: AccountBatches
    horizon: AccountHorizon

    async def process(self, rows: Sequence[RunRow]) -> RunPage:
        """Store one page of runs. Return what it showed.

        Raises:
            LedgerError: a chunk was not stored, nor those after it.
        """
        shown = RunPage()
        for chunk in chunks(rows):
            horizon = self.horizon.current()
            if horizon is None:
                # The API's time is not certain yet, so nothing can be decided.
                return RunPage(known=False)
            plan = self._plan(chunk, self.horizon.of_source("runs", horizon))
            self._commit(plan)
            shown = shown | plan.result()
            await asyncio.sleep(0)
        return shown

    def _commit(self, plan: _Plan) -> None:
        if plan.runs or plan.batches:
            self.context.ledger.commit(
                merge_deltas(plan.deltas),
                batches=tuple(plan.batches.values()),
                runs=tuple(plan.runs.values()),
            )

    def _plan(self, rows: Sequence[RunRow], horizon: Horizon) -> _Plan:
        """Return what is to be stored of these rows."""
        context, ledger = self.context, self.context.ledger
        plan = _Plan(frozenset(row.id for row in rows))
        stored = ledger.runs(row.id for row in rows)
        keys = (
            key
            for row in rows
            for key in (row.batch_execution_id, runs_without_batch.results_batch_id(row.id))
            if key
        )
        followed = ledger.batches(keys)
        latest = context.api_time.latest()
        for row in rows:
            run = run_of(context.name, row, context.status_words, latest=latest)
            self.horizon.note_created(run.created)
            if run.created is None:
                plan.undated.add(run.id)
            # The page may show the same run or batch twice.
            before = plan.runs.get(run.id, stored.get(run.id))
            seen = _Seen(run, row, plan.batches.get(run.batch, followed.get(run.batch)))
            if before is not None and before.account != run.account:
                self._plan_other_owner(plan, before.account, seen, horizon)
                continue
            should_follow = before is not None or _should_follow(run, horizon)
            if not should_follow and (seen.batch is None or seen.batch.closed is not None):
                if seen.batch is not None:
                    # The run is not stored again, but a late change of its batch is noticed.
                    plan.readings[run.batch] = reading_of(row, latest)
                continue
            included = self.schedule_filter.decide(run.schedule)
            # Labels never change, so nothing is counted while the name may still come.
            labelled = included or run.batch in self.configured
            if included is None or (labelled and not self.schedule_filter.is_named(run.schedule)):
                plan.waits = True
                plan.deferred |= {run.batch} if run.batch else set()
                continue
            if run.batch:
                plan.readings[run.batch] = reading_of(row, latest)
                # The run may have ended before it got a batch id. Its results are counted then.
                counted = runs_without_batch.results_batch_id(run.id) in followed
                self._plan_claim(plan, seen, horizon, included=included and not counted)
            if _unchanged(before, run):
                continue
            ended_before = before is not None and before.outcome is not None
            # A run that has ended keeps its end: only its batch id may still come.
            plan.runs[run.id] = (
                replace(before, batch=run.batch) if before is not None and ended_before else run
            )
            counts = before is not None or _within(run, horizon)
            if included and should_follow and not ended_before and counts:
                self._plan_end(plan, seen, horizon)
        return plan

    def _plan_end(self, plan: _Plan, seen: _Seen, horizon: Horizon) -> None:
        """Add what the run adds to the totals, and the batch for results without a batch."""
        context, run, row = self.context, seen.run, seen.row
        name = self.schedule_filter.names.get(run.schedule)
        label = context.labels.run(run.schedule, name, plan.labels)
        plan.deltas.append(ended_run(context.name, label, row, run.outcome, context.clock.now()))
        own_id = runs_without_batch.results_batch_id(run.id)
        own = self.batches.new(own_id, horizon, created=run.created)
        plan.batches |= runs_without_batch.results_batch(own, run, row, context.now())

    def _plan_claim(self, plan: _Plan, seen: _Seen, horizon: Horizon, *, included: bool) -> None:
        """Give the batch of a run its schedule, if it has none yet.

        The batch of an excluded schedule is closed and not counted.
        """
        context, run, batch = self.context, seen.run, seen.batch
        if batch is None:
            # Perhaps no later read shows it, and its status would have to be read.
            batch = lifecycle.observe(
                self.batches.new(run.batch, horizon, created=run.created),
                {"run": plan.readings[run.batch]},
                context.status_words,
                context.now(),
            )
        elif batch.ref.account != context.name:
            self.batches.warn_other_owner(batch.ref.account, "batch", batch.ref.id)
            return
        elif batch.closed is not None or batch.schedule or batch.labels is not None:
            return
        claimed = lifecycle.claim(
            batch, run, seen.row.flow_id or "", agent_id=seen.row.agent_id or ""
        )
        if run.batch in self.configured:
            context.labels.schedule(run.schedule, self.schedule_filter.names.get(run.schedule))
        elif not included:
            claimed = lifecycle.closed(claimed, None, context.now())
        plan.batches[run.batch] = claimed

    def _plan_other_owner(self, plan: _Plan, owner: str, seen: _Seen, horizon: Horizon) -> None:
        """Give this account's batch of a run that another account counts its schedule."""
        run, batch = seen.run, seen.batch
        self.batches.warn_other_owner(owner, "run", run.id)
        if batch is None or batch.ref.account != self.context.name:
            return
        included = self.schedule_filter.decide(run.schedule)
        if included is None:
            # To close the batch of a schedule that may be followed could not be undone.
            plan.waits = True
            plan.deferred.add(run.batch)
            return
        plan.readings[run.batch] = reading_of(seen.row, self.context.api_time.latest())
        self._plan_claim(plan, seen, horizon, included=included)


def _unchanged(before: Run | None, run: Run) -> bool:
    """Return whether a run shows nothing that is not stored yet.

    A run that has ended may still get a batch.
    """
    if before is None or before.batch != run.batch:
        return False
    return before.outcome is not None or (run.outcome is None and run.started == before.started)


def _within(run: Run, horizon: Horizon) -> bool:
    return run.ended is None or run.ended >= horizon.at


def _should_follow(run: Run, horizon: Horizon) -> bool:
    """Return whether a run that is not in the ledger is followed."""
    if run.created is None or run.created >= horizon.at:
        return True
    return not horizon.first_discovery_done and (
        run.outcome is None or (run.ended is not None and run.ended >= horizon.at)
    )
