"""Each read of the API with each error, for one item, for all items and for the whole account.

The rest of the account is healthy and is counted within two cycles; the sick read costs a bounded
number of requests, and afterwards all is counted within a stated time. Each test goes through many
cells and names those that are broken.
"""

from __future__ import annotations

from math import ceil, log2
from pathlib import Path

import pytest

from runtype_exporter.simulator.settings import Api, RecordPlan, ScheduleSpec
from tests.support.api_errors import ERRORS, HOUR, ITEM_ERRORS, ErrorKind
from tests.support.company import COMPANY, DONE, CompanyRig

CYCLE = 60.0
TWO_CYCLES = 2 * CYCLE + 30.0
"""Two cycles, and two tries of a request that never answers in each."""
WITH_PAUSES = 7 * CYCLE
"""Two cycles between pauses of the account of up to a minute each."""
ADHOC = 3 * CYCLE
"""An ad-hoc batch is counted so much later: the list of runs must not claim it first."""

KNOWN = ScheduleSpec(key="known", name="known", flow="enrich")
SCHEDULES = (*COMPANY, KNOWN)
ENDS_LATER = [RecordPlan(finished=CYCLE + 50.0)] * 3
EVERYTHING = frozenset({"nightly", "inline", "known", ""})
NEEDED_BY = {
    "schedules": frozenset[str](),
    "runs": EVERYTHING - {"known"},
    "summary": frozenset({""}),
    "batch_status": frozenset[str](),
    "batch_results": EVERYTHING - {"inline"},
    "run_results": frozenset({"inline"}),
    "cost": frozenset[str](),
    "sparklines": frozenset[str](),
    "usage": frozenset[str](),
}
"""Whose records cannot be counted without a read. A known batch is in two lists."""
SECTIONS = {"poll": {"discovery_interval": "2m"}}
UNKNOWN = {"batches": [{"id": "batch_unknown"}]}
"""A batch in no list, whose status is asked for."""
PER_CYCLE = {"runs", "summary"}
TRIES = 2
SIZES = ceil(log2(100)) + 1
"""How often a page may be halved."""


def most_requests(read: str, seconds: float, items: int) -> int:
    """Return how many requests a read may cost while it fails."""
    rounds = ceil(seconds / CYCLE) + 1
    if read not in PER_CYCLE:
        # A back-off of 1, 2, 4 ... minutes, or the interval of the read.
        rounds = ceil(log2(rounds + 1)) + 1
    return items * (TRIES * rounds + SIZES)


def sick_requests(rig: CompanyRig, read: str) -> int:
    counts = rig.requests()
    return counts.total() if read == "*" else counts[read]


def was_read_since(rig: CompanyRig, read: str, since: float) -> bool:
    return any(
        request.operation == read and request.status == 200 and request.at > since
        for request in reversed(rig.app.state.requests.log)
    )


async def recovered(rig: CompanyRig, read: str, seconds: float) -> bool:
    """Return True if all is counted, and the read works, within so many seconds."""
    begun = rig.now
    background = read in {"schedules", "usage", "sparklines"}
    while rig.now - begun <= seconds:
        if not rig.missing() and not (background and not was_read_since(rig, read, begun)):
            return True
        await rig.sleep(30.0)
    return False


async def cell(rig: CompanyRig, read: str, kind: ErrorKind, sick: frozenset[str]) -> list[str]:
    """Return what is broken while a read fails for all its items, and afterwards."""
    broken = []
    rig.world.add_batch(ENDS_LATER, schedule="known", at=rig.now)
    await rig.sleep(CYCLE + 1)
    rig.faults.add(kind.at(read))
    before = sick_requests(rig, read)
    began = rig.now
    rig.start_nightly()
    rig.start_inline()
    rig.start_adhoc()
    healthy = WITH_PAUSES if kind.pauses else TWO_CYCLES
    await rig.until(healthy, left=sick | {""})
    if late := {labels[0] for labels in rig.missing()} - sick - {""}:
        broken.append(f"not counted in {healthy:.0f} s: {sorted(late)}")
    if "" not in sick:
        await rig.until(ADHOC, left=sick)
        if {labels[0] for labels in rig.missing()} - sick:
            broken.append(f"ad-hoc batch not counted in {healthy + ADHOC:.0f} s")
    await rig.sleep(max(TWO_CYCLES - (rig.now - began), 0.0))
    most = most_requests(read, rig.now - began, items=4)
    if (requests := sick_requests(rig, read) - before) > most:
        broken.append(f"{requests} requests in {rig.now - began:.0f} s, at most {most}")
    rig.faults.clear()
    if not await recovered(rig, read, kind.recovery):
        broken.append(f"not recovered in {kind.recovery:.0f} s: {rig.missing()}")
    if any(count < 0 for count in rig.missing().values()):
        broken.append(f"counted too often: {rig.missing()}")
    return broken


async def fresh(folder: Path, number: int) -> CompanyRig:
    """Return a rig that has read everything once."""
    place = folder / str(number)
    place.mkdir()
    api = Api(recent_window=2 * HOUR, recent_limit=1000)
    rig = CompanyRig(place, api=api, account=UNKNOWN, sections=SECTIONS, schedules=SCHEDULES)
    rig.start()
    await rig.sleep(CYCLE + 1)
    return rig


async def all_cells(folder: Path, read: str, sick: frozenset[str]) -> dict[str, list[str]]:
    """Return what is broken by each error. A broken cell does not reach into the next one."""
    found = {}
    rig = await fresh(folder, 0)
    for number, (name, kind) in enumerate(ERRORS.items(), 1):
        if broken := await cell(rig, read, kind, sick):
            found[name] = broken
            await rig.stop()
            rig = await fresh(folder, number)
    await rig.stop()
    return found


