"""The list of all runs: which of its pages must be read to miss nothing, and what a run's end adds.

The API documents no order for it, so the order is learned from a whole walk and checked by another
one now and then. It must not know what is done with the rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Literal

from runtype_exporter.catalogue import (
    SCHEDULE_RUN_DURATION,
    SCHEDULE_RUN_QUEUE,
    SCHEDULE_RUNS_FINISHED,
)
from runtype_exporter.model import Delta, Observation, Outcome, Run, Series
from runtype_exporter.polling.status_words import StatusWords, normalise, parse_time
from runtype_exporter.runtype import ApiError, Client, RunRow, cursor_walk

Order = Literal["unknown", "new-first", "old-first", "none"]


def order_of(times: Sequence[float]) -> Order:
    """The order in which a whole walk met its runs, by createdAt."""
    pairs = list(pairwise(times))
    if not any(earlier != later for earlier, later in pairs):
        return "unknown"
    if all(earlier >= later for earlier, later in pairs):
        return "new-first"
    return "old-first" if all(earlier <= later for earlier, later in pairs) else "none"


PageHandler = Callable[[Sequence[RunRow]], Awaitable[bool]]
"""What is done with a page; its answer: whether the page told nothing new."""
CreationTimes = Callable[[], Sequence[float]]
"""When the runs were created that have not ended yet, as far as is known by now."""


@dataclass(slots=True)
class RunList:
    """One account's run list and what was learned of it. Asking it costs one request a page."""

    client: Client
    order: Order = "unknown"
    pages: int = 0
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
        """Hand every page that may hold something new to `take`.

        A walk that is `whole` leaves nothing out that matters.

        Runs created before `horizon` matter only as long as one of them is unfinished, even to a
        whole walk. Unfinished ones created before `young` are left to whole walks: what never ends
        must not be read down to each time.

        Raises:
            ApiError: a page could not be had; the pages before were taken.
        """
        self.pages = 0
        full = full or self.order in ("unknown", "none")
        try:
            await self._read(handle, unfinished, horizon, young=young, full=full)
        except ApiError:
            self._cursor = None  # it may have gone stale: the next read starts at the first page
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
        met: list[float] = []
        young_met = False
        async for page in cursor_walk(self.client.runs, cursor):
            self.pages += 1
            known = await handle(page.data)
            created = [at for row in page.data if (at := parse_time(row.created_at)) is not None]
            met += created
            waiting = unfinished()
            oldest_young = min((at for at in waiting if at >= young), default=inf)
            oldest = min(waiting, default=inf) if full else oldest_young
            if not young_met:
                restart = cursor  # of the reads after this one, which are not whole
                young_met = any(at >= oldest_young for at in created)
            cursor = page.pagination.next_cursor
            if self.order == "new-first" and created and order_of(met) in ("unknown", "new-first"):
                newest = max(created)
                if newest < oldest and (newest < horizon if full else known):
                    break
        if full:
            self.order = order_of(met)
        elif order_of(met) not in ("unknown", self.order):
            self.order = "none"
        self._cursor = restart if self.order == "old-first" else None


def run_of(account: str, row: RunRow, status_words: StatusWords) -> Run:
    """A row as the run that the ledger remembers."""
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
    """When a run's work began.

    One that failed without a batch, an agent or any record never came to that, whatever startedAt
    says.
    """
    started = parse_time(row.started_at)
    if (
        outcome == "failure"
        and not row.batch_execution_id
        and (started is None or not (row.agent_id or row.total_records))
    ):
        return None
    if (
        started is None
        and status_words.state(normalise(row.status), ended=outcome is not None) != "queued"
    ):
        return parse_time(row.created_at)
    return started


def ended_run(account: str, label: str, row: RunRow, outcome: Outcome | None, now: float) -> Delta:
    """What a run adds: at its first sight (outcome None) the series at 0, at its end the count and its times."""
    key = (account, label)
    increments: dict[Series, float] = {
        (SCHEDULE_RUNS_FINISHED.name, (*key, "success")): 0.0,
        (SCHEDULE_RUNS_FINISHED.name, (*key, "failure")): 0.0,
    }
    observations: dict[Series, list[Observation]] = {
        (SCHEDULE_RUN_DURATION.name, key): [],
        (SCHEDULE_RUN_QUEUE.name, key): [],
    }
    if outcome is not None:
        increments[SCHEDULE_RUNS_FINISHED.name, (*key, outcome)] = 1.0
        started, completed, created = (
            parse_time(row.started_at),
            parse_time(row.completed_at),
            parse_time(row.created_at),
        )
        if started is not None and completed is not None and completed >= started:
            observations[SCHEDULE_RUN_DURATION.name, key].append(
                Observation(completed - started, now)
            )
        if started is not None and created is not None and started >= created:
            observations[SCHEDULE_RUN_QUEUE.name, key].append(Observation(started - created, now))
    return Delta(increments=increments, observations=observations)


def merge_deltas(deltas: Sequence[Delta]) -> Delta:
    """Several additions as one."""
    increments: dict[Series, float] = {}
    observations: dict[Series, list[Observation]] = {}
    for delta in deltas:
        for series, amount in delta.increments.items():
            increments[series] = increments.get(series, 0.0) + amount
        for series, values in delta.observations.items():
            observations.setdefault(series, []).extend(values)
    return Delta(increments=increments, observations=observations)
