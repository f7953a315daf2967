"""A simulated account: schedules that fire, people who change and submit things, and what follows from it.

Whatever happens at a moment was drawn from the seed, so a read at a moment shows the same whenever
else reads were made; moments must not go back. It knows no HTTP and no JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runtype_exporter.clock import Clock

from .batch import Batch, Run
from .costs import Costs
from .history import History, Start
from .ids import Seed
from .maker import Maker, Occasion, label
from .sources import Schedule, Submitter
from .values import Hiccup, RecordPlan, ScheduleSpec, Traffic, Trouble, WorldSettings
from .work import Script


class World(History):
    """One account's schedules, runs and batches. Times are seconds since the epoch."""

    def __init__(self, settings: WorldSettings, seed: int, clock: Clock) -> None:
        super().__init__(settings.api, Costs(Seed(seed), settings.prices))
        self.start, self.clock = settings.start, clock
        self.subscription = settings.subscription
        self.maker = Maker(Seed(seed), settings.start)
        self._stop = settings.stop
        self._schedules: dict[str, Schedule] = {}
        self._submitters = [Submitter(spec, settings.start) for spec in settings.adhoc]
        self._hiccups: dict[tuple[str, float], Hiccup] = {}
        self._flows = {self.maker.flow_id(spec.flow): spec.flow for spec in settings.adhoc}
        self._agents: dict[str, str] = {}
        self._manual = 0
        for spec in settings.schedules:
            self.add_schedule(spec)

    # --- what a test or a writer does to it ---
    def add_schedule(self, spec: ScheduleSpec, at: float | None = None) -> str:
        """Take up a schedule, which exists and fires from a moment on (None: the world's start).

        Its id is returned.
        """
        created = self.start if at is None else at
        id_ = self.maker.seed.id("schedule", created, spec.key)
        self._schedules[id_] = Schedule(id_, spec, created)
        self._learn(spec)
        return id_

    def schedule_id(self, key: str) -> str:
        """The id of the schedule with this key, deleted or not.

        Raises:
            KeyError: there is none.
        """
        return {schedule.key: id_ for id_, schedule in self._schedules.items()}[key]

    def pause(self, schedule_id: str, at: float) -> None:
        """Let a schedule fall due no more from a moment on, which may lie ahead; see `update`."""
        self.update(schedule_id, at, enabled=False)

    def resume(self, schedule_id: str, at: float) -> None:
        """Let a paused schedule fall due again from a moment on, which may lie ahead.

        See `update`.
        """
        self.update(schedule_id, at, enabled=True)

    def update(self, schedule_id: str, at: float, **fields: Any) -> None:
        """Give fields of a schedule (those of its spec) other values from a moment on, which may lie ahead.

        What fell due before keeps its fate, a late start too. Runs go by the schedule's name as it
        was when they fell due.

        Raises:
            KeyError: there is no such schedule then.
            TypeError, ValueError: see `Schedule.change`.
        """
        schedule = self._existing(schedule_id, at)
        schedule.change(at, **fields)
        self._learn(schedule.spec(at))

    def delete(self, schedule_id: str, at: float) -> None:
        """A schedule is no more from a moment on, which may lie ahead. Its runs stay listed.

        Raises:
            KeyError: there is no such schedule then.
            ValueError: it fell due later than that already.
        """
        self._existing(schedule_id, at).delete(at)

    def hiccup(self, schedule_id: str, due: float, trouble: Trouble, delay: float = 0.0) -> None:
        """Script what befalls the start of a due time that lies ahead, in place of whatever would by chance.

        `delay` is how many seconds after its due time the run is made; a late one needs it, another
        start is as quick as usual without.

        Raises:
            KeyError: there is no such schedule then.
            ValueError: it does not fall due then, or has done so already; or it shall be late by
                nothing.
        """
        schedule = self._existing(schedule_id, due)
        if trouble == "late" and not delay:
            raise ValueError("a late start needs a delay; give the seconds after its due time")
        if (
            due <= schedule.taken
            or next((at for at, _ in schedule.times(schedule.taken) if at >= due), None) != due
        ):
            raise ValueError(
                f"{schedule_id} does not fall due at {due} any more; script a due time of its cron"
                " that lies ahead"
            )
        self._hiccups[schedule_id, due] = Hiccup(trouble, delay)

    def cancel_batch(self, batch_id: str, at: float) -> bool:
        """End a batch at a moment, which may lie ahead.

        False where it is not queued or running then.

        Raises:
            KeyError: there is no such batch.
        """
        batch = self._batches[batch_id]
        if not batch.listed:
            raise KeyError(batch_id)
        return batch.cancel(at)

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

        `completed` is when it completes (else when its work has, retries and all), in seconds since
        the epoch.

        Raises:
            KeyError: there is no such schedule.
        """
        id_ = self.schedule_id(schedule)
        occasion = self._occasion(records, at, completed, cancelled=cancelled)
        return self._begin(self.maker.run(self._schedules[id_].spec(at), id_, occasion))

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
        occasion = self._occasion(
            records, at, completed, cancelled=cancelled, record_ids=record_ids
        )
        return self._take(self.maker.batch(flow, traffic or Traffic(), occasion))

    def run_now(self, schedule_id: str, now: float) -> Run:
        """Start a schedule out of turn.

        Raises:
            KeyError: there is no such schedule.
        """
        spec = self._existing(schedule_id, now).spec(now)
        return self._begin(
            self.maker.run(spec, schedule_id, self.maker.now(spec, self._key(), now))
        )

    def stop(self, at: float) -> None:
        """Nothing falls due at this moment or later.

        What is under way ends, and the truth comes to rest.
        """
        self._stop = at

    # --- reads ---
    def advance(self, now: float) -> None:
        """Let everything due by now happen. Every read does so by itself."""
        # To ask for the due time first is what a read costs where nothing is due, that is nearly
        # always.
        for submitter in self._submitters:
            for due, adhoc in submitter.take(now, self._stop) if submitter.due <= now else ():
                self._take(self.maker.batch(adhoc.flow, adhoc.traffic, self.maker.due(adhoc, due)))
        for id_, schedule in self._schedules.items():
            for due, spec in schedule.take(now, self._stop) if schedule.due <= now else ():
                self._start(id_, spec, due)

    def schedules_at(self, now: float) -> Mapping[str, ScheduleSpec]:
        """The schedules that exist, by id, as they stand."""
        return {
            id_: schedule.spec(now)
            for id_, schedule in self._schedules.items()
            if schedule.exists(now)
        }

    @property
    def schedules(self) -> Mapping[str, ScheduleSpec]:
        """The schedules that exist by the clock, by id, as they stand."""
        return self.schedules_at(self.clock.now())

    def schedule(self, schedule_id: str) -> Schedule:
        """A schedule with all its changes, deleted or not.

        Raises:
            KeyError: there never was one.
        """
        return self._schedules[schedule_id]

    def next_run(self, schedule_id: str, now: float) -> float | None:
        """When a schedule falls due next; None for never."""
        due = self._schedules[schedule_id].due_after(now)
        return due if due is not None and due < self._stop else None

    def flow_name(self, flow_id: str) -> str:
        """The name of a flow that the account knows by its id.

        Whatever else was given stands for itself.
        """
        return self._flows.get(flow_id, flow_id)

    def agent_name(self, agent_id: str) -> str:
        """The name of an agent that the account knows by its id.

        Whatever else was given stands for itself.
        """
        return self._agents.get(agent_id, agent_id)

    # --- what happens ---
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

    def _existing(self, schedule_id: str, at: float) -> Schedule:
        schedule = self._schedules[schedule_id]
        if not schedule.exists(at):
            raise KeyError(schedule_id)
        return schedule

    def _learn(self, spec: ScheduleSpec) -> None:
        agent, maker = spec.kind == "agent", self.maker
        names = self._agents if agent else self._flows
        names[maker.agent_id(spec.flow) if agent else maker.flow_id(spec.flow)] = spec.flow

    def _start(self, id_: str, spec: ScheduleSpec, due: float) -> None:
        hiccup = self._hiccups.get((id_, due)) or self.maker.hiccup(spec, due)
        missed = hiccup is not None and hiccup.trouble == "missed"
        run = (
            None
            if missed
            else self._begin(self.maker.run(spec, id_, self.maker.due(spec, due, hiccup)))
        )
        self._starts.append(Start(label(spec, id_), due, run))
