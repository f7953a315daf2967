"""Making runs and batches.

Ids, delays and the plan of their work, each from a random stream that nothing else uses.

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
from .values import AdhocSpec, Hiccup, ScheduleSpec, Traffic
from .work import Plan, Script, Work

_SHELF = 512
"""Batches whose records are kept at hand; those of the others are drawn anew when they are read."""


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """Why something begins.

    `key` seeds its ids and draws, `due` and `at` are seconds since the epoch.

    `script` is None for drawn work of `size` records. `failed`: nothing begins but a run that fails
    at once.
    """

    key: str
    due: float
    at: float
    size: int
    script: Script | None = None
    completed: float | None = None
    record_ids: Sequence[str] = ()
    failed: bool = False


class Maker:
    """Makes what the world then holds.

    `epoch` is the moment in the ids of what has none of its own: schedules, flows, agents, records.
    """

    def __init__(self, seed: Seed, epoch: float) -> None:
        self.seed, self.epoch = seed, epoch
        self._shelf: Callable[[Plan], Work] = lru_cache(maxsize=_SHELF)(_work)

    def due(
        self, spec: ScheduleSpec | AdhocSpec, due: float, hiccup: Hiccup | None = None
    ) -> Occasion:
        """The occasion of a due time.

        A little later, unless its hiccup says how much, with a size of its own.
        """
        key = _key(spec, due)
        stream = self.seed.random("fire", key)
        usual = wait(stream, spec.traffic.delay)
        delay, failed = (hiccup.delay, hiccup.trouble == "failed") if hiccup else (0.0, False)
        return Occasion(
            key=key,
            due=due,
            at=round(due + (delay or usual), 3),
            size=_size(spec, stream),
            failed=failed,
        )

    def hiccup(self, spec: ScheduleSpec, due: float) -> Hiccup | None:
        """What befalls a start by chance."""
        traffic = spec.traffic
        stream = self.seed.random("hiccup", _key(spec, due))
        chance, late_by = stream.random(), traffic.late_by * stream.uniform(0.5, 1.5)
        hiccups = (
            (traffic.missed_share, Hiccup("missed")),
            (traffic.failed_start_share, Hiccup("failed")),
            (traffic.late_share, Hiccup("late", late_by)),
        )
        for share, hiccup in hiccups:
            if chance < share:
                return hiccup
            chance -= share
        return None

    def now(self, spec: ScheduleSpec, key: str, now: float) -> Occasion:
        """The occasion of a start out of turn."""
        return Occasion(key=key, due=now, at=now, size=_size(spec, self.seed.random("size", key)))

    def run(self, spec: ScheduleSpec, id_: str, occasion: Occasion) -> Run:
        """A run of the schedule, with its batch unless it runs an agent or fails at once."""
        key, at = occasion.key, occasion.at
        run = Run(
            id=self.seed.id("run", at, key), spec=spec, schedule=id_, due=occasion.due, created=at
        )
        if spec.kind == "agent":
            run.agent_id = self.agent_id(spec.flow)
        if occasion.failed:
            run.failed_start, run.own_end = True, at
        elif spec.kind == "agent":
            stream, traffic = self.seed.random("agent", key), spec.traffic
            run.own_start = round(at + wait(stream, traffic.queue), 3)
            run.own_end = round(run.own_start + stream.lognormvariate(4.0, 0.5), 3)
            run.own_outcome = "failure" if stream.random() < traffic.failure_at(at) else "success"
        else:
            run.batch = self.batch(spec.flow, spec.traffic, occasion, id_, label(spec, id_))
            run.batch.listed = spec.kind == "flow"
        return run

    def batch(
        self, flow: str, traffic: Traffic, occasion: Occasion, schedule: str = "", name: str = ""
    ) -> Batch:
        """A batch of the flow, ad hoc where no schedule is named."""
        key, at, script = occasion.key, occasion.at, occasion.script
        started = (
            at if script else round(at + wait(self.seed.random("queue", key), traffic.queue), 3)
        )
        return Batch(
            id=self.seed.id("batch", at, key),
            schedule=schedule,
            label=name,
            target=Target(self.flow_id(flow), flow),
            created=at,
            started=started,
            total=occasion.size,
            plan=script
            or Draw(
                partial(self.seed.random, "work", key), traffic, Span(at, started), occasion.size
            ),
            shelf=self._shelf,
            late_retries=traffic.late_retries,
            stuck_holds=traffic.stuck_holds_batch,
            completed=occasion.completed,
            record_ids=tuple(occasion.record_ids),
        )

    def flow_id(self, flow: str) -> str:
        """A flow's id by its name."""
        return self.seed.id("flow", self.epoch, flow)

    def agent_id(self, agent: str) -> str:
        """An agent's id by its name."""
        return self.seed.id("agent", self.epoch, agent)

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


def _key(spec: ScheduleSpec | AdhocSpec, due: float) -> str:
    return f"{spec.key}/{due:.3f}"


def _size(spec: ScheduleSpec | AdhocSpec, stream: Random) -> int:
    return spec.records if isinstance(spec.records, int) else stream.randint(*spec.records)


def _work(plan: Plan) -> Work:
    return plan.work()
