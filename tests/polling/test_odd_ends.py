"""Batches that end in an odd way, or never: each comes to an end, and counts what is true."""

from __future__ import annotations

from math import inf

import pytest

from runtype_exporter.objectives import Objective, Objectives
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import Api, RecordPlan, ScheduleSpec
from tests.support.company import COMPANY, DONE, CompanyRig

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
SETTLED = 32 * MINUTE
NIGHTLY = ("nightly", "enrich", "success")
SELDOM = {
    "sections": {"poll": {"interval": "10m", "discovery_interval": "1h"}},
    "account": {"page_size": 10, "collectors": {"usage": False, "sparklines": False}},
}
"""Few reads of small pages, so that days pass quickly."""
GIVEN_UP = "runtype_batches_given_up_total"
UNCOUNTED = "runtype_uncounted_records_total"
ABANDONED = "runtype_records_abandoned_total"
OUTCOMES = [Objective(name="ok", type="success")]


def stuck(count: int, **words: str) -> list[RecordPlan]:
    """Return records that never end."""
    return [RecordPlan(finished=inf, **words)] * count


@pytest.mark.parametrize("rest", ["cancelled", "pending", "absent"])
async def test_what_never_ran_in_a_cancelled_batch_is_no_bad_event(tmp_path, rest):
    async with CompanyRig(tmp_path) as rig:
        rig.ledger.set_objectives(Objectives(OUTCOMES))
        await rig.sleep(MINUTE + 1)
        later = [RecordPlan(created=0.0, started=HOUR, finished=HOUR + 1)] * 200
        batch = rig.start_nightly([*DONE, *later])
        await rig.sleep(3 * MINUTE)
        assert rig.world.cancel_batch(batch.id, rig.now, rest=rest)
        await rig.sleep(SETTLED + 3 * MINUTE)
        assert rig.batch(batch.id).closed is not None
        assert rig.counted(ABANDONED) == {}
        assert rig.counted()[NIGHTLY] == 3.0
        events = rig.counted("runtype_slo_events_total")
        assert {labels[-1]: count for labels, count in events.items()} == {"good": 3.0}


async def test_an_interrupted_row_is_a_failure(tmp_path):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(MINUTE + 1)
        rig.start_nightly([*DONE, RecordPlan(outcome="failure", final_word="interrupted")])
        await rig.sleep(3 * MINUTE)
        assert rig.missing() == {}


async def test_a_paused_row_waits_for_its_person(tmp_path):
    async with CompanyRig(tmp_path, **SELDOM) as rig:
        await rig.sleep(MINUTE + 1)
        waits = RecordPlan(finished=3 * DAY, open_word="paused")
        batch = rig.start_nightly([*DONE, waits], completed=rig.now + 30.0)
        rig.world.make_zombie(batch.id)
        await rig.sleep(2 * DAY)
        assert rig.counted(ABANDONED) == {}
        await rig.sleep(DAY + 13 * HOUR)
        assert rig.missing() == {}


async def test_a_batch_whose_summary_runs_for_ever_ends_with_its_run(tmp_path):
    async with CompanyRig(tmp_path, **SELDOM) as rig:
        await rig.sleep(MINUTE + 1)
        batch = rig.start_nightly([*DONE, *stuck(4)], completed=rig.now + 10 * MINUTE)
        rig.world.make_zombie(batch.id)
        await rig.sleep(10 * MINUTE + 2 * SETTLED)
        assert batch.id not in rig.open_batches()
        assert rig.counted()[NIGHTLY] == 3.0
        assert rig.counted("runtype_schedule_runs_finished_total") == {("nightly", "success"): 1.0}
        assert rig.counted(ABANDONED) == {}
        assert rig.counted(GIVEN_UP) == {("stale",): 1.0}
        assert rig.counted(UNCOUNTED) == {("nightly", "enrich"): 4.0}


async def test_a_batch_that_never_changes_is_stale_after_a_week(tmp_path):
    async with CompanyRig(tmp_path, **SELDOM) as rig:
        await rig.sleep(MINUTE + 1)
        batch = rig.start_nightly([*DONE, *stuck(4)], completed=inf)
        await rig.sleep(6.9 * DAY)
        assert batch.id in rig.open_batches()
        await rig.sleep(0.3 * DAY)
        assert batch.id not in rig.open_batches()
        assert rig.counted(GIVEN_UP) == {("stale",): 1.0}
        assert rig.counted(UNCOUNTED) == {("nightly", "enrich"): 4.0}
        assert rig.counted()[NIGHTLY] == 3.0


