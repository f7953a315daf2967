"""A cycle: what it reads, applies and shows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

import pytest

from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.model import Batch, BatchRef
from runtype_exporter.polling.discovery.run_list import RunsRead
from runtype_exporter.polling.discovery.run_pages import RunPage
from runtype_exporter.polling.schedules.start_checks import StartChecks
from runtype_exporter.runtype import ApiTime
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


@pytest.mark.parametrize("fails", [False, True])
async def test_gauges_show_a_batch_as_it_is_when_the_cycle_ends(tmp_path, monkeypatch, logs, fails):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        batch_id = rig.world.add_batch([RecordPlan(finished=1e5)], schedule="a", at=START).batch.id
        await rig.sleep(90)
        assert rig.view(batch_id).open
        judge, batches = StartChecks.judge, rig.ledger.batches
        broken = False

        async def close_meanwhile(checks: StartChecks, **times: float) -> None:
            """Close the batch, as a worker may at each await of a cycle."""
            nonlocal broken
            monkeypatch.setattr(StartChecks, "judge", judge)
            rig.ledger.save(replace(rig.batch(batch_id), closed=rig.clock.now(), drift=7))
            broken = fails

        def fail_once(ids: Iterable[str]) -> dict[str, Batch]:
            nonlocal broken
            if broken:
                broken = False
                raise LedgerFailed(rig.path, sqlite3.OperationalError("disk I/O error"))
            return batches(ids)

        monkeypatch.setattr(StartChecks, "judge", close_meanwhile)
        monkeypatch.setattr(rig.ledger, "batches", fail_once)
        rig.faults.add(
            ApiFault(kind="set", operation="runs", path="data.0.processedRecords", value=1)
        )
        await rig.sleep(90)
        assert (rig.view(batch_id).open, rig.view(batch_id).drift) == (False, 7)
        events = [line["event"] for line in logs]
        assert events.count("polling pauses: the ledger failed") == fails


# --- what a cycle reads and applies ---
async def test_a_cycle_reads_the_summary_and_the_head_of_the_run_list_and_nothing_else(tmp_path):
    async with Rig(tmp_path, world_of(), sections={"poll": {"discovery_interval": "1d"}}) as rig:
        await rig.sleep(30)
        assert await rig.requests_during(600) == {"summary": 10, "runs": 10}


async def test_both_lists_are_read_at_the_same_time(tmp_path):
    async with Rig(tmp_path, world_of(), latency=2.0) as rig:
        await rig.sleep(59)
        await rig.sleep(3.5)
        log = [request for request in rig.app.state.requests.log if request.at > START + 59]
        at = {request.operation: request.at for request in log}
        assert at["summary"] == at["runs"]


@pytest.mark.parametrize(("sick", "well"), [("summary", "runs"), ("runs", "summary")])
async def test_a_list_that_fails_is_the_failure_of_the_cycle_and_the_other_one_is_applied(
    tmp_path, sick, well
):
    async with Rig(tmp_path, world_of()) as rig:
        await rig.sleep(1)
        batch = rig.world.add_batch([RecordPlan(finished=1e5)] * 3, schedule="a", at=START + 2)
        await rig.sleep(60)
        rig.faults.add(ApiFault(kind="status", operation=sick, value=500))
        await rig.sleep(200)
        assert set(rig.telemetry.cycles[2:]) == {"server"}
        assert rig.poller.status().up is True
        source = {"summary": "summary", "runs": "run"}[well]
        assert source in rig.batch(batch.batch.id).probes


@pytest.mark.parametrize(
    ("first_seen", "created", "deferred", "left"),
    [
        (START + 10, START + 10, False, 1),
        (START + 10, None, False, 1),
        (START + 11, START + 10, False, 2),
        (START + 10, START + 4, False, 2),
        (START + 4, None, False, 2),
        (START + 10, START + 10, True, 2),
    ],
)
async def test_a_claim_is_counted_by_a_read_that_reaches_back_and_began_later(
    tmp_path, first_seen, created, deferred, left
):
    rig = Rig(tmp_path)
    discovery = rig.build()._parts.discovery
    ref = BatchRef("acme", "b1")
    rig.ledger.save(Batch(ref=ref, first_seen=first_seen, created=created, claims_left=2))
    shown = RunPage(deferred=frozenset({"b1"} if deferred else ()))
    read = RunsRead(began=START + 10, reach=START + 5, pages=1, shown=shown)
    changed = await discovery.count_claims(read)
    assert rig.batch("b1").claims_left == left
    assert changed == (["b1"] if left == 1 else [])
    await rig.stop()


async def test_no_start_is_missed_whose_run_waits_for_the_name_of_its_schedule(tmp_path):
    nightly = ScheduleSpec(key="a", name="nightly", cron="0 * * * *", records=1)
    account = {"schedules": {"exclude": ["secret"]}}
    async with Rig(tmp_path, world_of(nightly), account=account) as rig:
        # The list of schedules is read at 50 minutes and shows the next run.
        await rig.sleep(3599)
        await rig.kill()
        rig.world.advance(START + 3700)
        await rig.sleep(1200)
        rig.faults.add(ApiFault(kind="truncate", operation="schedules", times=2))
        rig.start()
        await rig.sleep(600)
        starts = rig.counted("runtype_schedule_starts_total")
        assert starts in ({}, {("nightly", "on_time"): 1.0})
        await rig.sleep(1200)
        assert rig.counted("runtype_schedule_starts_total") == {("nightly", "on_time"): 1.0}


@pytest.mark.parametrize("waits", [True, False])
async def test_a_read_proves_nothing_about_starts_while_its_runs_wait(tmp_path, waits):
    rig = Rig(tmp_path)
    discovery = rig.build()._parts.discovery
    rig.api_time.observe(START, None, sent=0.0, received=0.0)
    judged: list[float] = []

    class Checks:
        async def judge(self, *, read: float, **_: float) -> None:
            judged.append(read)

    discovery.starts = Checks()
    shown = RunPage(waits=waits) | RunPage()
    await discovery.judge_starts(RunsRead(began=START, reach=0.0, pages=2, shown=shown))
    assert judged == ([] if waits else [START])
    await rig.stop()


async def test_no_start_is_judged_while_the_time_of_the_api_is_in_doubt(tmp_path, monkeypatch):
    settings = world_of(ScheduleSpec(key="a", name="nightly", cron="0 * * * *", records=1))
    async with Rig(tmp_path, settings) as rig:
        await rig.sleep(3600 + 700)
        monkeypatch.setattr(ApiTime, "certain", False)
        await rig.sleep(3600)
        assert rig.counted("runtype_schedule_starts_total") == {}
        monkeypatch.undo()
        await rig.sleep(200)
        assert rig.counted("runtype_schedule_starts_total") == {("nightly", "on_time"): 1.0}
