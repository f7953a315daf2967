"""What has happened in an account by a moment.

Its runs and batches, what became of due times, and the truth about them all.

It knows neither what makes things happen nor HTTP and JSON.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from .batch import Batch, Run
from .costs import Costs, dollars
from .maker import label
from .values import Api, Outcome

TruthKey = tuple[str, str, Outcome]
"""The schedule's name (its id where it has none, "" for ad-hoc batches) as it was when the run was
made, the flow's name, the outcome."""
StartResult = Literal["on_time", "late", "missed", "failed"]


class Listed(NamedTuple):
    """What the summary shows.

    Active batches and those that ended within its window, newest first.
    """

    active: list[Batch]
    recent: list[Batch]


class Start(NamedTuple):
    """What became of a due time of a schedule that goes by this label.

    `run` is None where it was missed.
    """

    label: str
    due: float
    run: Run | None


class History(ABC):
    """Runs and batches as they stand at any moment. Times are seconds since the epoch."""

    def __init__(self, api: Api, costs: Costs) -> None:
        self.api, self.costs = api, costs
        self._batches: dict[str, Batch] = {}
        self._alive: list[Batch] = []
        self._runs: list[Run] = []
        self._runs_by_id: dict[str, Run] = {}
        self._runs_of: dict[str, list[Run]] = {}
        self._starts: list[Start] = []

    @abstractmethod
    def advance(self, now: float) -> None:
        """Let everything due by now happen. Every read does so by itself."""

    # --- reads ---
    def runs(self, now: float, schedule_id: str = "") -> Sequence[Run]:
        """The runs that exist by now, oldest first: of one schedule, or of all."""
        self.advance(now)
        runs = self._runs_of.get(schedule_id, []) if schedule_id else self._runs
        return runs[: bisect_right(runs, now, key=_created)]

    def run(self, id_: str, now: float) -> Run | None:
        """A run by its id, None where there is none by now."""
        self.advance(now)
        run = self._runs_by_id.get(id_)
        return run if run is not None and run.created <= now else None

    def batch(self, id_: str, now: float) -> Batch | None:
        """A batch by its id, None where there is none by now."""
        self.advance(now)
        batch = self._batches.get(id_)
        return batch if batch is not None and batch.listed and batch.created <= now else None

    def batches(self, now: float) -> list[Batch]:
        """Every batch by now in no order, the records of runs without a batch id included."""
        self.advance(now)
        return [batch for batch in self._batches.values() if batch.created <= now]

    def summary(self, now: float) -> Listed:
        """The batches that are active or have ended within the API's recent window."""
        known = sorted(
            (b for b in self._changing(now) if b.listed and b.created <= now),
            key=lambda b: (-b.created, b.id),
        )
        recent = [
            batch for batch in known if batch.ends <= now < batch.ends + self.api.recent_window
        ]
        return Listed(
            [batch for batch in known if now < batch.ends], recent[: self.api.recent_limit]
        )

    def last_run(self, schedule_id: str, now: float) -> float | None:
        """The latest due time of which a schedule has a run; None for none."""
        return max((run.due for run in self.runs(now, schedule_id)), default=None)

    # --- the truth ---
    def truth(self, now: float) -> Mapping[TruthKey, int]:
        """How many results have become final by now.

        Each result id once, so that a retry is a further result.

        With `retry_rows="replaced"` a reader may have missed those that a retry replaced: it has
        seen at least `truth_shown`.
        """
        return self._sum(now, lambda batch: batch.ended(now))

    def truth_shown(self, now: float) -> Mapping[TruthKey, int]:
        """As `truth`, without the results that a retry has taken the place of."""
        return self._sum(now, lambda batch: batch.work.shown(now))

    def truth_runs(self, now: float) -> Mapping[tuple[str, Outcome], int]:
        """How many runs have ended by now, by the schedule's name (or id) and outcome, agent runs included."""
        return Counter(
            (label(run.spec, run.schedule), run.outcome)
            for run in self.runs(now)
            if run.ends <= now
        )

    def truth_cost(self, now: float) -> Mapping[tuple[str, str], float]:
        """Dollars that the batches which have ended, retries and all, have cost, by the schedule's name (or id) and the flow's."""
        micros: Counter[tuple[str, str]] = Counter()
        for batch in self.batches(now):
            if batch.listed and now >= max(batch.ends, batch.settled):
                micros[batch.label, batch.target.flow_name] += self.costs.micros(batch, now)
        return {key: dollars(cost) for key, cost in micros.items()}

    def truth_starts(self, now: float, max_delay: float) -> Mapping[tuple[str, StartResult], int]:
        """What became of the due times that are more than `max_delay` seconds past, by the schedule's name (or id).

        late: a run that was made, even if hours later, but not within `max_delay`; until it is made
        it is in no count. failed: a start that made a run without a batch, on time or not. What
        fell due and was paused or changed only afterwards counts; run-now does not.
        """
        self.advance(now)
        return Counter(
            (start.label, _judged(start, max_delay))
            for start in self._starts
            if start.due + max_delay < now and (start.run is None or start.run.created <= now)
        )

    def quiet(self, now: float) -> bool:
        """Whether nothing is under way but what is stuck.

        Until something falls due or is submitted, the truth stands still.
        """
        if any(batch.unfinished(now) for batch in self._changing(now)):
            return False
        return all(run.ends <= now for run in self._runs if run.batch is None)

    def _sum(
        self, now: float, count: Callable[[Batch], Mapping[Outcome, int]]
    ) -> Mapping[TruthKey, int]:
        total: Counter[TruthKey] = Counter()
        for batch in self.batches(now):
            for outcome, number in count(batch).items():
                total[batch.label, batch.target.flow_name, outcome] += number
        return total

    # --- what happens ---
    def _begin(self, run: Run) -> Run:
        if run.batch is not None:
            self._take(run.batch)
        for runs in (self._runs, self._runs_of.setdefault(run.schedule, [])):
            insort(runs, run, key=lambda known: (known.created, known.id))
        self._runs_by_id[run.id] = run
        return run

    def _take(self, batch: Batch) -> Batch:
        self._batches[batch.id] = batch
        self._alive.append(batch)
        return batch

    def _changing(self, now: float) -> list[Batch]:
        """The batches that still change or that the summary still shows; the others are let go."""
        self.advance(now)
        self._alive = [
            b for b in self._alive if b.unfinished(now) or now < b.ends + self.api.recent_window
        ]
        return self._alive


def _created(run: Run) -> float:
    return run.created


def _judged(start: Start, max_delay: float) -> StartResult:
    if start.run is None:
        return "missed"
    if start.run.failed_start:
        return "failed"
    return "late" if start.run.created - start.due > max_delay else "on_time"
