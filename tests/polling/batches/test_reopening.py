"""Which batches may be opened again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.limits import DAY
from runtype_exporter.model import Batch, BatchRef
from runtype_exporter.polling.batches.reopening import ReopenRefused, reopenable, reopened
from runtype_exporter.simulator.settings import Api, RecordPlan, WorldSettings
from tests.support.rig import START, Rig

T = 1_800_000_000.0
OPEN = Batch(ref=BatchRef("acme", "b1"), first_seen=T)
GIVEN_UP = replace(OPEN, closed=T, outcome="unreadable")


@pytest.mark.parametrize("outcome", ["lost", "unreadable", "stale"])
def test_a_batch_that_was_given_up_opens_again(outcome):
    given_up = replace(GIVEN_UP, outcome=outcome)
    assert reopenable(given_up, T + 88 * DAY, 90 * DAY)
    assert reopened(given_up, T + 88 * DAY, 90 * DAY).closed is None


@pytest.mark.parametrize(
    ("batch", "now", "reason"),
    [
        (OPEN, T, "is open"),
        (replace(OPEN, closed=T, outcome="success"), T, r"closed \(success\)"),
        (replace(OPEN, closed=T), T, "closed without being counted"),
        (GIVEN_UP, T + 89 * DAY, "counted twice"),
    ],
)
def test_any_other_batch_stays_as_it_is(batch, now, reason):
    assert not reopenable(batch, now, 90 * DAY)
    with pytest.raises(ReopenRefused, match=f"b1: .*{reason}"):
        reopened(batch, now, 90 * DAY)


async def test_a_stale_batch_that_changes_after_its_results_were_forgotten_is_not_counted_again(
    tmp_path,
):
    slow = {"poll": {"interval": "1h", "discovery_interval": "6h"}, "state": {"retention": "2d"}}
    settings = WorldSettings(start=START, api=Api(recent_window=DAY))
    async with Rig(tmp_path, settings, sections=slow) as rig:
        records = [RecordPlan(finished=1.0)] * 3
        batch = rig.world.add_adhoc([*records, RecordPlan(finished=12 * DAY)], at=START + 1)
        await rig.sleep(11.9 * DAY)
        assert rig.batch(batch.id).outcome == "stale"
        counted = rig.counted()
        assert sum(counted.values()) == 3.0
        await rig.sleep(DAY)
        assert rig.counted() == counted
