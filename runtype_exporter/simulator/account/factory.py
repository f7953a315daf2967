"""The creation of runs and batches: their ids, their delays, and the plan of their work.

Each value comes from a random stream of its own, so the order of creation does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from random import Random

from runtype_exporter.simulator.account.batch import BatchTarget, SimulatedBatch, SimulatedRun
from runtype_exporter.simulator.account.ids import Seed
from runtype_exporter.simulator.account.sampling import BatchTimes, SampledPlan
from runtype_exporter.simulator.account.triggers import Trigger
from runtype_exporter.simulator.account.work import Work, WorkPlan
from runtype_exporter.simulator.settings import AdhocSpec, ScheduleSpec, StartFault, Traffic

_CACHED_BATCHES = 512
"""Batches whose records stay in memory. Those of other batches are drawn again when read."""


class RunFactory:
    """The factory of one world's runs and batches.

    `epoch` is the moment in the ids of flows, agents and records, which have no time of their own.
    """

    def __init__(self, seed: Seed, epoch: float) -> None:
        self.seed, self.epoch = seed, epoch
        self._work_cache: Callable[[WorkPlan], Work] = lru_cache(maxsize=_CACHED_BATCHES)(_work)

    def scheduled_trigger(
        self, spec: ScheduleSpec | AdhocSpec, due: float, fault: StartFault | None = None
    ) -> Trigger:
        """Return the trigger of a due time, with a size and a small delay drawn for it.

        A start fault with a delay replaces the drawn one.
        """
        key = _key(spec, due)
        stream = self.seed.random("fire", key)
        usual = random_wait(stream, spec.traffic.delay)
        delay, failed = (fault.delay, fault.kind == "failed") if fault else (0.0, False)
        return Trigger(
            key=key,
            due=due,
            at=round(due + (delay or usual), 3),
            size=_size(spec, stream),
            failed=failed,
        )

    def manual_trigger(self, spec: ScheduleSpec, key: str, now: float) -> Trigger:
        """Return the trigger of a start by run-now."""
        return Trigger(key=key, due=now, at=now, size=_size(spec, self.seed.random("size", key)))

    def draw_start_fault(self, spec: ScheduleSpec, due: float) -> StartFault | None:
        """Return how a start goes wrong by chance; None if it goes well."""
        traffic = spec.traffic
        # The name of the stream decides what is drawn: another name would make another world.
        stream = self.seed.random("hiccup", _key(spec, due))
        chance, late_by = stream.random(), traffic.late_by * stream.uniform(0.5, 1.5)
        faults = (
            (traffic.missed_share, StartFault("missed")),
            (traffic.failed_start_share, StartFault("failed")),
            (traffic.late_share, StartFault("late", late_by)),
        )
        for share, fault in faults:
            if chance < share:
                return fault
            chance -= share
        return None

    def run(self, spec: ScheduleSpec, id_: str, trigger: Trigger) -> SimulatedRun:
        """Create a run of the schedule, with its batch unless it has none or fails at once."""
        key, at = trigger.key, trigger.at
        run = SimulatedRun(
            id=self.seed.id("run", at, key), spec=spec, schedule=id_, due=trigger.due, created=at
        )
        if spec.kind in {"agent", "agent_batch"}:
            run.agent_id = self.agent_id(spec.flow)
        if trigger.failed:
            run.failed_start, run.own_end = True, at
        elif spec.kind == "agent":
            stream, traffic = self.seed.random("agent", key), spec.traffic
            run.own_start = round(at + random_wait(stream, traffic.queue), 3)
            run.own_end = round(run.own_start + stream.lognormvariate(4.0, 0.5), 3)
            run.own_outcome = "failure" if stream.random() < traffic.failure_at(at) else "success"
        else:
            run.batch = self.batch(spec.flow, spec.traffic, trigger, id_, schedule_label(spec, id_))
            run.batch.listed = spec.kind != "inline"
            if run.agent_id is not None:
                run.batch.target = BatchTarget("", spec.flow, run.agent_id)
        return run

    def batch(
        self, flow: str, traffic: Traffic, trigger: Trigger, schedule: str = "", name: str = ""
    ) -> SimulatedBatch:
        """Create a batch of the flow; without a schedule it is an ad-hoc batch."""
        key, at = trigger.key, trigger.at
        plan: WorkPlan
        if trigger.script is not None:
            plan, started = trigger.script, at
        else:
            wait = random_wait(self.seed.random("queue", key), traffic.queue)
            started = round(at + wait, 3)
            stream = partial(self.seed.random, "work", key)
            plan = SampledPlan(stream, traffic, BatchTimes(at, started), trigger.size)
        return SimulatedBatch(
            id=self.seed.id("batch", at, key),
            schedule=schedule,
            label=name,
            target=BatchTarget(self.flow_id(flow), flow),
            created=at,
            started=started,
            total=trigger.size,
            plan=plan,
            work_cache=self._work_cache,
            late_retries=traffic.late_retries,
            stuck_holds=traffic.stuck_holds_batch,
            completed=trigger.completed,
            record_ids=tuple(trigger.record_ids),
        )

    def flow_id(self, flow: str) -> str:
        """Return the id of the flow with this name."""
        return self.seed.id("flow", self.epoch, flow)

    def agent_id(self, agent: str) -> str:
        """Return the id of the agent with this name."""
        return self.seed.id("agent", self.epoch, agent)

    def record_id(self, batch: SimulatedBatch, record: int) -> str:
        """Return a record's id: the same in every batch of a schedule.

        Real schedules read the same companies night after night.
        """
        if record < len(batch.record_ids):
            return batch.record_ids[record]
        return self.seed.id("record", self.epoch, batch.schedule or batch.target.flow_id, record)

    def result_id(self, batch: SimulatedBatch, record: int, attempt: int) -> str:
        """Return the id of a result."""
        return self.seed.id("result", batch.created, batch.id, record, attempt)


def schedule_label(spec: ScheduleSpec, id_: str) -> str:
    """Return what the truth calls a schedule: its name, or its id if it has no name."""
    return id_ if spec.name is None else spec.name


def random_wait(stream: Random, mean: float) -> float:
    """Return a random wait in seconds; 0 if its mean is 0."""
    return stream.expovariate(1 / mean) if mean else 0.0


def _key(spec: ScheduleSpec | AdhocSpec, due: float) -> str:
    return f"{spec.key}/{due:.3f}"


def _size(spec: ScheduleSpec | AdhocSpec, stream: Random) -> int:
    return spec.records if isinstance(spec.records, int) else stream.randint(*spec.records)


def _work(plan: WorkPlan) -> Work:
    return plan.work()
