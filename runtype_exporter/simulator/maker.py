"""Making runs and batches: ids, delays and the plan of their work, each from a random stream that nothing else uses.

It knows neither what exists already nor what time it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from random import Random

from .batch import Batch, Run, Target
from .draw import Draw, Span
from .ids import Seed
from .values import AdhocSpec, ScheduleSpec, Traffic
from .work import Plan, Script, Work

_SHELF = 512
"""Batches whose records are kept at hand; those of the others are drawn anew when they are read."""


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """Why something begins: `key` seeds its ids and draws, `due` and `at` are seconds since the epoch.

    `script` is None for drawn work of `size` records.
    """

    key: str
    due: float
    at: float
    size: int
    script: Script | None = None
    completed: float | None = None
    record_ids: Sequence[str] = ()


class Maker:
    """Makes what the world then holds. `epoch` is the moment in the ids of what has none of its own: schedules, flows, agents, records."""

    def __init__(self, seed: Seed, epoch: float) -> None:
        self.seed, self.epoch = seed, epoch
        self._shelf: Callable[[Plan], Work] = lru_cache(maxsize=_SHELF)(_work)

    def due(self, spec: ScheduleSpec | AdhocSpec, due: float) -> Occasion:
        """The occasion of a due time: a little later, with a size of its own."""
        key = f"{spec.key}/{due:.3f}"
        stream = self.seed.random("fire", key)
        at = round(due + wait(stream, spec.traffic.delay), 3)
        return Occasion(key=key, due=due, at=at, size=_size(spec, stream))

    def now(self, spec: ScheduleSpec, key: str, now: float) -> Occasion:
        """The occasion of a start out of turn."""
        return Occasion(key=key, due=now, at=now, size=_size(spec, self.seed.random("size", key)))

    def run(self, spec: ScheduleSpec, id_: str, occasion: Occasion) -> Run:
        """A run of the schedule, with its batch unless it runs an agent."""
        key, at = occasion.key, occasion.at
        run = Run(id=self.seed.id("run", at, key), spec=spec, schedule=id_, due=occasion.due, created=at)
        if spec.kind == "agent":
            stream, traffic = self.seed.random("agent", key), spec.traffic
            run.agent_id = self.seed.id("agent", self.epoch, spec.flow)
            run.agent_started = round(at + wait(stream, traffic.queue), 3)
            run.agent_ends = round(run.agent_started + stream.lognormvariate(4.0, 0.5), 3)
            run.agent_outcome = "failure" if stream.random() < traffic.failure_at(at) else "success"
        else:
            run.batch = self.batch(spec.flow, spec.traffic, occasion, id_, label(spec, id_))
            run.batch.listed = spec.kind == "flow"
        return run

    def batch(self, flow: str, traffic: Traffic, occasion: Occasion, schedule: str = "", name: str = "") -> Batch:
        """A batch of the flow, ad hoc where no schedule is named."""
        key, at, script = occasion.key, occasion.at, occasion.script
        started = at if script else round(at + wait(self.seed.random("queue", key), traffic.queue), 3)
        return Batch(
            id=self.seed.id("batch", at, key),
            schedule=schedule,
            label=name,
            target=Target(self.seed.id("flow", self.epoch, flow), flow),
            created=at,
            started=started,
            total=occasion.size,
            plan=script or Draw(partial(self.seed.random, "work", key), traffic, Span(at, started), occasion.size),
            shelf=self._shelf,
            late_retries=traffic.late_retries,
            stuck_holds=traffic.stuck_holds_batch,
            completed=occasion.completed,
            record_ids=tuple(occasion.record_ids),
        )

    def record_id(self, batch: Batch, record: int) -> str:
        """A record's id: the same in every batch of a schedule, as the same companies are looked at night after night."""
        if record < len(batch.record_ids):
            return batch.record_ids[record]
        return self.seed.id("record", self.epoch, batch.schedule or batch.target.flow_id, record)

    def result_id(self, batch: Batch, record: int, attempt: int) -> str:
        """A result's id."""
        return self.seed.id("result", batch.created, batch.id, record, attempt)


def label(spec: ScheduleSpec, id_: str) -> str:
    """What the truth calls a schedule: its name, or its id where it has none."""
    return id_ if spec.name is None else spec.name


def wait(stream: Random, mean: float) -> float:
    """A drawn wait in seconds, none where its mean is 0."""
    return stream.expovariate(1 / mean) if mean else 0.0


def _size(spec: ScheduleSpec | AdhocSpec, stream: Random) -> int:
    return spec.records if isinstance(spec.records, int) else stream.randint(*spec.records)


def _work(plan: Plan) -> Work:
    return plan.work()