async def test_a_batch_without_totals_waits_for_its_rows(tmp_path):
    counts = ["totalRecords", "processedRecords", "failedRecords"]
    async with CompanyRig(tmp_path) as rig:
        for operation in ("runs", "summary"):
            rig.faults.add(ApiFault(kind="nulls", operation=operation, value=counts))
        await rig.sleep(MINUTE + 1)
        late = [RecordPlan(created=4 * MINUTE, started=4 * MINUTE, finished=4 * MINUTE)] * 50
        batch = rig.start_nightly(late, completed=rig.now + 10.0)
        await rig.sleep(SETTLED + 5 * MINUTE)
        assert rig.missing() == {}
        assert rig.batch(batch.id).closed is not None


@pytest.mark.parametrize("code", [500, 400, 403])
async def test_results_that_never_work_are_given_up_after_three_days_and_counted_if_they_do_later(
    tmp_path, code
):
    other = ScheduleSpec(key="other", name="other", cron="10 * * * *", records=1)
    async with CompanyRig(tmp_path, **SELDOM, schedules=(*COMPANY, other)) as rig:
        await rig.sleep(MINUTE + 1)
        batch = rig.start_nightly()
        fault = ApiFault(kind="status", operation="batch_results", match=batch.id, value=code)
        rig.faults.add(fault)
        await rig.sleep(2.9 * DAY)
        assert batch.id in rig.open_batches()
        await rig.sleep(0.3 * DAY)
        assert batch.id not in rig.open_batches()
        assert rig.counted(GIVEN_UP) == {("unreadable",): 1.0}
        assert rig.counted(UNCOUNTED) == {("nightly", "enrich"): 3.0}
        assert rig.counted(ABANDONED) == {}
        rig.faults.clear()
        await rig.sleep(1.2 * DAY)
        assert {labels for labels in rig.missing() if labels[0] == "nightly"} == set()


async def test_results_that_are_gone_for_a_day_are_lost(tmp_path):
    other = ScheduleSpec(key="other", name="other", cron="10 * * * *", records=1)
    async with CompanyRig(tmp_path, **SELDOM, schedules=(*COMPANY, other)) as rig:
        await rig.sleep(MINUTE + 1)
        batch = rig.start_nightly()
        rig.faults.add(
            ApiFault(kind="status", operation="batch_results", match=batch.id, value=404)
        )
        await rig.sleep(23 * HOUR)
        assert batch.id in rig.open_batches()
        await rig.sleep(4 * HOUR)
        assert batch.id not in rig.open_batches()
        assert rig.counted(GIVEN_UP) == {("lost",): 1.0}
        assert rig.counted(ABANDONED) == {}


async def test_nothing_is_lost_while_every_path_is_gone(tmp_path):
    async with CompanyRig(tmp_path, **SELDOM) as rig:
        await rig.sleep(MINUTE + 1)
        batch = rig.start_nightly([*DONE, *[RecordPlan(finished=29 * HOUR)] * 200])
        await rig.sleep(3 * HOUR)
        rig.faults.add(ApiFault(kind="status", value=404))
        await rig.sleep(25.5 * HOUR)
        assert batch.id in rig.open_batches()
        assert rig.counted(GIVEN_UP) == {}
        rig.faults.clear()
        await rig.sleep(2 * HOUR)
        assert rig.missing() == {}
        assert rig.batch(batch.id).outcome == "success"


@pytest.mark.parametrize("kind", ["500", "hang"])
async def test_an_outage_of_days_gives_nothing_up(tmp_path, kind):
    fault = ApiFault(kind="hang") if kind == "hang" else ApiFault(kind="status", value=500)
    async with CompanyRig(tmp_path, **SELDOM, api=Api(recent_window=inf, recent_limit=1000)) as rig:
        await rig.sleep(MINUTE + 1)
        rig.start_nightly([*DONE, RecordPlan(finished=HOUR)])
        await rig.sleep(10 * MINUTE)
        rig.faults.add(fault)
        rig.start_nightly()
        rig.start_adhoc()
        asked = await rig.requests_during(7.5 * DAY)
        # One trial a minute, two tries each.
        assert asked.total() <= 7.5 * 1440 * 2.2
        assert rig.counted(GIVEN_UP) == {}
        rig.faults.clear()
        await rig.sleep(HOUR)
        assert rig.missing() == {}
        assert rig.open_batches() == set()
