"""A simulated account: schedules that fire, the runs and batches that follow, and the truth about every result.

Whatever happens at a moment was drawn from the seed, so a read at a moment shows the same whenever else reads were made; moments must
not go back. It knows no HTTP and no JSON.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple

from runtype_exporter.clock import Clock

from .batch import Batch, Run
from .cron import due_times
from .ids import Seed
from .maker import Maker, Occasion, label
from .values import AdhocSpec, Outcome, RecordPlan, ScheduleSpec, Traffic, WorldSettings
from .work import Script

TruthKey = tuple[str, str, Outcome]
"""The schedule's name (its id where it has none, "" for ad-hoc batches), the flow's name, the outcome."""


class Listed(NamedTuple):
    """What the summary shows: active batches and those that ended within its window, newest first."""

    active: list[Batch]
    recent: list[Batch]


class _Source:
    """A schedule or an ad-hoc submitter, and the due times at which it has not fired yet."""

    def __init__(self, spec: ScheduleSpec | AdhocSpec, id_: str, start: float) -> None:
        self.spec, self.id = spec, id_
        self._dues = self._times(start)
        self.due = next(self._dues, inf)

    def _times(self, start: float) -> Iterator[float]:
        if isinstance(self.spec, AdhocSpec):
            return due_times(self.spec.cron, "UTC", start)
        if self.spec.cron is not None:
            return due_times(self.spec.cron, self.spec.timezone, start)
        return iter([] if self.spec.run_at is None else [self.spec.run_at])

    def take(self) -> float:
        """The due time, which is then past."""
        due, self.due = self.due, next(self._dues, inf)
        return due


class World:
    """One account's schedules, runs and batches. Times are seconds since the epoch."""

    def __init__(self, settings: WorldSettings, seed: int, clock: Clock) -> None:
        self.start, self.api, self.clock = settings.start, settings.api, clock
        self.maker = Maker(Seed(seed), settings.start)
        self.schedules: dict[str, ScheduleSpec] = {}
        self._stop = settings.stop
        self._sources: list[_Source] = []
        self._batches: dict[str, Batch] = {}
        self._alive: list[Batch] = []
        self._runs: list[Run] = []
        self._runs_by_id: dict[str, Run] = {}
        self._runs_of: dict[str, list[Run]] = {}
        self._manual = 0
        for spec in settings.schedules:
            self.add_schedule(spec)
        for submitter in settings.adhoc:
            self._sources.append(_Source(submitter, "", settings.start))

    # --- what a test or a writer does to it ---------------------------------------------------------------------------
    def add_schedule(self, spec: ScheduleSpec) -> str:
        """Take up a schedule, which fires from the world's start on. Its id is returned."""
        id_ = self.maker.seed.id("schedule", self.start, spec.key)
        self.schedules[id_] = spec
        if spec.enabled:
            self._sources.append(_Source(spec, id_, self.start))
        return id_

    def schedule_id(self, key: str) -> str:
        """The id of the schedule with this key.

        Raises:
            KeyError: there is none.
        """
        return {spec.key: id_ for id_, spec in self.schedules.items()}[key]

    def add_batch(
        self,
        records: Sequence[RecordPlan] | int,
        *,
        schedule: str,
        at: float,
        completed: float | None = None,
        cancelled: bool = False,
    ) -> Run:
        """A run of the schedule with this key, created at a moment, over scripted records or so many drawn ones.

        `completed` is when it completes (else when its work has, retries and all), in seconds since the epoch.

        Raises:
            KeyError: there is no such schedule.
        """
        id_ = self.schedule_id(schedule)
        return self._begin(self.schedules[id_], id_, self._occasion(records, at, completed, cancelled=cancelled))

    def add_adhoc(  # noqa: PLR0913  # a script has that many sides, all named
        self,
        records: Sequence[RecordPlan] | int,
        *,
        at: float,
        flow: str = "adhoc import",
        completed: float | None = None,
        cancelled: bool = False,
        traffic: Traffic | None = None,
        record_ids: Sequence[str] = (),
    ) -> Batch:
        """A batch outside any schedule; see `add_batch`. `traffic` is how drawn records fare."""
        occasion = self._occasion(records, at, completed, cancelled=cancelled, record_ids=record_ids)
        return self._take(self.maker.batch(flow, traffic or Traffic(), occasion))

    def run_now(self, schedule_id: str, now: float) -> Run:
        """Start a schedule out of turn.

        Raises:
            KeyError: there is no such schedule.
        """
        spec = self.schedules[schedule_id]
        return self._begin(spec, schedule_id, self.maker.now(spec, self._key(), now))

    def stop(self, at: float) -> None:
        """Nothing falls due at this moment or later: what is under way ends, and the truth comes to rest."""
        self._stop = at

    # --- reads --------------------------------------------------------------------------------------------------------
    def advance(self, now: float) -> None:
        """Let everything due by now happen. Every read does so by itself."""
        for source in self._sources:
            while source.due <= now and source.due < self._stop:
                spec, occasion = source.spec, self.maker.due(source.spec, source.take())
                if isinstance(spec, AdhocSpec):
                    self._take(self.maker.batch(spec.flow, spec.traffic, occasion))
                else:
                    self._begin(spec, source.id, occasion)

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
            (b for b in self._changing(now) if b.listed and b.created <= now), key=lambda b: (-b.created, b.id)
        )
        recent = [batch for batch in known if batch.ends <= now < batch.ends + self.api.recent_window]
        return Listed([batch for batch in known if now < batch.ends], recent[: self.api.recent_limit])

    def next_run(self, schedule_id: str, now: float) -> float | None:
        """When a schedule falls due next; None for never."""
        spec = self.schedules[schedule_id]
        if not spec.enabled:
            return None
        due = spec.run_at if spec.cron is None else next(due_times(spec.cron, spec.timezone, now), None)
        return due if due is not None and now < due < self._stop else None

    def last_run(self, schedule_id: str, now: float) -> float | None:
        """When the newest run of a schedule was due; None for never."""
        runs = self.runs(now, schedule_id)
        return runs[-1].due if runs else None

    def flow_name(self, flow_id: str) -> str:
        """The name of a schedule's flow by its id; whatever else was given stands for itself."""
        names = {self.maker.seed.id("flow", self.start, spec.flow): spec.flow for spec in self.schedules.values()}
        return names.get(flow_id, flow_id)

    # --- the truth ----------------------------------------------------------------------------------------------------
    def truth(self, now: float) -> Mapping[TruthKey, int]:
        """How many results have become final by now: each result id once, so that a retry is a further result.

        With `retry_rows="replaced"` a reader may have missed those that a retry replaced: it has seen at least `truth_shown`.
        """
        return self._sum(now, lambda batch: batch.ended(now))

    def truth_shown(self, now: float) -> Mapping[TruthKey, int]:
        """As `truth`, without the results that a retry has taken the place of."""
        return self._sum(now, lambda batch: batch.work.shown(now))

    def truth_runs(self, now: float) -> Mapping[tuple[str, Outcome], int]:
        """How many runs have ended by now, by the schedule's name (or id) and outcome, agent runs included."""
        return Counter((label(run.spec, run.schedule), run.outcome) for run in self.runs(now) if run.ends <= now)

    def quiet(self, now: float) -> bool:
        """Whether nothing is under way but what is stuck: until something falls due or is submitted, the truth stands still."""
        if any(batch.unfinished(now) for batch in self._changing(now)):
            return False
        return all(run.ends <= now for run in self._runs if run.batch is None)

    def _sum(self, now: float, count: Callable[[Batch], Mapping[Outcome, int]]) -> Mapping[TruthKey, int]:
        total: Counter[TruthKey] = Counter()
        for batch in self.batches(now):
            for outcome, number in count(batch).items():
                total[batch.label, batch.target.flow_name, outcome] += number
        return total

    def _changing(self, now: float) -> list[Batch]:
        """The batches that still change or that the summary still shows; the others are let go."""
        self.advance(now)
        self._alive = [b for b in self._alive if b.unfinished(now) or now < b.ends + self.api.recent_window]
        return self._alive

    # --- what happens -------------------------------------------------------------------------------------------------
    def _key(self) -> str:
        self._manual += 1
        return f"manual/{self._manual}"

    def _occasion(
        self,
        records: Sequence[RecordPlan] | int,
        at: float,
        completed: float | None,
        *,
        cancelled: bool,
        record_ids: Sequence[str] = (),
    ) -> Occasion:
        return Occasion(
            key=self._key(),
            due=at,
            at=at,
            size=records if isinstance(records, int) else len(records),
            script=None if isinstance(records, int) else Script(at, records, cancelled=cancelled),
            completed=completed,
            record_ids=record_ids,
        )

    def _begin(self, spec: ScheduleSpec, id_: str, occasion: Occasion) -> Run:
        run = self.maker.run(spec, id_, occasion)
        if run.batch is not None:
            self._take(run.batch)
        for runs in (self._runs, self._runs_of.setdefault(id_, [])):
            insort(runs, run, key=lambda known: (known.created, known.id))
        self._runs_by_id[run.id] = run
        return run

    def _take(self, batch: Batch) -> Batch:
        self._batches[batch.id] = batch
        self._alive.append(batch)
        return batch


def _created(run: Run) -> float:
    return run.created
