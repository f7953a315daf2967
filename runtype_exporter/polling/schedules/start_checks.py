"""Whether schedules start when they are due.

Each due time is judged once, when its time is over and the runs were read after that.

The rules at the top are pure; `Starts` at the bottom keeps what they need in the ledger, so that
neither a restart nor a downtime loses a due time or judges it twice. It must not know how schedules
and runs are read.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from runtype_exporter.catalogue import SCHEDULE_STARTS, START_RESULTS
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Delta, Run, Schedule, Series
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.schedules.due_times import EARLY, SKEW, due_times, gone, observe
from runtype_exporter.runtype import ScheduleRow

DEFAULT_DELAY = 900.0
"""How late a start may be where no freshness objective holds its schedule, seconds."""

StartResult = Literal["on_time", "late", "missed", "failed"]

_log = structlog.get_logger()


def match(due: Sequence[float], runs: Sequence[Run], reach: float) -> dict[float, Run]:
    """Which run came of which due time, both in order of time: one run each.

    A run goes to the newest due time before it that has none yet: so a start that was left out does
    not take the run of the next one. What was created more than `reach` seconds after every such
    due time was started by somebody else.
    """
    matched: dict[float, Run] = {}
    for run in runs:
        if run.created is None:
            continue
        for index in range(bisect_right(due, run.created + EARLY) - 1, -1, -1):
            at = due[index]
            if run.created > at + reach:
                break
            if at not in matched:
                matched[at] = run
                break
    return matched


def verdict(run: Run | None, latest: float) -> StartResult:
    """How a start went that was to begin at a moment at the latest."""
    if run is None:
        return "missed"
    if run.started is None:
        return "failed" if run.outcome == "failure" else "late"
    return "on_time" if run.started <= latest else "late"


def judge(
    schedule: Schedule, runs: Sequence[Run], delay: float, *, read: float, now: float
) -> tuple[Schedule, Counter[StartResult]]:
    """The schedule without the due times whose time was over when the runs were `read`, and how those went.

    `runs` are the schedule's, as of now, in order of creation. Due times that are only expected
    take their runs like the others.
    """
    ready = sum(at + delay <= read for at in schedule.due)
    expected = [*schedule.due, *due_times(schedule, now + SKEW)]
    before = set(schedule.taken)
    matched = match(expected, [run for run in runs if run.id not in before], reach=2 * delay)
    results: Counter[StartResult] = Counter()
    for at in schedule.due[:ready]:
        if at in matched or not schedule.vanished:
            results[verdict(matched.get(at), at + delay)] += 1
    left = schedule.due[ready:]
    taken = {*before, *(matched[at].id for at in schedule.due[:ready] if at in matched)}
    oldest = (left[0] if left else schedule.until) - EARLY
    still = tuple(
        run.id
        for run in runs
        if run.id in taken and run.created is not None and run.created >= oldest
    )
    return replace(schedule, due=left, taken=still), results


@dataclass(slots=True)
class StartChecks:
    """One account's.

    A schedule that another account observed within `retention` seconds is judged there.
    """

    account: str
    retention: float
    ledger: Ledger
    labels: LabelTable

    async def observe(self, rows: Sequence[ScheduleRow], *, began: float, now: float) -> None:
        """Take in a whole read of the schedules that are followed, which lasted from one moment to another.

        It yields after each schedule: after a long downtime, what fell due meanwhile takes a while
        to work out.

        Raises:
            LedgerError: nothing was taken in.
        """
        held = self.ledger.schedules
        observed: list[Schedule] = []
        increments: dict[Series, float] = {}
        promised: set[str] = set()
        for row in rows:
            before = held.get(row.id)
            if before is not None and before.account != self.account:
                if now - before.until < self.retention:
                    continue
                before = None
            after = observe(before, self.account, row, began=began, now=now)
            observed.append(after)
            await asyncio.sleep(0)
            if after.cron or after.run_at is not None:
                increments |= self._increments(row.id, {}, promised)
        listed = {row.id for row in rows}
        lost = [schedule for schedule in self._own(held) if schedule.id not in listed]
        observed += [gone(schedule, now) for schedule in lost]
        self.ledger.settle(Delta(increments=increments), observed=observed)

    async def judge(self, *, read: float, now: float) -> None:
        """Judge what was to have started by the moment at which a read of the runs began.

        It yields after each schedule.

        Raises:
            LedgerError: nothing was judged.
        """
        unjudged = [schedule for schedule in self._own(self.ledger.schedules) if schedule.due]
        delays = {schedule.id: self._delay(schedule.id) for schedule in unjudged}
        waiting = [
            schedule for schedule in unjudged if schedule.due[0] + delays[schedule.id] <= read
        ]
        if not waiting:
            return
        runs: dict[str, list[Run]] = {schedule.id: [] for schedule in waiting}
        for run in self.ledger.runs_since(min(schedule.due[0] for schedule in waiting) - EARLY):
            if run.schedule in runs:
                runs[run.schedule].append(run)
        judged: list[Schedule] = []
        increments: dict[Series, float] = {}
        promised: set[str] = set()
        for schedule in waiting:
            after, results = judge(
                schedule, runs[schedule.id], delays[schedule.id], read=read, now=now
            )
            judged.append(after)
            for series, step in self._increments(schedule.id, results, promised).items():
                # Schedules without room share a label.
                increments[series] = increments.get(series, 0.0) + step
            self._tell(schedule.id, results)
            await asyncio.sleep(0)
        self.ledger.settle(Delta(increments=increments), observed=judged)

    def _own(self, schedules: Mapping[str, Schedule]) -> list[Schedule]:
        return [schedule for schedule in schedules.values() if schedule.account == self.account]

    def _delay(self, schedule_id: str) -> float:
        label = self.ledger.known_label(self.account, "schedule", schedule_id) or schedule_id
        delay = self.ledger.objectives.max_delay(label)
        return DEFAULT_DELAY if delay is None else delay

    def _increments(
        self, schedule_id: str, results: Mapping[StartResult, int], promised: set[str]
    ) -> dict[Series, float]:
        label = self.labels.schedule(schedule_id)
        if not self.ledger.has_series(
            SCHEDULE_STARTS.name, (self.account, label, START_RESULTS[0])
        ):
            label = self.labels.run(schedule_id, None, promised)
        return {
            (SCHEDULE_STARTS.name, (self.account, label, result)): float(results.get(result, 0))  # type: ignore[call-overload]  # the catalogue's words are these
            for result in START_RESULTS
        }

    def _tell(self, schedule_id: str, results: Mapping[StartResult, int]) -> None:
        bad = {result: count for result, count in results.items() if result != "on_time"}
        if bad:
            label = self.ledger.known_label(self.account, "schedule", schedule_id)
            _log.warning("starts not on time", account=self.account, schedule=label, **bad)
