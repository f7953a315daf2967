"""A simulated account: what happens in it, by its settings and by what a test or a user does.

Everything is drawn from the seed, so a read at a moment shows the same, whatever was read before.
Moments must not go back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runtype_exporter.clock import Clock
from runtype_exporter.simulator.account.batch import SimulatedBatch, SimulatedRun
from runtype_exporter.simulator.account.costs import SimulatedCosts
from runtype_exporter.simulator.account.factory import RunFactory, schedule_label
from runtype_exporter.simulator.account.history import History, SimulatedStart
from runtype_exporter.simulator.account.ids import Seed
from runtype_exporter.simulator.account.shown_time import ShownTime
from runtype_exporter.simulator.account.triggers import AdhocSubmitter, SimulatedSchedule, Trigger
from runtype_exporter.simulator.account.work import ScriptedPlan
from runtype_exporter.simulator.settings import (
    CancelledRest,
    RecordPlan,
    ScheduleSpec,
    StartFault,
    StartFaultKind,
    Traffic,
    WorldSettings,
)


class World(History):
    """An account's schedules, runs and batches. Times are in seconds since the epoch.

    `shown_time` is the clock of the API's machines, which a test may set to another time.
    """

    def __init__(self, settings: WorldSettings, seed: int, clock: Clock) -> None:
        super().__init__(settings.api, SimulatedCosts(Seed(seed), settings.prices))
        self.start, self.clock = settings.start, clock
        self.shown_time = ShownTime()
        self.subscription = settings.subscription
        self.factory = RunFactory(Seed(seed), settings.start)
        self._stop = settings.stop
        self._schedules: dict[str, SimulatedSchedule] = {}
        self._submitters = [AdhocSubmitter(spec, settings.start) for spec in settings.adhoc]
        self._start_faults: dict[tuple[str, float], StartFault] = {}
        self._flows = {self.factory.flow_id(spec.flow): spec.flow for spec in settings.adhoc}
        self._agents: dict[str, str] = {}
        self._manual = 0
        for spec in settings.schedules:
            self.add_schedule(spec)

    # --- changes by a test or a user ---
    def add_schedule(self, spec: ScheduleSpec, at: float | None = None) -> str:
        """Add a schedule that fires from a moment on (None: the world's start). Return its id."""
        created = self.start if at is None else at
        id_ = self.factory.seed.id("schedule", created, spec.key)
        self._schedules[id_] = SimulatedSchedule(id_, spec, created)
        self._remember_target(spec)
        return id_

    def schedule_id(self, key: str) -> str:
        """Return the id of the schedule with this key, deleted or not.

        Raises:
            KeyError: no schedule has this key.
        """
        return {schedule.key: id_ for id_, schedule in self._schedules.items()}[key]

    def pause(self, schedule_id: str, at: float) -> None:
        """Pause a schedule from a moment on, which may be in the future; see `update`."""
        self.update(schedule_id, at, enabled=False)

    def resume(self, schedule_id: str, at: float) -> None:
        """Resume a paused schedule from a moment on, which may be in the future; see `update`."""
        self.update(schedule_id, at, enabled=True)

    def update(self, schedule_id: str, at: float, **fields: Any) -> None:
        """Change fields of a schedule's spec from a moment on, which may be in the future.

        What fell due before stays as it was, also a late start. The label of a run is the
        schedule's name at its due time.

        Raises:
            KeyError: the schedule does not exist then.
            TypeError, ValueError: see `SimulatedSchedule.change`.
        """
        schedule = self._existing_schedule(schedule_id, at)
        schedule.change(at, **fields)
        self._remember_target(schedule.spec(at))

    def delete(self, schedule_id: str, at: float) -> None:
        """Delete a schedule from a moment on, which may be in the future. Its runs stay listed.

        Raises:
            KeyError: the schedule does not exist then.
            ValueError: a later due time was already taken.
        """
        self._existing_schedule(schedule_id, at).delete(at)

    def set_start_fault(
        self, schedule_id: str, due: float, kind: StartFaultKind, delay: float = 0.0
    ) -> None:
        """Override the random result of one future start: it is late, missed or failed.

        The run is created `delay` seconds after its due time. A late start needs a delay; others
        have the usual one by default.

        Raises:
            KeyError: the schedule does not exist then.
            ValueError: `due` is no future due time of it, or a late start has no delay.
        """
        schedule = self._existing_schedule(schedule_id, due)
        if kind == "late" and not delay:
            raise ValueError("a late start needs a delay; give the seconds after its due time")
        if (
            due <= schedule.taken
            or next((at for at, _ in schedule.times(schedule.taken) if at >= due), None) != due
        ):
            raise ValueError(
                f"{schedule_id} does not fall due at {due} any more; script a due time of its cron"
                " that lies ahead"
            )
        self._start_faults[schedule_id, due] = StartFault(kind, delay)

    def cancel_batch(self, batch_id: str, at: float, rest: CancelledRest = "cancelled") -> bool:
        """Cancel a batch at a moment, which may be in the future.

        `rest` says what becomes of records that did not begin. Return False if the batch is not
        queued or running then.

        Raises:
            KeyError: the API knows no such batch.
        """
        batch = self._batches[batch_id]
        if not batch.listed:
            raise KeyError(batch_id)
        return batch.cancel(at, rest)

    def make_zombie(self, batch_id: str) -> None:
        """Let the summary and the status of a batch show it as running after its run has ended.

        Raises:
            KeyError: there is no such batch.
        """
        self._batches[batch_id].zombie = True

    def relist_batch(self, batch_id: str, at: float) -> None:
        """Let the summary list an ended batch once more from a moment on, as if it started then.

        Raises:
            KeyError: there is no such batch.
        """
        batch = self._batches[batch_id]
        batch.relisted = at
        if batch not in self._alive:
            self._alive.append(batch)

    def add_batch(
        self,
        records: Sequence[RecordPlan] | int,
        *,
        schedule: str,
        at: float,
        completed: float | None = None,
        cancelled: bool = False,
    ) -> SimulatedRun:
        """Add a run of the schedule with this key, created at a moment.

        `records` are scripted, or a number of random ones. `completed` is when the batch completes,
        in seconds since the epoch (None: when all its work, with retries, has ended).

        Raises:
            KeyError: no schedule has this key.
        """
        id_ = self.schedule_id(schedule)
        trigger = self._scripted_trigger(records, at, completed, cancelled=cancelled)
        return self._add_run(self.factory.run(self._schedules[id_].spec(at), id_, trigger))

    # Its many parameters are keywords, and each scripts another property.
    def add_adhoc(  # noqa: PLR0913
        self,
        records: Sequence[RecordPlan] | int,
        *,
        at: float,
        flow: str = "adhoc import",
        completed: float | None = None,
        cancelled: bool = False,
        traffic: Traffic | None = None,
        record_ids: Sequence[str] = (),
    ) -> SimulatedBatch:
        """Add a batch outside any schedule, for random records with `traffic`; see `add_batch`."""
        trigger = self._scripted_trigger(
            records, at, completed, cancelled=cancelled, record_ids=record_ids
        )
        return self._add_batch(self.factory.batch(flow, traffic or Traffic(), trigger))

    def run_now(self, schedule_id: str, now: float) -> SimulatedRun:
        """Start a schedule outside its due times.

        Raises:
            KeyError: the schedule does not exist.
        """
        spec = self._existing_schedule(schedule_id, now).spec(now)
        trigger = self.factory.manual_trigger(spec, self._manual_key(), now)
        return self._add_run(self.factory.run(spec, schedule_id, trigger))

    def stop(self, at: float) -> None:
        """Stop all schedules and submissions from a moment on.

        What is running ends, and then the truth does not change any more.
        """
        self._stop = at

    # --- reads ---
    def advance(self, now: float) -> None:
        """Let everything due by now happen. Every read calls this first."""
        # Nearly always nothing is due, so compare the due time before calling `take`.
        for submitter in self._submitters:
            for due, adhoc in submitter.take(now, self._stop) if submitter.due <= now else ():
                trigger = self.factory.scheduled_trigger(adhoc, due)
                self._add_batch(self.factory.batch(adhoc.flow, adhoc.traffic, trigger))
        for id_, schedule in self._schedules.items():
            for due, spec in schedule.take(now, self._stop) if schedule.due <= now else ():
                self._start(id_, spec, due)

    def schedules_at(self, now: float) -> Mapping[str, ScheduleSpec]:
        """Return the schedules that exist by now, by id, with their present settings."""
        return {
            id_: schedule.spec(now)
            for id_, schedule in self._schedules.items()
            if schedule.exists(now)
        }

    @property
    def schedules(self) -> Mapping[str, ScheduleSpec]:
        """The schedules that exist at the clock's time, by id, with their present settings."""
        return self.schedules_at(self.clock.now())

    def schedule(self, schedule_id: str) -> SimulatedSchedule:
        """Return a schedule with all its changes, deleted or not.

        Raises:
            KeyError: no schedule ever had this id.
        """
        return self._schedules[schedule_id]

    def next_run(self, schedule_id: str, now: float) -> float | None:
        """Return when a schedule falls due next; None for never."""
        due = self._schedules[schedule_id].due_after(now)
        return due if due is not None and due < self._stop else None

    def flow_name(self, flow_id: str) -> str:
        """Return the name of the flow with this id; an unknown id is returned unchanged."""
        return self._flows.get(flow_id, flow_id)

    def agent_name(self, agent_id: str) -> str:
        """Return the name of the agent with this id; an unknown id is returned unchanged."""
        return self._agents.get(agent_id, agent_id)

    # --- what happens ---
    def _manual_key(self) -> str:
        self._manual += 1
        return f"manual/{self._manual}"

    def _scripted_trigger(
        self,
        records: Sequence[RecordPlan] | int,
        at: float,
        completed: float | None,
        *,
        cancelled: bool,
        record_ids: Sequence[str] = (),
    ) -> Trigger:
        script = None
        if not isinstance(records, int):
            script = ScriptedPlan(at, records, cancelled=cancelled)
        return Trigger(
            key=self._manual_key(),
            due=at,
            at=at,
            size=records if isinstance(records, int) else len(records),
            script=script,
            completed=completed,
            record_ids=record_ids,
        )

    def _existing_schedule(self, schedule_id: str, at: float) -> SimulatedSchedule:
        schedule = self._schedules[schedule_id]
        if not schedule.exists(at):
            raise KeyError(schedule_id)
        return schedule

    def _remember_target(self, spec: ScheduleSpec) -> None:
        if spec.kind in {"agent", "agent_batch"}:
            self._agents[self.factory.agent_id(spec.flow)] = spec.flow
        else:
            self._flows[self.factory.flow_id(spec.flow)] = spec.flow

    def _start(self, id_: str, spec: ScheduleSpec, due: float) -> None:
        fault = self._start_faults.get((id_, due)) or self.factory.draw_start_fault(spec, due)
        run = None
        if fault is None or fault.kind != "missed":
            trigger = self.factory.scheduled_trigger(spec, due, fault)
            run = self._add_run(self.factory.run(spec, id_, trigger))
        self._starts.append(SimulatedStart(schedule_label(spec, id_), due, run))
