"""One row or field that cannot be right: that row is left out and counted as such, nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec
from tests.support.company import COMPANY, DONE, CompanyRig

CYCLE = 60.0
ENOUGH = 4 * CYCLE
SETTLED = 31 * CYCLE
NIGHTLY = ("nightly", "enrich", "success")


def spoiled(operation: str, path: str, value: Any) -> ApiFault:
    return ApiFault(kind="set", operation=operation, path=path, value=value)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("scheduleId", None, "identity"),
        ("scheduleId", 7, "identity"),
        ("id", None, "identity"),
        ("status", None, "status"),
        ("totalRecords", -1, "count"),
        ("totalRecords", "many", "count"),
        ("processedRecords", [], "count"),
        ("flowId", 7, "type"),
    ],
)
async def test_one_bad_run_costs_that_run_alone(tmp_path, field, value, reason):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(CYCLE + 1)
        bad = rig.world.add_batch(DONE, schedule="nightly", at=rig.now)
        rig.faults.add(spoiled("runs", f"data.@{bad.id}.{field}", value))
        rig.start_nightly()
        rig.start_adhoc()
        rig.start_inline()
        await rig.sleep(ENOUGH)
        counted = rig.counted()
        assert counted[NIGHTLY] >= 3.0
        assert counted["", "adhoc import", "success"] == 3.0
        assert counted["inline", "clean", "success"] == 3.0
        assert {name for operation, name in rig.telemetry.rejects if operation == "runs"} == {
            reason
        }
        # Its batch is counted once: as ad hoc, if the summary shows it and no run claims it.
        rig.faults.clear()
        await rig.sleep(SETTLED)
        assert sum(rig.missing().values()) == 0


@pytest.mark.parametrize("value", ["3", 3.0])
async def test_an_integer_may_be_written_in_another_way(tmp_path, value):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(CYCLE + 1)
        rig.faults.add(
            spoiled("runs", "data.*.totalRecords", value),
            spoiled("batch_results", "pagination.total", value),
            spoiled("summary", "batches.*.totalRecords", value),
            spoiled("summary", "recent.*.totalRecords", value),
        )
        rig.start_nightly()
        await rig.sleep(ENOUGH)
        assert rig.missing() == {}
        assert rig.open_batches() == set()
        assert not rig.telemetry.rejects


@pytest.mark.parametrize(("field", "value"), [("status", None), ("id", None), ("id", 5)])
async def test_one_bad_batch_of_the_summary_costs_that_batch_alone(tmp_path, field, value):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(CYCLE + 1)
        bad = rig.start_adhoc()
        rig.faults.add(spoiled("summary", f"recent.@{bad.id}.{field}", value))
        rig.start_adhoc()
        rig.start_nightly()
        await rig.sleep(ENOUGH)
        assert rig.counted() == {NIGHTLY: 3.0, ("", "adhoc import", "success"): 3.0}
        assert {operation for operation, _ in rig.telemetry.rejects} == {"summary"}
        rig.faults.clear()
        await rig.sleep(ENOUGH)
        assert rig.missing() == {}


@pytest.mark.parametrize("field", ["recent", "batches"])
async def test_a_list_of_the_summary_may_be_null(tmp_path, field):
    async with CompanyRig(tmp_path) as rig:
        rig.faults.add(spoiled("summary", field, None))
        await rig.sleep(CYCLE + 1)
        rig.start_nightly()
        await rig.sleep(ENOUGH)
        assert rig.missing() == {}
        assert set(rig.telemetry.cycles) == {""}


@pytest.mark.parametrize(
    ("field", "value"), [("recordId", None), ("recordId", 12345), ("status", None)]
)
async def test_one_bad_result_costs_that_result_alone(tmp_path, field, value):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(CYCLE + 1)
        batch = rig.start_nightly([RecordPlan()] * 50)
        rig.faults.add(spoiled("batch_results", f"data.7.{field}", value))
        await rig.sleep(ENOUGH)
        assert rig.counted()[NIGHTLY] == 49.0
        # Once its row can be understood before the batch closes, it is counted as well.
        rig.faults.clear()
        await rig.sleep(SETTLED)
        assert rig.missing() == {}
        assert batch.id not in rig.open_batches()


async def test_a_result_that_stays_bad_holds_up_its_batch_no_longer_than_the_settle_time(tmp_path):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(CYCLE + 1)
        batch = rig.start_nightly([RecordPlan()] * 50)
        rig.faults.add(spoiled("batch_results", "data.7.recordId", None))
        await rig.sleep(SETTLED + ENOUGH)
        assert rig.counted()[NIGHTLY] == 49.0
        assert rig.batch(batch.id).closed is not None


@pytest.mark.parametrize(("field", "value"), [("enabled", None), ("id", 77), ("id", None)])
async def test_one_bad_schedule_leaves_the_others_their_names(tmp_path, field, value):
    rig = CompanyRig(tmp_path, schedules=(*COMPANY, ScheduleSpec(key="bad", name="bad")))
    id_ = rig.world.schedule_id("bad")
    rig.faults.add(spoiled("schedules", f"data.@{id_}.{field}", value))
    async with rig:
        await rig.sleep(CYCLE + 1)
        rig.start_nightly()
        await rig.sleep(ENOUGH)
        assert rig.counted() == {NIGHTLY: 3.0}
        assert field == "enabled" or {name for name, _ in rig.telemetry.rejects} == {"schedules"}


@pytest.mark.parametrize("total", [2**53, 50_001])
async def test_a_total_beyond_reason_abandons_nothing(tmp_path, total):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(CYCLE + 1)
        run = rig.world.add_batch(DONE, schedule="nightly", at=rig.now)
        rig.faults.add(
            spoiled("runs", f"data.@{run.id}.totalRecords", total),
            spoiled("summary", "recent.*.totalRecords", total),
            spoiled("batch_results", "pagination.total", total),
        )
        await rig.sleep(SETTLED + ENOUGH)
        assert rig.missing() == {}
        assert rig.batch(run.batch.id).closed is not None
        assert rig.counted("runtype_records_abandoned_total") == {}
        assert sum(rig.counted("runtype_uncounted_records_total").values()) < 50_000


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1970-01-01"])
async def test_a_time_beyond_reason_counts_the_record_and_leaves_the_histograms(tmp_path, moment):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(CYCLE + 1)
        rig.start_nightly()
        rig.faults.add(spoiled("batch_results", "data.0.executedAt", moment))
        await rig.sleep(ENOUGH)
        assert rig.counted() == {NIGHTLY: 3.0}
        assert rig.counted("runtype_record_latency_seconds") == {NIGHTLY: 2.0}
        invalid = rig.counted("runtype_record_invalid_timestamps_total")
        assert sum(invalid.values()) == 1.0


async def test_a_name_without_end_is_cut(tmp_path):
    endless = ScheduleSpec(key="nightly", name="N" * 1_000_000, flow="F" * 100_000)
    async with CompanyRig(tmp_path, schedules=(endless, COMPANY[1])) as rig:
        await rig.sleep(CYCLE + 1)
        rig.start_nightly()
        rig.start_inline()
        await rig.sleep(ENOUGH)
        counted = rig.counted()
        assert sum(counted.values()) == 6.0
        assert max(len(value) for labels in counted for value in labels) <= 200
        assert rig.ledger.size() < 5_000_000


async def test_a_large_answer_with_broken_text_is_read(tmp_path):
    async with CompanyRig(tmp_path) as rig:
        await rig.sleep(CYCLE + 1)
        for operation in ("runs", "summary", "batch_results", "schedules"):
            rig.faults.add(ApiFault(kind="surrogates", operation=operation, value=200_000))
        rig.start_nightly()
        rig.start_adhoc()
        await rig.sleep(ENOUGH)
        assert rig.missing() == {}
        assert set(rig.telemetry.cycles) == {""}
