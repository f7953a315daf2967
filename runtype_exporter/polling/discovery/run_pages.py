"""Store one page of the run list: runs, the batches that they claim, and what ended runs add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, Delta, Horizon, Probe, Run
from runtype_exporter.polling.batches import lifecycle, runs_without_batch
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.batches.lifecycle import ProbeReading
from runtype_exporter.polling.discovery.account_batches import AccountBatches
from runtype_exporter.polling.discovery.findings import CycleFindings
from runtype_exporter.polling.discovery.run_list import ended_run, merge_deltas, run_of
from runtype_exporter.polling.discovery.schedule_filter import ScheduleFilter
from runtype_exporter.polling.status_words import StatusWords, normalise, parse_time
from runtype_exporter.runtype import RunRow


@dataclass(frozen=True, slots=True)
class RunPages:
    """Stores the pages of one account's run list.

    `configured` are the ids of batches that are followed whatever their schedule is.
    """

    account: str
    configured: frozenset[str]
    ledger: Ledger
    labels: LabelTable
    status_words: StatusWords
    schedule_filter: ScheduleFilter
    batches: AccountBatches
    findings: CycleFindings
    clock: Clock

    def process_run_page(self, rows: Sequence[RunRow]) -> bool:
        """Store one page of runs. Return whether it showed nothing new.

        Raises:
            LedgerError: nothing of the page was stored.
        """
        stored = self.ledger.runs(row.id for row in rows)
        keys = (
            key
            for row in rows
            for key in (row.batch_execution_id, runs_without_batch.results_batch_id(row.id))
            if key
        )
        followed = self.ledger.batches(keys)
        horizon = self.batches.horizon()
        fresh: list[Run] = []
        deltas: list[Delta] = []
        changed: dict[str, Batch] = {}
        labels: set[str] = set()
        for row in rows:
            run = run_of(self.account, row, self.status_words)
            if run.created is None:
                self.findings.undated_runs.add(run.id)
            before = stored.get(run.id)
            if before is not None and before.account != run.account:
                # Another account counts the run, but its batch may be this account's.
                self.batches.warn_other_owner(before.account, "run", run.id)
                changed |= self._labelled(followed.get(run.batch), run, row, horizon)
                continue
            should_follow = before is not None or _should_follow(run, horizon)
            if not should_follow and run.batch not in followed:
                continue
            included = self.schedule_filter.includes(run.schedule)
            if run.batch:
                self._add_reading(row, run.batch)
                batch = changed.get(run.batch, followed.get(run.batch))
                # The run may have ended before it got a batch id. Its results are counted then.
                counted = runs_without_batch.results_batch_id(run.id) in followed
                claimed = self._claim_batch(
                    batch, run, row, horizon, included=included and not counted
                )
                if claimed is not None:
                    changed[run.batch] = claimed
            if _unchanged(before, run):
                continue
            # A run that has ended keeps its end: only its batch id may still come.
            kept = (
                run
                if before is None or before.outcome is None
                else replace(before, batch=run.batch)
            )
            # The page may show the same run twice.
            stored[run.id] = kept
            fresh.append(kept)
            ended_unseen = before is None or before.outcome is None
            if (
                included
                and should_follow
                and ended_unseen
                and (before is not None or _within(run, horizon))
            ):
                label = self.labels.run(
                    run.schedule, self.schedule_filter.names.get(run.schedule), labels
                )
                deltas.append(ended_run(self.account, label, row, run.outcome, self.clock.now()))
                own = self.batches.new(
                    runs_without_batch.results_batch_id(run.id), horizon, created=run.created
                )
                changed |= runs_without_batch.results_batch(own, run, row, self.clock.now())
        if fresh or changed:
            self.ledger.commit(
                merge_deltas(deltas), batches=tuple(changed.values()), runs=tuple(fresh)
            )
            self.findings.add_changed(changed.values())
        return not fresh

    def _add_reading(self, row: RunRow, batch_id: str) -> None:
        probe = Probe(
            normalise(row.status), row.total_records, row.processed_records, row.failed_records
        )
        reading = ProbeReading(probe, parse_time(row.started_at), parse_time(row.completed_at))
        self.findings.add_reading(batch_id, "run", reading)

    def _claim_batch(
        self, batch: Batch | None, run: Run, row: RunRow, horizon: Horizon, *, included: bool
    ) -> Batch | None:
        """Return the batch of a run, with its schedule. None if the run does not change it.

        The batch of an excluded schedule is closed and not counted.
        """
        now = self.clock.now()
        if batch is None:
            batch = self.batches.new(run.batch, horizon, created=run.created)
        elif batch.ref.account != self.account:
            self.batches.warn_other_owner(batch.ref.account, "batch", batch.ref.id)
            return None
        elif batch.closed is not None or batch.schedule or batch.labels is not None:
            return None
        claimed = lifecycle.claim(batch, run, row.flow_id or "")
        if run.batch in self.configured:
            self.labels.schedule(run.schedule, self.schedule_filter.names.get(run.schedule))
        elif not included:
            return lifecycle.close_uncounted(claimed, now)
        return claimed

    def _labelled(
        self, batch: Batch | None, run: Run, row: RunRow, horizon: Horizon
    ) -> dict[str, Batch]:
        """Return this account's batch of a run that another account counts, by its id.

        The batch gets the schedule of the run all the same.
        """
        if batch is None or batch.ref.account != self.account:
            return {}
        self._add_reading(row, run.batch)
        included = self.schedule_filter.includes(run.schedule)
        claimed = self._claim_batch(batch, run, row, horizon, included=included)
        return {} if claimed is None else {run.batch: claimed}


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
