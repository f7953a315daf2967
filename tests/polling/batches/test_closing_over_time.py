"""The end of a batch: it closes, is lost or is dropped, and what changes after that."""

from __future__ import annotations

import pytest

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import (
    Api,
    RecordAttempt,
    RecordPlan,
    ScheduleSpec,
    WorldSettings,
)
from tests.support.rig import START, RecordingGauges, Rig

NIGHTLY = ScheduleSpec(key="a", name="nightly")
WORLD = WorldSettings(start=START, schedules=(NIGHTLY,))
DONE = [RecordPlan(finished=1.0)] * 3
FLOW = ("nightly", "enrich")
BATCHES = "runtype_batches_finished_total"
ABANDONED = "runtype_records_abandoned_total"
GIVEN_UP = "runtype_batches_given_up_total"
UNCOUNTED = "runtype_uncounted_records_total"
LATE = "runtype_batch_late_changes_total"


async def test_a_batch_closes_with_its_outcome_and_duration_and_costs_nothing_more(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        run = rig.world.add_batch(
            [RecordPlan(finished=1.0, outcome="failure")], schedule="a", at=START
        )
        rig.world.add_batch(DONE, schedule="a", at=START, cancelled=True)
        await rig.sleep(90)
        assert rig.counted(BATCHES) == {(*FLOW, "failure"): 1.0, (*FLOW, "cancelled"): 1.0}
        assert rig.series("runtype_batch_duration_seconds") == {
            (*FLOW, "failure"): 1,
            (*FLOW, "cancelled"): 1,
            (*FLOW, "success"): 0,
        }
        view = rig.view(run.batch.id)
        assert (view.open, view.state, view.closed, view.drift) == (False, "failed", START + 60, 0)
        assert (await rig.requests_during(600))["batch_results"] == 0


async def test_what_never_became_final_is_abandoned_once_the_settle_time_is_over(tmp_path):
    async with Rig(tmp_path, WORLD, sections={"poll": {"settle_time": "10m"}}) as rig:
        run = rig.world.add_batch(
            [*DONE, RecordPlan(finished=1e9)], schedule="a", at=START, completed=START + 30
        )
        await rig.sleep(600)
        assert rig.counted(ABANDONED) == {}
        assert rig.open_batches() == {run.batch.id}
        await rig.sleep(120)
        assert rig.counted(ABANDONED) == {FLOW: 1.0}
        assert rig.counted(BATCHES) == {(*FLOW, "success"): 1.0}
        assert rig.counted() == rig.truth()
        assert rig.view(run.batch.id).snapshot.tally.unfinished == 1
        assert rig.open_batches() == set()


async def test_a_record_that_finishes_within_the_settle_time_is_counted_by_its_last_sweep(tmp_path):
    async with Rig(tmp_path, WORLD, sections={"poll": {"settle_time": "10m"}}) as rig:
        late = RecordPlan(outcome="failure", retries=(RecordAttempt(2.0, 3.0, 400.0),))
        rig.world.add_batch([*DONE, late], schedule="a", at=START, completed=START + 30)
        await rig.sleep(800)
        assert rig.counted() == rig.truth() == {(*FLOW, "success"): 4.0, (*FLOW, "failure"): 1.0}
        assert rig.counted(ABANDONED) == {}
        assert rig.open_batches() == set()


async def test_rows_that_the_api_counts_but_never_shows_are_drift_and_then_abandoned(tmp_path):
    async with Rig(tmp_path, WORLD, sections={"poll": {"settle_time": "10m"}}) as rig:
        rig.faults.add(
            ApiFault(kind="set", operation="batch_results", path="pagination.total", value=5)
        )
        run = rig.world.add_batch(DONE, schedule="a", at=START)
        await rig.sleep(90)
        assert rig.view(run.batch.id).drift == 2
        assert rig.view(run.batch.id).snapshot is None
        assert (await rig.requests_during(400))["batch_results"] == 0
        await rig.sleep(300)
        assert rig.counted(ABANDONED) == {FLOW: 2.0}
        assert (rig.view(run.batch.id).snapshot.total, rig.view(run.batch.id).drift) == (5, 2)


async def test_rows_that_only_the_probes_count_are_waited_for_and_then_abandoned(tmp_path):
    async with Rig(tmp_path, WORLD, sections={"poll": {"settle_time": "10m"}}) as rig:
        rig.faults.add(ApiFault(kind="set", operation="runs", path="data.*.totalRecords", value=7))
        rig.world.add_batch(DONE, schedule="a", at=START)
        await rig.sleep(900)
        assert rig.counted(ABANDONED) == {FLOW: 4.0}
        assert rig.counted(BATCHES) == {(*FLOW, "success"): 1.0}


async def test_more_rows_than_the_api_counts_are_drift_but_keep_no_batch_open(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        rig.faults.add(
            ApiFault(kind="set", operation="batch_results", path="pagination.total", value=1)
        )
        run = rig.world.add_batch(DONE, schedule="a", at=START)
        await rig.sleep(90)
        assert rig.view(run.batch.id).drift == 2
        assert rig.open_batches() == set()
        assert rig.counted() == rig.truth()


async def test_an_empty_batch_closes(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        run = rig.world.add_batch([], schedule="a", at=START)
        await rig.sleep(90)
        assert rig.open_batches() == set()
        assert rig.batch(run.batch.id).outcome == "success"
        assert rig.counted(BATCHES) == {
            ("nightly", rig.batch(run.batch.id).labels.flow, "success"): 1.0
        }


async def test_a_change_after_the_close_is_counted_not_swept(tmp_path):
    async with Rig(tmp_path, WORLD) as rig:
        rig.world.add_batch(DONE, schedule="a", at=START)
        await rig.sleep(90)
        rig.faults.add(ApiFault(kind="set", operation="runs", path="data.*.failedRecords", value=1))
        assert (await rig.requests_during(600))["batch_results"] == 0
        assert rig.counted(LATE) == {FLOW: 1.0}
        assert rig.counted() == rig.truth()


async def test_a_summary_that_says_the_end_a_little_later_than_the_run_is_no_late_change(tmp_path):
    async with Rig(tmp_path, WORLD, sections={"poll": {"settle_time": "10m"}}) as rig:
        rig.faults.add(
            ApiFault(kind="set", operation="summary", path="recent.*.status", value="running")
        )
        run = rig.world.add_batch(DONE, schedule="a", at=START)
        await rig.sleep(200)
        assert rig.open_batches() == {run.batch.id}
        rig.faults.clear()
        await rig.sleep(900)
        assert rig.open_batches() == set()
        assert rig.counted(LATE) == {}


# --- 404 ---
async def test_a_batch_whose_results_are_denied_for_a_day_is_lost_with_the_records_it_still_owed(
    tmp_path,
):
    async with Rig(tmp_path, WORLD, sections={"poll": {"interval": "10m"}}) as rig:
        run = rig.world.add_batch([*DONE, RecordPlan(finished=900.0)], schedule="a", at=START)
        await rig.sleep(700)
        rig.faults.add(
            ApiFault(kind="status", operation="batch_results", value=410),
            ApiFault(kind="status", operation="batch_status", value=404),
            ApiFault(kind="set", operation="summary", path="batches", value=[]),
            ApiFault(kind="set", operation="summary", path="recent", value=[]),
            ApiFault(kind="set", operation="runs", path="data", value=[]),
        )
        asked = await rig.requests_during(86000)
        assert asked["batch_status"] <= 30
        assert rig.open_batches() == {run.batch.id}
        assert set(rig.telemetry.cycles) == {""}
        await rig.sleep(5000)
        assert rig.counted(GIVEN_UP) == {("lost",): 1.0}
        assert rig.counted(UNCOUNTED) == {FLOW: 1.0}
        assert rig.counted(ABANDONED) == rig.counted(BATCHES) == {}
        assert rig.open_batches() == set()


async def test_a_batch_that_was_never_seen_through_is_lost_with_all_its_records(tmp_path):
    async with Rig(tmp_path, WORLD, sections={"poll": {"interval": "30m"}}) as rig:
        rig.faults.add(ApiFault(kind="status", operation="batch_results", value=404))
        rig.faults.add(ApiFault(kind="set", operation="summary", path="recent", value=[]))
        rig.world.add_batch(DONE, schedule="a", at=START)
        await rig.sleep(2000)
        rig.faults.add(
            ApiFault(kind="set", operation="runs", path="data", value=[]),
            ApiFault(kind="status", operation="batch_status", value=404),
        )
        await rig.sleep(27 * 3600)
        assert rig.counted(GIVEN_UP) == {("lost",): 1.0}
        assert sum(rig.counted(UNCOUNTED).values()) == 3.0


async def test_a_configured_batch_that_never_was_is_not_lost_but_waited_for(tmp_path):
    async with Rig(
        tmp_path,
        WORLD,
        account={"batches": [{"id": "batch_typo", "name": "backfill"}]},
        sections={"poll": {"interval": "20m", "discovery_interval": "2h"}},
    ) as rig:
        await rig.sleep(2 * 86400)
        assert rig.gauges.finds == {"backfill": False}
        assert set(rig.telemetry.cycles) == {""}
        assert rig.open_batches() == {"batch_typo"}
        assert rig.counted(BATCHES) == {}
        assert rig.poller.status().up is True


async def test_a_configured_batch_that_was_found_once_is_lost_after_a_day(tmp_path):
    rig = Rig(tmp_path, WORLD, sections={"poll": {"interval": "20m"}})
    batch = rig.world.add_adhoc([*DONE, RecordPlan(finished=9e5)], at=START)
    rig.configure(
        {
            "batches": [{"id": batch.id, "name": "backfill"}],
            "collectors": {"runs": False, "summary": False},
        },
        {"poll": {"interval": "20m"}},
    )
    async with rig:
        await rig.sleep(3600)
        assert rig.gauges.finds == {"backfill": True}
        rig.faults.add(ApiFault(kind="status", operation="batch_status", value=404))
        await rig.sleep(3600)
        assert rig.gauges.finds == {"backfill": False}
        await rig.sleep(86400)
        assert rig.batch(batch.id).outcome == "lost"
        assert rig.counted(UNCOUNTED) == {("", "adhoc import"): 1.0}
        assert rig.gauges.finds == {"backfill": False}
        assert rig.poller._parts.closer.missing == set()
    rig.gauges = RecordingGauges()
    async with rig:
        await rig.sleep(30)
        assert rig.gauges.finds == {"backfill": False}
        assert rig.view(batch.id).open is False


async def test_a_batch_that_was_never_found_is_dropped_when_no_longer_configured(
    tmp_path,
):
    sections = {"poll": {"interval": "5m"}}
    rig = Rig(tmp_path, WORLD, account={"batches": [{"id": "batch_typo"}]}, sections=sections)
    async with rig:
        await rig.sleep(600)
        assert rig.open_batches() == {"batch_typo"}
    rig.configure(sections=sections)
    async with rig:
        await rig.sleep(30)
        assert rig.open_batches() == set()
        assert rig.ledger.batches(["batch_typo"]) == {}
        assert (await rig.requests_during(86400 + 7200))["batch_status"] == 0
        assert rig.series(BATCHES) == rig.series(ABANDONED) == {}


async def test_a_batch_that_was_dropped_before_it_was_found_counts_if_it_is_listed_later(
    tmp_path,
):
    rig = Rig(tmp_path, WORLD)
    batch = rig.world.add_batch(DONE, schedule="a", at=START + 3600).batch
    rig.configure({"batches": [{"id": batch.id}]})
    async with rig:
        await rig.sleep(600)
    rig.configure()
    async with rig:
        await rig.sleep(30)
        assert rig.open_batches() == set()
        await rig.sleep(4000)
        assert rig.counted() == rig.truth() == {(*FLOW, "success"): 3.0}


async def test_a_configured_batch_that_was_found_once_stays_when_it_is_not_configured_any_more(
    tmp_path,
):
    rig = Rig(tmp_path, WORLD)
    batch = rig.world.add_adhoc([*DONE, RecordPlan(finished=9e5)], at=START)
    rig.configure({"batches": [{"id": batch.id}], "collectors": {"runs": False, "summary": False}})
    async with rig:
        await rig.sleep(600)
    rig.configure({"collectors": {"runs": False, "summary": False}})
    async with rig:
        rig.faults.add(ApiFault(kind="status", operation="batch_status", value=404))
        await rig.sleep(3600)
        assert rig.open_batches() == {batch.id}
        assert rig.poller._parts.closer.missing == {batch.id}


@pytest.mark.parametrize(("hours", "outcome"), [(23, "success"), (26, "lost")])
async def test_a_batch_that_is_listed_while_its_results_are_denied_is_lost_after_a_day_not_before(
    tmp_path, hours, outcome
):
    async with Rig(tmp_path, WORLD, sections={"poll": {"interval": "20m"}}) as rig:
        await rig.sleep(1)
        run = rig.world.add_batch(DONE, schedule="a", at=START + 2)
        rig.faults.add(ApiFault(kind="status", operation="batch_results", value=404))
        await rig.sleep(hours * 3600)
        rig.faults.clear()
        await rig.sleep(5000)
        assert rig.batch(run.batch.id).outcome == outcome
        assert rig.counted(UNCOUNTED) == (
            {(rig.batch(run.batch.id).labels): 3.0} if outcome == "lost" else {}
        )


# --- a status filter ---
async def test_a_status_filter_feeds_the_batchs_gauges_and_counts_nothing(tmp_path):
    rig = Rig(tmp_path, WORLD)
    records = [
        *DONE,
        RecordPlan(finished=1.0, outcome="failure"),
        RecordPlan(finished=200.0, outcome="failure"),
    ]
    batch = rig.world.add_adhoc(records, at=START)
    off = {"runs": False, "summary": False, "schedules": False}
    rig.configure({"batches": [{"id": batch.id, "status": "failed"}], "collectors": off})
    async with rig:
        await rig.sleep(90)
        assert rig.view(batch.id).snapshot.tally.statuses == {"failed": 1}
        await rig.sleep(600)
        assert rig.view(batch.id).snapshot.tally.statuses == {"failed": 2}
        assert rig.view(batch.id).open is False
        assert rig.counted() == {}
        assert rig.counted(BATCHES) == {}
        assert rig.open_batches() == set()
        assert all(
            "status=failed" in r.target
            for r in rig.app.state.requests.log
            if r.operation == "batch_results"
        )


async def test_a_filtered_batch_that_is_also_discovered_counts_whole_with_one_warning(
    tmp_path, logs
):
    rig = Rig(tmp_path, WORLD)
    batch = rig.world.add_batch(
        [*DONE, RecordPlan(finished=500.0, outcome="failure")], schedule="a", at=START + 2
    ).batch
    rig.configure({"batches": [{"id": batch.id, "status": "failed"}]})
    async with rig:
        await rig.sleep(900)
        assert rig.counted() == rig.truth() == {(*FLOW, "success"): 3.0, (*FLOW, "failure"): 1.0}
        assert [entry["event"] for entry in logs if "filter" in entry["event"]] == [
            "status filter ignored: the batch is also discovered"
        ]


async def test_results_final_before_the_first_start_are_remembered_even_without_times(
    tmp_path,
):
    settings = WorldSettings(start=START - 7200, schedules=(NIGHTLY,), api=Api(result_ids="never"))
    async with Rig(tmp_path, settings) as rig:
        rig.faults.add(
            ApiFault(
                kind="nulls",
                operation="batch_results",
                value=["executedAt", "failedAt"],
                match="offset=0",
            )
        )
        rig.world.add_batch(
            [RecordPlan(finished=10.0), RecordPlan(finished=4000.0)], schedule="a", at=START - 3600
        )
        await rig.sleep(900)
        assert rig.counted() == {(*FLOW, "success"): 1.0}


@pytest.mark.parametrize("word", ["archived", "needs_review"])
async def test_an_unknown_word_is_followed_until_the_api_gives_its_end(tmp_path, word):
    words = {
        "pending": "queued",
        "running": word,
        "success": word,
        "failure": "failed",
        "cancelled": "cancelled",
    }
    settings = WorldSettings(
        start=START,
        schedules=(NIGHTLY,),
        api=Api(batch_words=words, run_words=words, record_words=words),
    )
    async with Rig(tmp_path, settings) as rig:
        rig.world.add_batch([RecordPlan(finished=100.0)] * 3, schedule="a", at=START)
        await rig.sleep(90)
        assert rig.counted() == {}
        await rig.sleep(300)
        assert rig.counted() == {(*FLOW, "unknown"): 3.0}
        assert rig.counted(BATCHES) == {(*FLOW, "unknown"): 1.0}
