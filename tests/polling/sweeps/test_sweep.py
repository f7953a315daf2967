"""Walking a batch's pages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtype_exporter.model import Batch, BatchRef, Labels, Picture, Probe, Result, Seen
from runtype_exporter.polling.batches.lifecycle import dirty
from runtype_exporter.polling.sweeps import sweep
from runtype_exporter.simulator.faults import Fault
from runtype_exporter.simulator.values import Api, RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
WORLD = WorldSettings(start=START, schedules=(NIGHTLY,))
BATCH = Batch(
    ref=BatchRef("acme", "b1"),
    seen=0.0,
    labels=Labels("", "flow"),
    probes={"run": Probe("running", 9, 1, 0)},
)


def result(key: str, outcome: str | None = "success") -> Result:
    return Result(
        key,
        f"record {key}",
        "completed" if outcome else "running",
        outcome,
        1.0,
        2.0 if outcome else None,
        "",
    )


def results(word: str, outcome: str | None = "success") -> list[Result]:
    return [result(letter, outcome) for letter in word]


def seen_of(rows: list[Result]) -> Seen:
    return Seen(distinct=len(rows), unfinished=sum(row.outcome is None for row in rows))


def walked(batch: Batch, *pages: list[Result], total: int) -> Batch:
    for page in pages:
        batch = sweep.advance(batch, seen_of(page), page, total)
    return batch


# --- pure rules ---
def test_the_final_prefix_grows_until_the_first_row_that_is_not_final():
    batch = walked(
        sweep.begin(BATCH, 5.0, full=False),
        results("ab"),
        results("cd"),
        [*results("e"), result("f", None)],
        total=8,
    )
    assert (batch.prefix.offset, batch.prefix.end, batch.prefix.seen.distinct) == (2, 4, 4)
    batch = walked(batch, results("gh"), total=8)
    assert batch.prefix.end == 4
    assert (batch.sweep.offset, batch.sweep.seen.distinct, batch.sweep.growing) == (8, 8, False)


def test_an_empty_page_leaves_the_prefix_as_it_is():
    batch = walked(sweep.begin(BATCH, 5.0, full=False), results("ab"), [], total=2)
    assert (batch.prefix.offset, batch.prefix.end) == (0, 2)


def test_the_next_walk_begins_at_the_prefixs_last_page_and_a_full_one_at_the_first_row():
    batch = walked(sweep.begin(BATCH, 5.0, full=False), results("ab"), results("cd"), total=4)
    ended = sweep.finish(batch, 6.0)
    following = sweep.begin(ended, 8.0, full=False).sweep
    assert (following.full, following.offset, following.number, following.before) == (
        False,
        2,
        2,
        BATCH.probes,
    )
    full = sweep.begin(ended, 8.0, full=True)
    assert (full.sweep.full, full.sweep.offset, full.prefix) == (True, 0, None)


def test_a_prefix_stands_while_its_last_page_begins_with_the_same_final_rows():
    prefix = walked(sweep.begin(BATCH, 5.0, full=False), results("ab"), total=2).prefix
    assert sweep.stands(prefix, [*results("ab"), result("c", None)])
    assert not sweep.stands(prefix, results("ba"))
    assert not sweep.stands(prefix, results("a"))
    assert not sweep.stands(prefix, [result("a"), result("b", "failure")])
    assert not sweep.stands(prefix, [result("a"), result("b", None)])


def test_status_words_beyond_the_cap_are_pooled():
    many = Seen(statuses={f"word {number}": 1 for number in range(sweep.MOST_WORDS)})
    merged = sweep.merge(many, Seen(statuses={"word 0": 2, "new": 3, "newer": 4}))
    assert len(merged.statuses) == sweep.MOST_WORDS + 1
    assert (merged.statuses["word 0"], merged.statuses[sweep.OTHER]) == (3, 7)


def test_what_two_pages_showed_adds_up():
    first = Seen(2, 1, {"a": 2}, last_finished=5.0, oldest_unfinished=None)
    second = Seen(3, 2, {"a": 1, "b": 2}, last_finished=4.0, oldest_unfinished=3.0)
    assert sweep.merge(first, second) == Seen(5, 3, {"a": 3, "b": 2}, 5.0, 3.0)
    assert sweep.merge(Seen(), Seen()) == Seen()
    assert sweep.merge(second, Seen(oldest_unfinished=2.0)).oldest_unfinished == 2.0


def test_a_walk_that_lacks_rows_is_walked_once_more_and_keeps_the_old_picture():
    old = Picture(at=1.0, total=2, seen=Seen(distinct=2))
    batch = Batch(
        ref=BATCH.ref,
        seen=0.0,
        picture=old,
        drift=7,
        probes=BATCH.probes,
        failures=3,
        retry_at=9.0,
        missing_since=8.0,
    )
    again = sweep.finish(walked(sweep.begin(batch, 5.0, full=False), results("ab"), total=3), 6.0)
    assert (again.sweep.full, again.sweep.again, again.sweep.began, again.drift, again.prefix) == (
        True,
        True,
        6.0,
        7,
        None,
    )
    ended = sweep.finish(walked(again, results("ab"), total=3), 7.0)
    assert (ended.sweep, ended.picture, ended.drift, ended.swept) == (None, old, 1, BATCH.probes)
    assert (ended.failures, ended.retry_at, ended.missing_since) == (0, 0.0, None)


def test_a_complete_walk_is_the_new_picture():
    batch = sweep.begin(
        Batch(
            ref=BATCH.ref,
            seen=0.0,
            swept={"summary": Probe("running", 1, 1, 0)},
            probes=BATCH.probes,
        ),
        5.0,
        full=True,
    )
    ended = sweep.finish(walked(batch, results("abc"), total=2), 6.0)
    assert (ended.picture, ended.drift) == (Picture(at=6.0, total=2, seen=Seen(distinct=3)), 1)
    assert ended.swept == {"summary": Probe("running", 1, 1, 0), **BATCH.probes}


def test_what_a_cycle_reads_during_a_walk_is_not_taken_for_swept():
    batch = sweep.begin(BATCH, 5.0, full=True)
    read_since = replace(batch, probes={"run": Probe("running", 9, 5, 0)})
    ended = sweep.finish(walked(read_since, results("abc"), total=3), 6.0)
    assert ended.swept == BATCH.probes
    assert dirty(ended)


def test_only_a_walk_under_way_can_advance():
    with pytest.raises(ValueError, match="no sweep of this batch is under way"):
        sweep.finish(BATCH, 1.0)


# --- over the API ---
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
        assert rig.view(run.batch.id).picture.seen.statuses == {"completed": 351, "running": 1}


async def test_a_changed_prefix_is_walked_again_from_the_first_row_and_the_change_is_counted(
    tmp_path,
):
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


async def test_a_walk_goes_on_after_a_restart_where_it_stood(tmp_path):
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


async def test_results_that_promise_more_for_ever_end_in_an_error_after_few_pages_and_the_batch_backs_off(
    tmp_path,
):
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
        assert rig.view(run.batch.id).picture.seen.distinct == 95


async def test_a_scrape_gets_its_turn_within_a_large_page(tmp_path):
    async with Rig(
        tmp_path,
        WorldSettings(start=START, schedules=(NIGHTLY,), api=Api(page_cap=1000)),
        account={"page_size": 1000},
    ) as rig:
        run = rig.world.add_batch([RecordPlan(finished=1.0)] * 900, schedule="a", at=START)
        seen = set()

        def committed(_: float) -> None:
            held = rig.ledger.lookup((run.batch.id,)).get(run.batch.id)
            seen.add(held.sweep.offset if held and held.sweep else None)

        rig._committed = committed
        await rig.sleep(90)
        assert seen == {None, 0, 200, 400, 600, 800, 900}
        assert len(offsets(rig)) == 2
