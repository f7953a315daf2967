"""Whether schedules start when they are due.

Each due time is judged once: when its delay is over and the runs were read after that. The rules at
the top are pure. `StartChecks` at the bottom stores what they need in the ledger, so that no due
time is lost or judged twice after a restart or a downtime.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

import structlog

from runtype_exporter.catalogue import SCHEDULE_STARTS, series
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import START_RESULTS, Delta, Run, Schedule, Series, StartResult
from runtype_exporter.polling.batches.labels import LabelTable
from runtype_exporter.polling.chunks import chunks
from runtype_exporter.polling.schedules.due_times import EARLY, SKEW, due_times, observe, unlisted
from runtype_exporter.runtype import ScheduleRow

DEFAULT_DELAY = 900.0
"""How late a start may be without a freshness objective for its schedule, in seconds."""

_log = structlog.get_logger()


def match_runs(due: Sequence[float], runs: Sequence[Run], reach: float) -> dict[float, Run]:
    """Return the run of each due time. Both are in order of time.

    A run goes to the newest due time before it that has no run yet. This way a missed start does
    not shift every later run by one. A run that was created more than `reach` seconds after each
    such due time was started in another way.
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


def start_result(run: Run | None, latest: float) -> StartResult:
    """Return how a start went that had to begin at `latest` or before."""
    if run is None:
        return "missed"
    if run.started is not None:
        return "on_time" if run.started <= latest else "late"
    match run.outcome:
        case "failure":
            return "failed"
        case None | "success" | "cancelled" | "unknown":
            return "late"
        case _:
            assert_never(run.outcome)


def judge(
    schedule: Schedule, runs: Sequence[Run], delay: float, *, read: float, now: float
) -> tuple[Schedule, Counter[StartResult]]:
    """Judge the due times whose delay was over when the runs were `read`.

    Return the schedule without these due times, and how they went. `runs` are the runs of the
    schedule as of now, in order of creation. Due times that are only expected take their runs like
    the others, but are not judged.
    """
    ready = sum(at + delay <= read for at in schedule.due)
    expected = [*schedule.due, *due_times(schedule, now + SKEW)]
    before = set(schedule.taken)
    matched = match_runs(expected, [run for run in runs if run.id not in before], reach=2 * delay)
    results: Counter[StartResult] = Counter()
    for at in schedule.due[:ready]:
        if at in matched or not schedule.vanished:
            results[start_result(matched.get(at), at + delay)] += 1
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
    """The start checks of one account.

    A schedule that another account observed within `retention` seconds is left to that account.
    """

    account: str
    retention: float
    ledger: Ledger
    labels: LabelTable
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    """Held while schedules are changed: cycles, full walks and lists of schedules do it."""

    async def observe(self, rows: Sequence[ScheduleRow], *, began: float, now: float) -> None:
        """Store the schedules that are followed, from a full read between `began` and `now`.

        Yield to the event loop after each schedule: after a long downtime, finding what fell due
        takes a while.

        Raises:
            LedgerError: some schedules were not stored.
        """
        listed = {row.id for row in rows}
        async with self._lock:
            for chunk in chunks(rows):
                await self._observe(chunk, began, now)
            lost = [
                unlisted(schedule, now)
                for schedule in self._own(self.ledger.schedules)
                if schedule.id not in listed
            ]
            for gone in chunks(lost):
                self.ledger.commit(Delta(), observed=gone)
                await asyncio.sleep(0)

    async def _observe(self, rows: Sequence[ScheduleRow], began: float, now: float) -> None:
        observed: list[Schedule] = []
        increments: dict[Series, float] = {}
        promised: set[str] = set()
        for row in rows:
            before = self.ledger.schedules.get(row.id)
            if before is not None and before.account != self.account:
                if now - before.until < self.retention:
                    continue
                before = None
            after = observe(before, self.account, row, began=began, now=now)
            observed.append(after)
            await asyncio.sleep(0)
            if after.cron or after.run_at is not None:
                increments |= self._increments(row.id, {}, promised)
        self.ledger.commit(Delta(increments=increments), observed=observed)

    async def judge(self, *, read: float, reach: float, now: float) -> None:
        """Judge each start that had to happen before `read`, when a read of the runs began.

        The read showed every run that was created at `reach` or later. A start that was due earlier
        waits for a read that reaches further. Yield to the event loop after each schedule.

        Raises:
            LedgerError: some starts were not judged.
        """
        async with self._lock:
            unjudged = [schedule for schedule in self._own(self.ledger.schedules) if schedule.due]
            waiting = [
                schedule
                for schedule in unjudged
                if schedule.due[0] + self._delay(schedule.id) <= read
                and reach <= schedule.due[0] - EARLY
            ]
            for chunk in chunks(waiting):
                await self._judge(chunk, read, now)

    async def _judge(self, waiting: Sequence[Schedule], read: float, now: float) -> None:
        runs: dict[str, list[Run]] = {schedule.id: [] for schedule in waiting}
        for run in self.ledger.runs_since(min(schedule.due[0] for schedule in waiting) - EARLY):
            if run.schedule in runs:
                runs[run.schedule].append(run)
        judged: list[Schedule] = []
        increments: dict[Series, float] = {}
        promised: set[str] = set()
        for schedule in waiting:
            delay = self._delay(schedule.id)
            after, results = judge(schedule, runs[schedule.id], delay, read=read, now=now)
            judged.append(after)
            for counter, step in self._increments(schedule.id, results, promised).items():
                # Beyond the series limit, schedules share a label.
                increments[counter] = increments.get(counter, 0.0) + step
            self._log_failures(schedule.id, results)
            await asyncio.sleep(0)
        self.ledger.commit(Delta(increments=increments), observed=judged)

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
        if not self.ledger.has_series(self._starts(label, START_RESULTS[0])):
            label = self.labels.run(schedule_id, None, promised)
        return {
            self._starts(label, result): float(results.get(result, 0)) for result in START_RESULTS
        }

    def _starts(self, label: str, result: StartResult) -> Series:
        return series(SCHEDULE_STARTS, account=self.account, schedule=label, result=result)

    def _log_failures(self, schedule_id: str, results: Mapping[StartResult, int]) -> None:
        bad = {result: count for result, count in results.items() if result != "on_time"}
        if bad:
            label = self.ledger.known_label(self.account, "schedule", schedule_id)
            _log.warning("starts not on time", account=self.account, schedule=label, **bad)