@pytest.mark.parametrize("read", NEEDED_BY)
async def test_a_read_that_fails_keeps_nothing_else_waiting(tmp_path, read):
    assert await all_cells(tmp_path, read, NEEDED_BY[read]) == {}


async def test_an_account_that_fails_is_counted_whole_afterwards(tmp_path):
    assert await all_cells(tmp_path, "*", EVERYTHING) == {}


# --- one item ---


async def sick_items(rig: CompanyRig, read: str, kinds: dict[str, ErrorKind]) -> dict[str, str]:
    """Start an item for each error, with that error. Return the ids by the names of the errors."""
    ids = {}
    for name, kind in kinds.items():
        if read == "run_results":
            ids[name] = rig.start_inline()
        else:
            ids[name] = rig.start_nightly().id
        rig.faults.add(kind.at(read, ids[name]))
    return ids


def requests_for(rig: CompanyRig, read: str, item: str, since: float) -> int:
    return sum(
        request.operation == read and item in request.target and request.at >= since
        for request in rig.app.state.requests.log
    )


@pytest.mark.parametrize("read", ["batch_results", "run_results"])
async def test_items_whose_results_fail_in_every_way_keep_no_other_waiting(tmp_path, read):
    async with CompanyRig(tmp_path, sections=SECTIONS) as rig:
        await rig.sleep(CYCLE + 1)
        ids = await sick_items(rig, read, ITEM_ERRORS)
        began = rig.now
        sick = {"inline" if read == "run_results" else "nightly"}
        await rig.sleep(CYCLE)
        before = rig.counted()
        healthy = rig.start_nightly(), rig.start_inline()
        await rig.sleep(TWO_CYCLES)
        grown = {
            labels[0]: count - before.get(labels, 0.0) for labels, count in rig.counted().items()
        }
        assert grown == {"nightly": 3.0, "inline": 3.0}, healthy
        # Long enough to tell a back-off from a read in each cycle.
        await rig.sleep(10 * CYCLE)
        most = most_requests(read, rig.now - began, items=1)
        asked = {name: requests_for(rig, read, id_, began) for name, id_ in ids.items()}
        assert {name: count for name, count in asked.items() if count > most} == {}
        assert {labels[0] for labels in rig.missing()} == sick
        rig.faults.clear()
        assert await recovered(rig, read, 600.0)


@pytest.mark.parametrize("read", ["batch_results", "run_results"])
async def test_an_item_that_pauses_the_account_leaves_time_for_the_others(tmp_path, read):
    broken = {}
    async with CompanyRig(tmp_path, sections=SECTIONS) as rig:
        await rig.sleep(CYCLE + 1)
        for name, kind in ERRORS.items():
            if not kind.pauses:
                continue
            await sick_items(rig, read, {name: kind})
            await rig.sleep(CYCLE)
            before = sum(rig.counted().values())
            rig.start_nightly()
            rig.start_inline()
            await rig.sleep(WITH_PAUSES)
            if (grown := sum(rig.counted().values()) - before) != 6:
                broken[name] = f"{grown} of 6 counted in {WITH_PAUSES:.0f} s"
            rig.faults.clear()
            if not await recovered(rig, read, kind.recovery):
                broken[name] = f"not recovered in {kind.recovery:.0f} s: {rig.missing()}"
    assert broken == {}


async def test_batches_whose_status_fails_in_every_way_keep_no_other_waiting(tmp_path):
    # The summary lists no active batch, so that the status of configured ones is asked for.
    rig = CompanyRig(tmp_path, sections=SECTIONS, api=Api(active_limit=0))
    runs_long = [RecordPlan(finished=4 * CYCLE)] * 3
    batches = {name: rig.start_adhoc(runs_long) for name in [*ITEM_ERRORS, "healthy"]}
    configured = [{"id": batch.id} for batch in batches.values()]
    rig.configure({**rig.account, "batches": configured}, SECTIONS)
    for name, kind in ITEM_ERRORS.items():
        rig.faults.add(kind.at("batch_status", batches[name].id))
    async with rig:
        await rig.sleep(CYCLE + 1)
        rig.start_nightly()
        await rig.sleep(TWO_CYCLES)
        assert rig.counted() == {("nightly", "enrich", "success"): 3.0}
        began = rig.now
        while not rig.counted().get(("", "adhoc import", "success")):
            await rig.sleep(10)
            assert rig.now - began < 3 * CYCLE + TWO_CYCLES
        rig.faults.clear()
        assert await recovered(rig, "batch_status", 600.0)


async def test_batches_whose_cost_fails_in_every_way_leave_the_others_their_cost(tmp_path):
    async with CompanyRig(tmp_path, sections=SECTIONS) as rig:
        await rig.sleep(CYCLE + 1)
        ids = await sick_items(rig, "cost", ITEM_ERRORS)
        began = rig.now
        await rig.sleep(CYCLE)
        healthy = rig.start_nightly(DONE)
        await rig.sleep(10 * CYCLE)
        assert not rig.missing()
        spent = rig.counted("runtype_cost_dollars_total")
        expected = rig.world.costs.micros(healthy, rig.now) / 1e6
        assert spent == pytest.approx({("nightly", "enrich"): expected})
        most = most_requests("cost", rig.now - began, items=1)
        asked = {name: requests_for(rig, "cost", id_, began) for name, id_ in ids.items()}
        assert {name: count for name, count in asked.items() if count > most} == {}
