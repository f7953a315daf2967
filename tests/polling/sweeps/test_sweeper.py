"""Sweeping over the API: what is skipped, repeated, resumed and counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from runtype_exporter.model import Batch, BatchRef, Probe
from runtype_exporter.polling.batches.lifecycle import closed
from runtype_exporter.polling.failures import ReadFailed
from runtype_exporter.polling.sweeps.sweep import begin
from runtype_exporter.polling.sweeps.sweeper import Sweeper
from runtype_exporter.runtype import PagingError, Priority
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import Api, RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, TOO_LARGE, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
WORLD = WorldSettings(start=START, schedules=(NIGHTLY,))
GROWING = [
    *[RecordPlan(finished=1.0)] * 350,
    RecordPlan(finished=90.0),
    RecordPlan(finished=5000.0),
]


def offsets(rig: Rig) -> list[int]:
    return [
        int(r.target.rpartition("=")[2])
        for r in rig.app.state.requests.log
        if r.operation == "batch_results"
    ]


async def test_the_final_prefix_is_skipped_while_its_last_page_stands(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        await rig.sleep(1)
        run = rig.world.add_batch(GROWING, schedule="a", at=START + 2)
        await rig.sleep(60)
        assert offsets(rig) == [0, 100, 200, 300]
        await rig.sleep(60)
        assert offsets(rig)[4:] == [200, 300]
        assert rig.view(run.batch.id).snapshot.tally.statuses == {"completed": 351, "running": 1}


async def test_a_changed_prefix_is_swept_from_the_first_row_and_the_change_is_counted(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        await rig.sleep(1)
        rig.world.add_batch(GROWING, schedule="a", at=START + 2)
        await rig.sleep(60)
        rig.faults.add(
            ApiFault(
                kind="set",
                operation="batch_results",
                match="offset=200",
                path="data.5.status",
                value="failed",
            )
        )
        await rig.sleep(60)
        assert offsets(rig)[4:] == [200, 0, 100, 200, 300]
        assert rig.counted() == {
            ("nightly", "enrich", "success"): 351.0,
            ("nightly", "enrich", "failure"): 1.0,
        }
        assert rig.counted("runtype_record_outcome_changes_total") == {
            ("nightly", "enrich", "success", "failure"): 1.0
        }


async def test_a_change_within_the_skipped_part_is_counted_by_the_last_sweep(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        rig.world.add_batch(
            [RecordPlan(finished=1.0)] * 350 + [RecordPlan(finished=500.0)], schedule="a", at=START
        )
        await rig.sleep(70)
        rig.faults.add(
            ApiFault(
                kind="set",
                operation="batch_results",
                match="offset=100",
                path="data.5.status",
                value="failed",
            )
        )
        await rig.sleep(600)
        assert rig.counted() == {
            ("nightly", "enrich", "success"): 351.0,
            ("nightly", "enrich", "failure"): 1.0,
        }
        assert offsets(rig)[-4:] == [0, 100, 200, 300]


async def test_a_sweep_goes_on_after_a_restart_where_it_stopped(tmp_path):
    async with Rig(tmp_path, WORLD, latency=1.0) as rig:
        rig.world.add_batch([RecordPlan(finished=1.0)] * 450, schedule="a", at=START)
        while offsets(rig)[-1:] != [200]:
            await rig.sleep(1)
        await rig.sleep(1.5)
        await rig.stop()
        before = len(offsets(rig))
        rig.start()
        await rig.sleep(30)
        assert offsets(rig)[before - 1 :][:3] in ([300, 300, 400], [200, 300, 400])
        assert rig.counted() == rig.truth()
        assert len(offsets(rig)) <= 7


async def test_results_that_always_promise_more_end_in_an_error_and_the_batch_backs_off(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        await rig.sleep(1)
        rig.faults.add(
            ApiFault(kind="stuck", operation="batch_results"),
            ApiFault(kind="set", operation="batch_results", path="pagination.hasMore", value=True),
        )
        run = rig.world.add_batch([RecordPlan(finished=1.0)] * 150, schedule="a", at=START + 2)
        assert (await rig.requests_during(3600))["batch_results"] == 6 * 15
        assert set(rig.telemetry.sweeps) == {"paging"}
        assert rig.counted() == {("nightly", "enrich", "success"): 100.0}
        assert rig.batch(run.batch.id).sweep is None
        rig.faults.clear()
        await rig.sleep(3600)
        assert rig.counted() == rig.truth()


async def test_pages_that_overlap_by_a_row_or_more_are_each_counted_once(tmp_path):
    async with Rig(
        tmp_path, WorldSettings(start=START, schedules=(NIGHTLY,), api=Api(page_cap=10))
    ) as rig:
        rig.faults.add(ApiFault(kind="shift", operation="batch_results", value=3))
        run = rig.world.add_batch([RecordPlan(finished=1.0)] * 95, schedule="a", at=START)
        await rig.sleep(90)
        assert rig.counted() == {("nightly", "enrich", "success"): 95.0}
        assert rig.view(run.batch.id).snapshot.tally.distinct == 95


async def test_a_scrape_gets_its_turn_within_a_large_page(tmp_path):
    async with Rig(
        tmp_path,
        WorldSettings(start=START, schedules=(NIGHTLY,), api=Api(page_cap=1000)),
        account={"page_size": 1000},
    ) as rig:
        run = rig.world.add_batch([RecordPlan(finished=1.0)] * 900, schedule="a", at=START)
        seen = set()

        def committed(_: float) -> None:
            held = rig.ledger.batches((run.batch.id,)).get(run.batch.id)
            seen.add(held.sweep.offset if held and held.sweep else None)

        rig._committed = committed
        await rig.sleep(90)
        assert seen == {None, 0, 200, 400, 600, 800, 900}
        assert len(offsets(rig)) == 2


# --- sweeps without anything else ---


async def sweep(rig: Rig, batch_id: str, *, full: bool = True):
    """Sweep a batch of the simulator once, without any polling."""
    if batch_id not in rig.ledger.batches((batch_id,)):
        probes = {"run": Probe("completed", None, None, None)}
        new = Batch(ref=BatchRef("acme", batch_id), first_seen=START, probes=probes)
        rig.ledger.save(new)
    sweeper = Sweeper(rig.poller.context)
    swept = await sweeper.sweep(batch_id, Priority.RUNNING, full=full, status=None)
    if swept is not None:
        rig.ledger.save(swept[0])
    return swept


@pytest.fixture
async def rig(tmp_path):
    rig = Rig(tmp_path, WORLD, latency=0.5)
    rig.build()
    yield rig
    await rig.stop()


def add(rig: Rig, records: int, **options) -> str:
    """Add a batch whose records have ended. Return its id."""
    return rig.world.add_batch(
        [RecordPlan(finished=1.0)] * records, schedule="a", at=START - 60, **options
    ).batch.id


def targets(rig: Rig) -> list[tuple[int, int]]:
    """The limit and the offset of each request for results."""
    found = []
    for request in rig.app.state.requests.log:
        if request.operation == "batch_results":
            query = dict(part.split("=") for part in request.target.partition("?")[2].split("&"))
            found.append((int(query["limit"]), int(query["offset"])))
    return found


def fault(kind: str, **options) -> ApiFault:
    return ApiFault(kind=kind, operation="batch_results", **options)


async def test_pages_that_are_too_large_are_read_with_fewer_rows(rig):
    rig.faults.add(fault("oversize", value=TOO_LARGE, above=30))
    batch_id = add(rig, 80)
    _, ended = await sweep(rig, batch_id)
    assert targets(rig) == [(100, 0), (50, 0), *((25, offset) for offset in (0, 25, 50, 75))]
    assert (ended.tally.distinct, rig.batch(batch_id).page_size) == (80, 25)
    await sweep(rig, batch_id)
    assert targets(rig)[6] == (25, 0)


async def test_a_page_size_that_the_api_refuses_is_found_with_one_row(rig):
    rig.faults.add(fault("status", value=400, above=60))
    _, ended = await sweep(rig, add(rig, 80))
    assert targets(rig) == [(100, 0), (1, 0), (50, 1), (50, 51)]
    assert ended.tally.distinct == 80


async def test_rows_that_cannot_be_understood_are_skipped(rig):
    for row in (3, 7):
        rig.faults.add(fault("set", match="offset=0", path=f"data.{row}.recordId", value=None))
    rig.faults.add(fault("set", match="offset=100", path="data.*.recordId", value=None))
    batch_id = add(rig, 250)
    after, ended = await sweep(rig, batch_id)
    assert [offset for _, offset in targets(rig)] == [0, 100, 200] * 2
    # Two of the first page, and the whole second one.
    assert (ended.tally.distinct, ended.offset, after.drift) == (148, 250, 102)
    assert rig.telemetry.rejects == {("results", "identity"): 2 * 102}
    assert rig.counted() == {("", "enrich", "success"): 148.0}
    assert after.prefix is None
    rig.faults.clear()
    _, ended = await sweep(rig, batch_id)
    assert (ended.tally.distinct, ended.total) == (250, 250)


async def test_a_total_that_is_beyond_belief_says_nothing(rig):
    rig.faults.add(fault("set", path="pagination.total", value=50_001))
    after, ended = await sweep(rig, add(rig, 120))
    assert [offset for _, offset in targets(rig)] == [0, 100]
    assert (ended.tally.distinct, ended.total, after.snapshot.total) == (120, 0, 0)


async def test_rows_that_come_again_and_again_end_in_an_error_whatever_the_total_says(rig):
    rig.faults.add(
        fault("stuck"),
        fault("set", path="pagination.total", value=10**9),
        fault("set", path="pagination.hasMore", value=True),
    )
    batch_id = add(rig, 150)
    with pytest.raises(ReadFailed) as failed:
        await sweep(rig, batch_id)
    assert isinstance(failed.value.error, PagingError)
    assert (len(targets(rig)), rig.batch(batch_id).sweep) == (15, None)
    # The pages are answered. Only the whole sweep ends the failures in a row.
    with pytest.raises(ReadFailed) as failed:
        await sweep(rig, batch_id)
    assert failed.value.tries == 2
    rig.faults.clear()
    await sweep(rig, batch_id)
    assert rig.poller.context.collectors.failures("results", batch_id) == 0


async def test_paused_rows_are_tallied(rig):
    rig.faults.add(fault("set", path="data.2.status", value="Paused"))
    _, ended = await sweep(rig, add(rig, 5))
    assert (ended.tally.paused, ended.tally.unfinished) == (1, 1)


async def test_an_empty_batch_is_swept_with_one_request(rig):
    _, ended = await sweep(rig, add(rig, 0))
    assert (len(targets(rig)), ended.tally.distinct) == (1, 0)


def close(rig: Rig, batch_id: str) -> None:
    rig.ledger.update(batch_id, lambda batch: closed(batch, None, START))


def begin_again(rig: Rig, batch_id: str) -> None:
    """Another sweep begins, as after a batch was closed and opened again."""
    rig.ledger.update(batch_id, lambda batch: begin(batch, START, full=True))


def drop_sweep(rig: Rig, batch_id: str) -> None:
    rig.ledger.update(batch_id, lambda batch: replace(batch, sweep=None))


async def during(rig: Rig, batch_id: str, reads: int, change) -> None:
    """Change a batch while the answer to a read of its results is on its way."""
    before = rig.requests()["batch_results"]
    while rig.requests()["batch_results"] < before + reads:
        await rig.sleep(0.1)
    change(rig, batch_id)


@pytest.mark.parametrize(("reads", "prefix"), [(1, False), (2, False), (1, True)])
async def test_a_batch_that_closes_while_a_page_is_read_stays_closed(rig, reads, prefix):
    batch_id = add(rig, 250)
    if prefix:
        await sweep(rig, batch_id, full=False)
    close_it = asyncio.create_task(during(rig, batch_id, reads, close))
    assert await sweep(rig, batch_id, full=not prefix) is None
    await close_it
    assert rig.batch(batch_id).closed == START
    assert await sweep(rig, batch_id) is None


async def test_rows_of_a_sweep_that_was_replaced_are_not_applied_to_the_new_one(rig):
    batch_id = add(rig, 250)
    again = asyncio.create_task(during(rig, batch_id, 2, begin_again))
    _, ended = await sweep(rig, batch_id)
    await again
    assert [offset for _, offset in targets(rig)] == [0, 100, 0, 100, 200]
    assert (ended.number, ended.tally.distinct) == (2, 250)
    assert rig.counted() == {("", "enrich", "success"): 250.0}


async def test_a_sweep_that_is_gone_when_its_page_comes_begins_again(rig):
    batch_id = add(rig, 0)
    gone = asyncio.create_task(during(rig, batch_id, 1, drop_sweep))
    _, ended = await sweep(rig, batch_id)
    await gone
    assert (len(targets(rig)), ended.number) == (2, 2)


async def test_a_batch_that_closes_between_two_chunks_of_a_page_stays_closed(tmp_path):
    api = Api(page_cap=1000)
    rig = Rig(
        tmp_path,
        WorldSettings(start=START, schedules=(NIGHTLY,), api=api),
        account={"page_size": 500},
    )
    rig.build()
    batch_id = add(rig, 450)

    def close_it() -> None:
        if rig.counted():
            close(rig, batch_id)

    rig._committed = lambda _: asyncio.get_running_loop().call_soon(close_it)
    assert await sweep(rig, batch_id) is None
    assert (len(targets(rig)), rig.batch(batch_id).closed) == (1, START)
    assert rig.counted() == {("", "enrich", "success"): 200.0}
    await rig.stop()


async def test_a_sweep_that_is_replaced_between_its_last_rows_and_its_end_is_not_finished(rig):
    batch_id = add(rig, 50)

    def replace_it() -> None:
        now = rig.batch(batch_id).sweep
        if now is not None and (now.number, now.offset) == (1, 50):
            begin_again(rig, batch_id)

    # Called between a commit and what the sweep does next.
    rig._committed = lambda _: asyncio.get_running_loop().call_soon(replace_it)
    _, ended = await sweep(rig, batch_id)
    assert (len(targets(rig)), ended.number, ended.tally.distinct) == (2, 2, 50)
