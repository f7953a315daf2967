"""What one row of the run list means: the run that is stored, and what its end adds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import assert_never

from runtype_exporter.catalogue import (
    SCHEDULE_RUN_DURATION,
    SCHEDULE_RUN_QUEUE,
    SCHEDULE_RUNS_FINISHED,
    series,
)
from runtype_exporter.model import Delta, Observation, Outcome, Run, Series
from runtype_exporter.polling.status_words import StatusWords, normalise, parse_time
from runtype_exporter.runtype import RunRow


def run_of(account: str, row: RunRow, status_words: StatusWords, *, latest: float = inf) -> Run:
    """Return the run that the ledger stores for a row of the list.

    `latest` is the time of the API. Ends that are much later are ignored. A creation is not: a run
    that was forgotten would be taken for a new one while the API's clock seems to be behind.
    """
    completed = parse_time(row.completed_at, latest=latest)
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
