"""The list of all runs: which pages must be read to miss nothing, and what the end of a run adds.

The API documents no order for the list. The order is learned from a full walk, and checked by
another one from time to time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import assert_never

from runtype_exporter.catalogue import (
    SCHEDULE_RUN_DURATION,
    SCHEDULE_RUN_QUEUE,
    SCHEDULE_RUNS_FINISHED,
    series,
)
from runtype_exporter.model import Delta, Observation, Outcome, Run, RunOrder, Series
from runtype_exporter.polling.status_words import StatusWords, normalise, parse_time
from runtype_exporter.runtype import ApiError, Client, RunRow, cursor_walk


def order_of(times: Sequence[float]) -> RunOrder:
    """Return the order in which a walk read its runs, by their creation times."""
    pairs = list(pairwise(times))
    if not any(earlier != later for earlier, later in pairs):
        return "unknown"
    if all(earlier >= later for earlier, later in pairs):
        return "new-first"
    return "old-first" if all(earlier <= later for earlier, later in pairs) else "none"


PageHandler = Callable[[Sequence[RunRow]], Awaitable[bool]]
"""Handles a page of the list. Returns whether the page showed nothing new."""
CreationTimes = Callable[[], Sequence[float]]
"""Returns the creation times of the runs that have not ended yet, as far as they are known."""


@dataclass(slots=True)
class RunList:
    """The run list of one account, and its learned order. Each page costs one request."""

    client: Client
    order: RunOrder = "unknown"
    pages: int = 0
    """Pages of the last read."""
    _cursor: str | None = field(default=None, init=False)

    async def read(
        self,
        handle: PageHandler,
        unfinished: CreationTimes,
        horizon: float,
        *,
        young: float,
        full: bool,
    ) -> None:
        """Call `handle` with each page that may show something new.

        A `full` walk reads every page that matters. A page matters down to `horizon` and to the
        oldest unfinished run. Other reads stop at the oldest unfinished run created after `young`:
        a run that never ends must not make each read long.

        Raises:
            ApiError: a page could not be read; the pages before it were handled.
        """
        self.pages = 0
        full = full or self.order in ("unknown", "none")
        try:
            await self._read(handle, unfinished, horizon, young=young, full=full)
        except ApiError:
            # The cursor may have expired: the next read starts at the first page.
            self._cursor = None
            raise

    async def _read(
        self,
        handle: PageHandler,
        unfinished: CreationTimes,
        horizon: float,
        *,
        young: float,
        full: bool,
    ) -> None:
        cursor = restart = None if full else self._cursor
        creation_times: list[float] = []
        young_reached = False
        async for page in cursor_walk(self.client.runs, cursor):
            self.pages += 1
            known = await handle(page.data)
            created = [at for row in page.data if (at := parse_time(row.created_at)) is not None]
            creation_times += created
            waiting = unfinished()
            oldest_young = min((at for at in waiting if at >= young), default=inf)
            oldest = min(waiting, default=inf) if full else oldest_young
            if not young_reached:
                # Where the next read that is not full begins, in a list that is oldest first.
                restart = cursor
                young_reached = any(at >= oldest_young for at in created)
            cursor = page.pagination.next_cursor
            if (
                self.order == "new-first"
                and created
                and order_of(creation_times) in ("unknown", "new-first")
            ):
                # All further pages are older than this one.
                newest = max(created)
                if newest < oldest and (newest < horizon if full else known):
                    break
        if full:
            self.order = order_of(creation_times)
        elif order_of(creation_times) not in ("unknown", self.order):
            self.order = "none"
        self._cursor = restart if self.order == "old-first" else None


def run_of(account: str, row: RunRow, status_words: StatusWords) -> Run:
    """Return the run that the ledger stores for a row of the list."""
    completed = parse_time(row.completed_at)
    outcome = status_words.outcome(normalise(row.status), ended=completed is not None)
    return Run(
        account=account,
        id=row.id,
        schedule=row.schedule_id,
        batch=row.batch_execution_id or "",
        created=parse_time(row.created_at),
        started=_started(row, status_words, outcome),
        outcome=outcome,
        ended=completed if outcome is not None else None,
    )


def _started(row: RunRow, status_words: StatusWords, outcome: Outcome | None) -> float | None:
    """Return when the work of a run began, None if it did not begin.

    The work of a run that failed without a batch, an agent or any record never began, whatever
    startedAt says.
    """
    started = parse_time(row.started_at)
    match outcome:
        case "failure":
            worked = started is not None and (row.agent_id or row.total_records)
            if not (row.batch_execution_id or worked):
                return None
        case None | "success" | "cancelled" | "unknown":
            pass
        case _:
            assert_never(outcome)
    if (
        started is None
        and status_words.state(normalise(row.status), ended=outcome is not None) != "queued"
    ):
        return parse_time(row.created_at)
    return started


def ended_run(account: str, label: str, row: RunRow, outcome: Outcome | None, now: float) -> Delta:
    """Return what a run adds to the totals.

    With outcome None, its series at 0. Else the end of the run and its times.
    """
    key = {"account": account, "schedule": label}
    increments = {
        series(SCHEDULE_RUNS_FINISHED, **key, outcome="success"): 0.0,
        series(SCHEDULE_RUNS_FINISHED, **key, outcome="failure"): 0.0,
    }
    durations, queue_times = series(SCHEDULE_RUN_DURATION, **key), series(SCHEDULE_RUN_QUEUE, **key)
    observations: dict[Series, list[Observation]] = {durations: [], queue_times: []}
    if outcome is not None:
        increments[series(SCHEDULE_RUNS_FINISHED, **key, outcome=outcome)] = 1.0
        started, completed, created = (
            parse_time(row.started_at),
            parse_time(row.completed_at),
            parse_time(row.created_at),
        )
        if started is not None and completed is not None and completed >= started:
            observations[durations].append(Observation(completed - started, now))
        if started is not None and created is not None and started >= created:
            observations[queue_times].append(Observation(started - created, now))
    return Delta(increments=increments, observations=observations)


def merge_deltas(deltas: Sequence[Delta]) -> Delta:
    """Return the sum of several additions."""
    increments: dict[Series, float] = {}
    observations: dict[Series, list[Observation]] = {}
    for delta in deltas:
        for counter, amount in delta.increments.items():
            increments[counter] = increments.get(counter, 0.0) + amount
        for histogram, values in delta.observations.items():
            observations.setdefault(histogram, []).extend(values)
    return Delta(increments=increments, observations=observations)
