"""More sick batches than workers, each in its own way, and each list of the API sick alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf

import pytest

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import Api, RecordPlan, ScheduleSpec
from tests.support.api_errors import HOUR, ITEM_ERRORS
from tests.support.company import COMPANY, DONE, CompanyRig
from tests.support.rig import TOO_LARGE

CYCLE = 60.0
TWO_CYCLES = 2 * CYCLE + 30.0
NIGHTLY = ("nightly", "enrich", "success")
KNOWN = ScheduleSpec(key="known", name="known", flow="enrich")

MORE_SICKNESS = {
    "a row without a record": ApiFault(kind="set", path="data.0.recordId", value=None),
    "a total as text": ApiFault(kind="set", path="pagination.total", value="many"),
    "no rows": ApiFault(kind="drop", path="data"),
    "always the first page": ApiFault(kind="stuck"),
    "a total of everything": ApiFault(kind="set", path="pagination.total", value=2**53),
    "rows that take a minute": ApiFault(kind="slow_rows", value=60.0),
    "pieces that take a minute": ApiFault(kind="slow", value=60.0),
    "a redirect": ApiFault(kind="redirect"),
}


MANY = [RecordPlan(finished=1.0)] * 150
"""Two pages of records."""


def sicken(rig: CompanyRig, fault: ApiFault) -> str:
    """Start a batch with this fault in its results. Return its id."""
    id_ = rig.start_nightly(MANY).id
    rig.faults.add(replace(fault, operation="batch_results", match=id_))
    return id_


@pytest.mark.parametrize("workers", [1, 4])
async def test_sick_batches_of_every_kind_do_not_keep_healthy_ones_waiting(tmp_path, workers):
    sections = {"poll": {"max_concurrency": workers}}
    async with CompanyRig(
        tmp_path, sections=sections, schedules=(*COMPANY, KNOWN), latency=0.05
    ) as rig:
        await rig.sleep(CYCLE + 1)
        for fault in [*(kind.fault for kind in ITEM_ERRORS.values()), *MORE_SICKNESS.values()]:
            sicken(rig, fault)
        # Each may keep a worker once until its tries, and smaller pages, have failed.
        await rig.sleep(600.0 / workers)
        late = []
        for _ in range(20):
            rig.world.add_batch(DONE, schedule="known", at=rig.now)
            rig.start_inline()
            await rig.sleep(TWO_CYCLES)
            late.append({labels[0] for labels in rig.missing()} - {"nightly"})
        assert late == [set()] * 20
        assert not any(count < 0 for count in rig.missing().values())


async def test_a_day_of_sick_batches_costs_few_requests_and_loses_nothing(tmp_path):
    async with CompanyRig(tmp_path, schedules=(*COMPANY, KNOWN), latency=0.05) as rig:
        await rig.sleep(CYCLE + 1)
        ids = [sicken(rig, kind.fault) for kind in ITEM_ERRORS.values() for _ in range(3)]
        before = Counter[str]()
        # Something of the same kind works from time to time: else the read itself would be sick.
        for quarter in range(40):
            if quarter == 16:
                before = rig.requests()
            rig.world.add_batch(DONE, schedule="known", at=rig.now)
            rig.world.add_batch(DONE, schedule="known", at=rig.now + CYCLE / 2)
            await rig.sleep(TWO_CYCLES + CYCLE / 2)
            assert rig.counted()["known", "enrich", "success"] == 6.0 * (quarter + 1)
            await rig.sleep(12.5 * CYCLE)
        # Hourly, two tries, and now and then a smaller page.
        asked = rig.requests() - before
        assert asked["batch_results"] <= 6 * len(ids) * 4
        rig.faults.clear()
        await rig.sleep(HOUR + TWO_CYCLES)
        assert rig.missing() == {}


async def test_running_batches_that_are_sick_leave_workers_to_ended_ones(tmp_path):
    async with CompanyRig(tmp_path, schedules=(*COMPANY, KNOWN), latency=0.05) as rig:
        await rig.sleep(CYCLE + 1)
        slow = [RecordPlan(finished=CYCLE * number) for number in range(1, 60)]
        for _ in range(12):
            id_ = rig.start_nightly([*slow, RecordPlan(finished=inf)]).id
            rig.faults.add(ApiFault(kind="hang", operation="batch_results", match=id_))
        await rig.sleep(5 * CYCLE)
        for number in range(1, 20):
            rig.world.add_batch(DONE, schedule="known", at=rig.now)
            await rig.sleep(TWO_CYCLES)
            assert rig.counted().get(("known", "enrich", "success")) == 3.0 * number


# --- each list alone ---

"""Bytes of an answer that is too large."""
LIST_SICKNESS = {
    "hanging": ApiFault(kind="hang"),
    "failing": ApiFault(kind="status", value=500),
    "forbidden": ApiFault(kind="status", value=403),
    "gone": ApiFault(kind="status", value=404),
    "not JSON": ApiFault(kind="html"),
    "another shape": ApiFault(kind="set", path="data", value="none"),
    "too large": ApiFault(kind="oversize", value=TOO_LARGE),
}


def sick_list(operation: str, name: str) -> ApiFault:
    fault = LIST_SICKNESS[name]
    path = "batches" if fault.path and operation == "summary" else fault.path
    return ApiFault(kind=fault.kind, operation=operation, path=path, value=fault.value)


@pytest.mark.parametrize("name", LIST_SICKNESS)
@pytest.mark.parametrize("operation", ["schedules", "runs", "summary"])
async def test_a_list_that_is_sick_for_hours_stops_only_what_needs_it(tmp_path, operation, name):
    async with CompanyRig(tmp_path, api=Api(recent_window=2 * HOUR), latency=0.05) as rig:
        known = rig.start_nightly([RecordPlan(finished=HOUR), *DONE])
        adhoc = rig.start_adhoc([RecordPlan(finished=HOUR), *DONE])
        await rig.sleep(5 * CYCLE)
        rig.faults.add(sick_list(operation, name))
        if operation != "runs":
            await rig.sleep(CYCLE)
            rig.start_nightly()
            rig.start_inline()
            await rig.sleep(TWO_CYCLES)
            counted = rig.counted()
            assert (counted[NIGHTLY], counted["inline", "clean", "success"]) == (6.0, 3.0)
        # What is known is counted to its end by the reads that are left.
        await rig.sleep(HOUR + TWO_CYCLES)
        assert rig.missing() == {}
        assert not {known.id, adhoc.id} & rig.open_batches() or operation == "runs"
        asked = await rig.requests_during(HOUR)
        assert asked[operation] <= 2 * 60 + 20
        rig.faults.clear()
        rig.start_nightly()
        rig.start_adhoc()
        await rig.sleep(HOUR + 5 * CYCLE)
        assert rig.missing() == {}
        assert rig.open_batches() == set()


@pytest.mark.parametrize("operation", ["schedules", "runs", "summary"])
async def test_a_list_that_is_empty_once_ends_nothing(tmp_path, operation):
    path = {"summary": "batches"}.get(operation, "data")
    async with CompanyRig(tmp_path, sections={"poll": {"discovery_interval": "2m"}}) as rig:
        await rig.sleep(CYCLE + 1)
        rig.start_nightly([RecordPlan(finished=10 * CYCLE), *DONE])
        rig.start_adhoc([RecordPlan(finished=10 * CYCLE), *DONE])
        await rig.sleep(3 * CYCLE)
        rig.faults.add(ApiFault(kind="set", operation=operation, path=path, value=[], times=1))
        await rig.sleep(3 * CYCLE)
        assert rig.missing() == {}
        await rig.sleep(8 * CYCLE)
        assert rig.missing() == {}
        assert rig.counted("runtype_batches_finished_total") == {
            ("nightly", "enrich", "success"): 1.0,
            ("", "adhoc import", "success"): 1.0,
        }
        assert rig.counted("runtype_records_abandoned_total") == {}
