"""Which run came of which due time, and how each start went."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runtype_exporter.model import Run, Schedule
from runtype_exporter.polling.discovery.run_rows import run_of
from runtype_exporter.polling.schedules.start_checks import (
    StartChecks,
    judge,
    match_runs,
    start_result,
)
from runtype_exporter.polling.status_words import StatusWords
from runtype_exporter.runtype import RunRow, ScheduleRow
from tests.support.rig import Rig

NOON = 1_780_315_200.0
DELAY = 900.0


def minutes(*values: float) -> tuple[float, ...]:
    return tuple(NOON + 60 * value for value in values)


def a_run(created: float, started: float | None = None, **fields) -> Run:
    """Return a run created so many minutes after noon, started at once or at a minute."""
    start = created if started is None else started
    values = {
        "id": f"run at {created:g}",
        "created": NOON + 60 * created,
        "started": NOON + 60 * start,
        **fields,
    }
    return Run(account="acme", schedule="s1", **values)


def matched(due: tuple[float, ...], *runs: Run) -> dict[float, str]:
    """Return due times in minutes after noon, and the run of each."""
    return {
        (at - NOON) / 60: run.id
        for at, run in match_runs(minutes(*due), runs, reach=2 * DELAY).items()
    }


@pytest.mark.parametrize(
    ("due", "runs", "expected"),
    [
        ((0, 5), (0.1, 5.1), {0: 0.1, 5: 5.1}),
        ((0, 5), (5.1,), {5: 5.1}),
        ((0, 5), (0.1,), {0: 0.1}),
        ((0, 5), (5.1, 7), {0: 7, 5: 5.1}),
        ((0, 5, 10), (10.1, 10.2, 10.3), {0: 10.3, 5: 10.2, 10: 10.1}),
        ((0,), (-0.5,), {0: -0.5}),
        ((0,), (-0.6,), {}),
        ((0,), (30,), {0: 30}),
        ((0,), (30.1,), {}),
        ((0,), (0.1, 0.2), {0: 0.1}),
        ((), (1,), {}),
        ((0,), (), {}),
    ],
)
def test_a_run_came_of_the_newest_due_time_before_it_that_has_none(due, runs, expected):
    assert {at: f"run at {run:g}" for at, run in expected.items()} == matched(
        due, *map(a_run, runs)
    )


def test_a_run_of_unknown_creation_came_of_none():
    assert {} == matched((0,), replace(a_run(0), created=None))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (None, "missed"),
        (a_run(0.1), "on_time"),
        (a_run(0.1, 15), "on_time"),
        (a_run(0.1, 15.1), "late"),
        (a_run(20), "late"),
        (replace(a_run(0.1), started=None), "late"),
        (replace(a_run(0.1), started=None, outcome="cancelled"), "late"),
        (replace(a_run(0.1), started=None, outcome="failure"), "failed"),
        (a_run(0.1, outcome="failure"), "on_time"),
    ],
)
def test_how_a_start_went(run, expected):
    assert expected == start_result(run, NOON + DELAY)


def a_schedule(*due: float, **fields) -> Schedule:
    values = {
        "cron": "*/5 * * * *",
        "timezone": "UTC",
        "until": minutes(11)[0],
        "next_run": minutes(15)[0],
    }
    return Schedule(account="acme", id="s1", due=minutes(*due), **{**values, **fields})


def judged(
    schedule: Schedule, *runs: Run, read: float, delay: float = DELAY
) -> tuple[Schedule, dict[str, int]]:
    at = minutes(read)[0]
    after, results = judge(schedule, runs, delay, read=at, now=at)
    return after, dict(results)


def test_a_due_time_is_judged_when_its_time_was_over_before_the_runs_were_read():
    schedule = a_schedule(0, 5, 10)
    assert (schedule, {}) == judged(schedule, read=14.9)
    after, results = judged(schedule, a_run(5.1), read=15)
    assert (minutes(5, 10), {"missed": 1}) == (after.due, results)
    after, results = judged(after, a_run(5.1), a_run(10.1), read=40)
    assert ((), {"on_time": 2}) == (after.due, results)


def test_a_run_that_was_taken_is_taken_for_good():
    late = a_run(7)
    after, results = judged(a_schedule(0, 5), a_run(5.1), late, read=15)
    assert ({"on_time": 1}, (late.id,)) == (results, after.taken)
    after, results = judged(after, late, read=20)  # the run of the second is hidden meanwhile
    assert {"missed": 1} == results


def test_what_was_taken_long_ago_is_not_remembered():
    after, _ = judged(a_schedule(0), a_run(0.1), read=15)
    assert () == after.taken


def test_the_run_of_a_due_time_not_yet_observed_is_not_taken_for_a_missed_start():
    # 12:10 was missed; the list of schedules was last read at 12:11, so it is not known yet that
    # 12:15 came.
    after, results = judged(a_schedule(10), a_run(15.1), read=25.5)
    assert ({"missed": 1}, ()) == (results, after.taken)


def test_a_one_time_start_of_a_schedule_that_vanished_is_judged_by_its_run_alone():
    once = {"cron": "", "run_at": minutes(0)[0], "next_run": None, "vanished": True}
    assert {} == judged(a_schedule(0, **once), read=15)[1]
    assert {"on_time": 1} == judged(a_schedule(0, **once), a_run(0.1), read=15)[1]


T0, T1 = "2026-06-01T12:00:00Z", "2026-06-01T12:01:00Z"


@pytest.mark.parametrize(
    ("fields", "started"),
    [
        ({"status": "queued"}, None),
        ({"status": "running", "started_at": T1}, NOON + 60),
        ({"status": "running"}, NOON),
        ({"status": "completed", "started_at": T1}, NOON + 60),
        ({"status": "completed"}, NOON),
        ({"status": "failed", "started_at": T1}, None),
        ({"status": "failed", "started_at": T1, "total_records": 0}, None),
        ({"status": "failed", "started_at": T1, "total_records": 5}, NOON + 60),
        ({"status": "failed", "started_at": T1, "agent_id": "a"}, NOON + 60),
        ({"status": "failed", "agent_id": "a"}, None),
        ({"status": "failed", "batch_execution_id": "b"}, NOON),
        ({"status": "failed", "batch_execution_id": "b", "started_at": T1}, NOON + 60),
    ],
)
def test_when_a_runs_work_began(fields, started):
    row = RunRow(id="r", schedule_id="s", created_at=T0, **fields)
    assert started == run_of("acme", row, StatusWords()).started


# --- in the ledger ---
STARTS = "runtype_schedule_starts_total"


def listed(next_run: float) -> ScheduleRow:
    """Return a schedule of every five minutes whose next run is so many minutes after noon."""
    at = datetime.fromtimestamp(NOON + 60 * next_run, UTC).isoformat()
    return ScheduleRow(id="s1", name="often", cron="*/5 * * * *", enabled=True, next_run_at=at)


@pytest.mark.parametrize("reach", [NOON - 3600, NOON + 60])
async def test_reads_that_overlap_judge_each_start_once(tmp_path, reach):
    rig = Rig(tmp_path)
    starts = StartChecks("acme", 7 * 86400.0, rig.build().context.ledger, rig.poller.context.labels)
    await starts.observe([listed(0)], began=NOON - 120, now=NOON - 120)
    now = NOON + 3600
    await asyncio.gather(
        starts.observe([listed(65)], began=now, now=now),
        *(starts.judge(read=now, reach=reach, now=now) for _ in range(2)),
        starts.observe([listed(65)], began=now, now=now),
        *(starts.judge(read=now, reach=reach, now=now) for _ in range(2)),
    )
    # Those of the last quarter of an hour may still come.
    assert rig.counted(STARTS) == ({("s1", "missed"): 10.0} if reach < NOON else {})
    assert len(rig.ledger.schedules["s1"].due) == (3 if reach < NOON else 13)
    await rig.stop()
