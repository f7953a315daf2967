"""Batches and runs that more than one account sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.model import Batch, BatchRef, Horizon
from runtype_exporter.polling.discovery import account_batches
from runtype_exporter.polling.discovery.account_batches import AccountBatches
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import AdhocSpec, RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
DONE = [RecordPlan(finished=1.0)] * 3
RUNS = "runtype_schedule_runs_finished_total"


def world_of(*schedules: ScheduleSpec, **more) -> WorldSettings:
    return WorldSettings(**{"start": START, "schedules": schedules or (NIGHTLY,), **more})


async def test_a_batch_that_two_accounts_see_is_counted_once_and_the_other_warns_once(
    tmp_path, logs
):
    settings = world_of(
        ScheduleSpec(key="a", name="nightly", cron="*/10 * * * *"),
        adhoc=(AdhocSpec(key="x", cron="*/15 * * * *"),),
    )
    first = Rig(tmp_path, settings, latency=0.1)
    second = Rig(tmp_path, ledger_of=first, account={"name": "second"}, latency=0.2)
    async with first, second:
        extra = first.world.add_adhoc(DONE, at=START + 1)
        await first.sleep(1800)
        await second.stop()
        second.configure({"name": "second", "batches": [{"id": extra.id}]})
        second.start()
        await first.sleep(1800)
        first.world.stop(first.clock.now())
        await first.sleep(600)
        assert first.counted() == first.truth()
        warned = [
            entry.get("batch") or entry.get("run")
            for entry in logs
            if "another account" in entry["event"]
        ]
        assert len(warned) > 4
        after = [
            entry
            for entry in logs
            if "another account" in entry["event"] and entry.get("batch") == extra.id
        ]
        assert len(after) <= 2


async def test_the_batch_of_another_accounts_run_stays_the_others(tmp_path, logs):
    first = Rig(tmp_path, world_of())
    batch = first.world.add_batch(DONE, schedule="a", at=START + 100).batch
    off = {"runs": False, "summary": False, "schedules": False}
    first.configure({"batches": [{"id": batch.id}], "collectors": off})
    second = Rig(tmp_path, ledger_of=first, account={"name": "second"}, latency=1.0)
    async with first:
        await first.sleep(30)
        async with second:
            await first.sleep(400)
        assert first.counted() == {("", "enrich", "success"): 3.0}
        assert first.counted(RUNS) == {("nightly", "success"): 1.0}
        assert {entry.get("batch") for entry in logs if "another account" in entry["event"]} == {
            batch.id
        }


async def test_a_batch_waits_where_another_account_counts_its_run_and_the_names_are_unknown(
    tmp_path,
):
    first = Rig(tmp_path, world_of())
    account = {"name": "second", "schedules": {"exclude": ["secret"]}}
    second = Rig(tmp_path, ledger_of=first, account=account)
    async with first:
        await first.sleep(30)
        batch = first.world.add_batch(DONE, schedule="a", at=START + 31).batch
        # The first account sees the run alone, the second one the batch before the run.
        row = Batch(ref=BatchRef("second", batch.id), first_seen=START + 31, claims_left=2)
        first.ledger.save(row)
        await first.sleep(60)
        second.faults.add(ApiFault(kind="truncate", operation="schedules", times=2))
        async with second:
            await first.sleep(600)
            assert first.counted() == {("nightly", "enrich", "success"): 3.0}
            assert first.counted(RUNS) == {("nightly", "success"): 1.0}
            assert first.batch(batch.id).ref.account == "second"
            assert first.batch(batch.id).outcome == "success"


async def test_the_warnings_of_other_accounts_are_bounded(tmp_path, monkeypatch, logs):
    monkeypatch.setattr(account_batches, "MOST_WARNED", 2)
    rig = Rig(tmp_path)
    batches = AccountBatches(rig.build().context)
    for number in range(4):
        for _ in range(2):
            batches.warn_other_owner("other", "batch", f"b{number}")
    assert [line["batch"] for line in logs] == ["b0", "b1"]
    await rig.stop()


@pytest.mark.parametrize(
    ("created", "guard"), [(None, START), (START - 1, START), (START, None), (START + 1, None)]
)
async def test_a_batch_that_may_be_older_than_the_horizon_has_a_guard(tmp_path, created, guard):
    rig = Rig(tmp_path)
    batches = AccountBatches(rig.build().context)
    horizon = Horizon(START, first_discovery_done=True)
    assert batches.new("b1", horizon, created=created).count_from == guard
    await rig.stop()


async def test_a_batch_from_before_the_horizon_was_known_gets_its_guard_then(tmp_path):
    rig = Rig(tmp_path)
    batches = AccountBatches(rig.build().context)
    horizon = Horizon(START, first_discovery_done=True)
    early = batches.new("b1", None, created=None, claims_left=2)
    assert early.count_from is None
    assert batches.guarded(early, horizon).count_from == START
    later = replace(early, started=START + 5)
    assert batches.guarded(later, horizon) == later
    claimed = replace(early, claims_left=0)
    assert batches.guarded(claimed, horizon) == claimed
    dated = replace(early, created=START - 5)
    assert batches.guarded(dated, horizon) == dated
    guarded = replace(early, count_from=START - 9)
    assert batches.guarded(guarded, horizon) == guarded
    await rig.stop()
