"""A cycle: what it reads, applies and shows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

import pytest

from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.model import Batch
from runtype_exporter.polling.schedules.start_checks import StartChecks
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
