"""What has happened in an account by a moment: runs, batches, due times, and the truth of all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from runtype_exporter.simulator.account.batch import SimulatedBatch, SimulatedRun
from runtype_exporter.simulator.account.costs import SimulatedCosts, dollars
from runtype_exporter.simulator.account.factory import schedule_label
from runtype_exporter.simulator.settings import Api, SimulatedOutcome

TruthKey = tuple[str, str, SimulatedOutcome]
"""The schedule's label, the flow's name, the outcome.

The label is the schedule's name at the creation of the run, its id if it has no name, and "" for
ad-hoc batches. An agent's batch has the agent's id in place of a flow's name.
"""
SimulatedStartResult = Literal["on_time", "late", "missed", "failed"]


class SummaryBatches(NamedTuple):
    """What the summary shows: active batches and recently ended ones, newest first."""

    active: list[SimulatedBatch]
    recent: list[SimulatedBatch]


class SimulatedStart(NamedTuple):
    """What became of a due time. `label` is the schedule's, `run` is None if it was missed."""

    label: str
    due: float
    run: SimulatedRun | None


class History(ABC):
    """The runs and batches at any moment. Times are in seconds since the epoch."""

    def __init__(self, api: Api, costs: SimulatedCosts) -> None:
        self.api, self.costs = api, costs
        self._batches: dict[str, SimulatedBatch] = {}
        self._alive: list[SimulatedBatch] = []
        self._runs: list[SimulatedRun] = []
        self._runs_by_id: dict[str, SimulatedRun] = {}
        self._runs_of: dict[str, list[SimulatedRun]] = {}
        self._starts: list[SimulatedStart] = []

    @abstractmethod
    def advance(self, now: float) -> None:
        """Let everything due by now happen. Every read calls this first."""

    # --- reads ---
    def runs(self, now: float, schedule_id: str = "") -> Sequence[SimulatedRun]:
        """Return the runs that exist by now, oldest first, of one schedule or of all."""
        self.advance(now)
        runs = self._runs_of.get(schedule_id, []) if schedule_id else self._runs
        return runs[: bisect_right(runs, now, key=_creation)]

    def run(self, id_: str, now: float) -> SimulatedRun | None:
        """Return the run with this id, or None if it does not exist by now."""
        self.advance(now)
        run = self._runs_by_id.get(id_)
        return run if run is not None and run.created <= now else None

    def batch(self, id_: str, now: float) -> SimulatedBatch | None:
        """Return the batch with this id, or None if it does not exist by now."""
        self.advance(now)
        batch = self._batches.get(id_)
        return batch if batch is not None and batch.listed and batch.created <= now else None

    def batches(self, now: float) -> list[SimulatedBatch]:
        """Return every batch by now, unordered, with the records of runs without a batch id."""
        self.advance(now)
        return [batch for batch in self._batches.values() if batch.created <= now]

    def summary(self, now: float) -> SummaryBatches:
        """Return the batches that are active or have ended within the API's recent window."""
        known = sorted(
            (b for b in self._changing(now) if b.listed and b.created <= now),
            key=lambda b: (-b.created, b.id),
        )
        recent = [batch for batch in known if batch.is_recent(now, self.api.recent_window)]
        return SummaryBatches(
            [batch for batch in known if batch.is_active(now)], recent[: self.api.recent_limit]
        )

    def last_run(self, schedule_id: str, now: float) -> float | None:
        """Return the latest due time of a schedule's runs; None if it has no run."""
        return max((run.due for run in self.runs(now, schedule_id)), default=None)

    # --- the truth ---
    def truth(self, now: float) -> Mapping[TruthKey, int]:
        """Return how many results have become final by now.

        Each result id counts once, so a retry is one more result. With `retry_rows="replaced"` a
        reader may have missed results that a retry replaced; it has seen at least `truth_shown`.
        """
        return self._sum(now, lambda batch: batch.ended(now))

    def truth_shown(self, now: float) -> Mapping[TruthKey, int]:
        """Return the same as `truth`, without results that a retry has replaced."""
        return self._sum(now, lambda batch: batch.work.shown(now))

    def truth_runs(self, now: float) -> Mapping[tuple[str, SimulatedOutcome], int]:
        """Return how many runs have ended by now, by the schedule's label and the outcome.

        Runs of agents are included.
        """
        return Counter(
            (schedule_label(run.spec, run.schedule), run.outcome)
            for run in self.runs(now)
            if run.ends <= now
        )

    def truth_cost(self, now: float) -> Mapping[tuple[str, str], float]:
        """Return the cost of finished batches in dollars, by the schedule's label and the flow.

        A batch counts when it and all its retries have ended.
        """
        micros: Counter[tuple[str, str]] = Counter()
        for batch in self.batches(now):
            if batch.listed and now >= max(batch.ends, batch.settled):
                micros[batch.label, batch.target.label] += self.costs.micros(batch, now)
        return {key: dollars(cost) for key, cost in micros.items()}

    def truth_starts(
        self, now: float, max_delay: float
    ) -> Mapping[tuple[str, SimulatedStartResult], int]:
        """Return how many starts had which result, by the schedule's label.

        Only due times more than `max_delay` seconds ago count. late: the run was created after
        more than `max_delay`; before its creation it is not counted. failed: the start created a
        run without a batch, on time or not. A start that fell due before its schedule was paused
        or changed counts; run-now does not.
        """
        self.advance(now)
        return Counter(
            (start.label, _start_result(start, max_delay))
            for start in self._starts
            if start.due + max_delay < now and (start.run is None or start.run.created <= now)
        )

    def quiet(self, now: float) -> bool:
        """Return True if everything but stuck records has ended.

        The truth then does not change until something falls due or is submitted.
        """
        if any(batch.unfinished(now) for batch in self._changing(now)):
            return False
        return all(run.ends <= now for run in self._runs if run.batch is None)

    def _sum(
        self, now: float, count: Callable[[SimulatedBatch], Mapping[SimulatedOutcome, int]]
    ) -> Mapping[TruthKey, int]:
        total: Counter[TruthKey] = Counter()
        for batch in self.batches(now):
            for outcome, number in count(batch).items():
                total[batch.label, batch.target.label, outcome] += number
        return total

    # --- what happens ---
    def _add_run(self, run: SimulatedRun) -> SimulatedRun:
        if run.batch is not None:
            self._add_batch(run.batch)
        for runs in (self._runs, self._runs_of.setdefault(run.schedule, [])):
            insort(runs, run, key=lambda known: (known.created, known.id))
        self._runs_by_id[run.id] = run
        return run

    def _add_batch(self, batch: SimulatedBatch) -> SimulatedBatch:
        self._batches[batch.id] = batch
        self._alive.append(batch)
        return batch

    def _changing(self, now: float) -> list[SimulatedBatch]:
        """Return the batches that still change or are in the summary; stop tracking the others."""
        self.advance(now)
        self._alive = [b for b in self._alive if b.is_tracked(now, self.api.recent_window)]
        return self._alive


def _creation(run: SimulatedRun) -> float:
    return run.created


def _start_result(start: SimulatedStart, max_delay: float) -> SimulatedStartResult:
    if start.run is None:
        return "missed"
    if start.run.failed_start:
        return "failed"
    return "late" if start.run.created - start.due > max_delay else "on_time"
