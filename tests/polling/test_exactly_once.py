"""Each result is counted once, whatever the API chooses and whatever fails or dies."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import (
    AdhocSpec,
    Api,
    RecordPlan,
    ScheduleSpec,
    Traffic,
    WorldSettings,
)
from tests.support.rig import START, TOO_LARGE, Rig
from tests.support.virtual import run

RETRIES = Traffic(retry_share=0.4, failure_share=0.1)
SYNONYMS = {
    "pending": "Queued",
    "running": "processing",
    "success": "success",
    "failure": "error",
    "cancelled": "canceled",
}
QUICK = {"poll": {"interval": "2m", "settle_time": "5m"}}

OPTIONS = {
    "as the simulator guesses": (Api(), RETRIES),
    "runs oldest first": (Api(runs_order="oldest"), RETRIES),
    "runs shuffled": (Api(runs_order="shuffled"), RETRIES),
    "new runs shift the pages of a walk": (Api(offset_cursors=True), RETRIES),
    "results newest first": (
        Api(results_order="newest"),
        Traffic(retry_share=0.4, failure_share=0.1, as_created=True),
    ),
    "results by last change": (
        Api(results_order="updated"),
        Traffic(retry_share=0.4, as_created=True),
    ),
    "ids only of final results": (Api(result_ids="when_final"), RETRIES),
    "no ids at all": (Api(result_ids="never"), Traffic(failure_share=0.1)),
    "counts move by 25": (Api(flush=25), RETRIES),
    "pages of 7": (Api(page_cap=7, default_limit=7), RETRIES),
    "other words, failures not processed": (
        Api(
            record_words=SYNONYMS,
            batch_words=SYNONYMS,
            run_words=SYNONYMS,
            processed_includes_failed=False,
        ),
        Traffic(cancelled_share=0.1, cancelled_batches=0.2),
    ),
    "a short summary": (Api(recent_window=400, recent_limit=3), RETRIES),
    "records stuck forever": (Api(), Traffic(stuck_share=0.02)),
    "batches held by stuck records": (Api(), Traffic(stuck_share=0.02, stuck_holds_batch=True)),
}


def account_of(api: Api, traffic: Traffic) -> WorldSettings:
    return WorldSettings(
        start=START,
        api=api,
        schedules=(
            ScheduleSpec(
                key="a", name="nightly", cron="*/7 * * * *", records=(0, 60), traffic=traffic
            ),
            ScheduleSpec(key="b", cron="*/16 * * * *", records=180, flow="score", traffic=traffic),
            ScheduleSpec(key="c", name="agent", kind="agent", cron="*/10 * * * *"),
        ),
        adhoc=(AdhocSpec(key="x", cron="*/13 * * * *", records=(1, 30), traffic=traffic),),
    )


async def to_rest(rig: Rig, seconds: float = 1200) -> None:
    """Let what runs end and be counted within so many seconds, and wait for a full walk.

    Only full walks read a run list that has no order.
    """
    rig.world.stop(rig.clock.now())
    while not rig.world.quiet(rig.clock.now()):
        await rig.sleep(60)
    deadline = rig.clock.now() + seconds
    while rig.open_batches() and rig.clock.now() < deadline:
        await rig.sleep(120)
    await rig.sleep(800)


def assert_exact(rig: Rig) -> None:
    assert rig.truth() == rig.counted()
    assert rig.run_truth() == rig.counted("runtype_schedule_runs_finished_total")


def assert_never_too_many(rig: Rig) -> None:
    truth = rig.truth()
    assert {key: value for key, value in rig.counted().items() if value > truth.get(key, 0.0)} == {}


@pytest.mark.parametrize("option", OPTIONS)
async def test_whatever_the_api_chooses_the_totals_are_the_truth(tmp_path, option):
    async with Rig(tmp_path, account_of(*OPTIONS[option]), sections=QUICK, latency=0.2) as rig:
        await rig.sleep(3000)
        assert_never_too_many(rig)
        await to_rest(rig)
        assert_exact(rig)
        held = {
            batch.id
            for batch in rig.world.batches(rig.clock.now())
            if batch.stuck_holds and batch.work.stuck
        }
        assert held == rig.open_batches()


@pytest.mark.parametrize("option", OPTIONS)
async def test_whenever_the_power_fails_the_totals_are_the_truth(tmp_path, option):
    random = Random(option)
    async with Rig(tmp_path, account_of(*OPTIONS[option]), sections=QUICK, latency=0.4) as rig:
        while rig.clock.now() < START + 3000:
            await rig.sleep(random.choice([random.uniform(0, 8), random.uniform(0, 400)]))
            assert_never_too_many(rig)
            await rig.kill()
            await rig.sleep(random.choice([0, random.uniform(0, 200)]))
            rig.start()
        await to_rest(rig)
        assert_exact(rig)


async def test_a_power_cut_between_any_two_transactions_loses_and_repeats_nothing(tmp_path):
    world = WorldSettings(
        start=START, api=Api(page_cap=250), schedules=(ScheduleSpec(key="a", name="nightly"),)
    )
    records = [RecordPlan(finished=float(second % 7)) for second in range(300)]
    stood_at = set()
    async with Rig(tmp_path, world, account={"page_size": 250}) as rig:
        await rig.sleep(1)
        for commits in range(1, 16):
            rig.world.add_batch(records, schedule="a", at=rig.clock.now())
            await rig.kill(commits)
            rig.build()
            stood_at |= {
                batch.sweep and batch.sweep.offset for batch in rig.ledger.open_batches("acme")
            }
            await rig.stop()
            await rig.sleep(3)
            rig.start()
        await to_rest(rig)
        assert_exact(rig)
    assert stood_at == {None, 0, 200, 250, 300}


PAGING = [
    ApiFault(kind="shift", operation="batch_results", value=7),
    ApiFault(kind="shift", operation="batch_results", value=-7),
    ApiFault(kind="stuck", operation="batch_results"),
    ApiFault(kind="duplicate", operation="batch_results"),
    ApiFault(kind="short", operation="batch_results", value=3),
    ApiFault(kind="set", operation="batch_results", path="pagination.total", value=5),
    ApiFault(kind="set", operation="batch_results", path="pagination.total", value=5000),
    ApiFault(kind="set", operation="batch_results", path="pagination.hasMore", value=False),
    ApiFault(kind="set", operation="batch_results", path="pagination.hasMore", value=True),
    ApiFault(kind="set", operation="batch_results", path="pagination.offset", value=50),
    ApiFault(kind="set", operation="batch_results", path="data", value=[]),
    ApiFault(kind="status", operation="batch_results", value=500, match="offset=100"),
    ApiFault(
        kind="status",
        operation="batch_results",
        value=429,
        headers={"Retry-After": "40"},
        nth=(2, 3, 5),
    ),
    ApiFault(kind="status", operation="batch_results", value=429, nth=(2, 3, 5)),
    ApiFault(kind="truncate", operation="batch_results", probability=0.5),
    ApiFault(kind="reset", operation="batch_results", probability=0.5),
    ApiFault(kind="html", operation="batch_results", probability=0.5),
    ApiFault(kind="hang", operation="batch_results", probability=0.3),
    ApiFault(
        kind="oversize", operation="batch_results", match="offset=100", value=TOO_LARGE, times=3
    ),
    ApiFault(kind="drop", operation="batch_results", path="pagination"),
    ApiFault(kind="redirect", operation="batch_results"),
    ApiFault(kind="shift", operation="runs", value=7),
    ApiFault(kind="stuck", operation="runs"),
    ApiFault(kind="repeat_cursor", operation="runs"),
    ApiFault(kind="duplicate", operation="runs"),
    ApiFault(kind="short", operation="runs", value=3, times=1),
    ApiFault(kind="status", operation="runs", value=503),
    ApiFault(kind="hang", operation="runs"),
    ApiFault(
        kind="status", operation="runs", value=429, headers={"Retry-After": "200"}, nth=(1, 4)
    ),
    ApiFault(kind="truncate", operation="summary"),
    ApiFault(kind="status", operation="summary", value=500),
    ApiFault(kind="status", operation="schedules", value=500),
    ApiFault(
        kind="nulls",
        operation="runs",
        value=["totalRecords", "processedRecords", "failedRecords", "startedAt"],
    ),
    ApiFault(kind="status", value=401),
    ApiFault(kind="status", value=500, probability=0.5),
    ApiFault(kind="html", value=502),
]


@pytest.mark.parametrize(
    "fault", PAGING, ids=lambda fault: f"{fault.kind} {fault.path or fault.value} {fault.operation}"
)
async def test_after_any_fault_of_the_api_all_is_counted_once_and_no_snapshot_is_partial(
    tmp_path, fault
):
    # The summary must show what ended while the fault was on, and no batch may be given up
    # meanwhile.
    world = account_of(
        Api(recent_window=3600), Traffic(retry_share=0.4, failure_share=0.1, latency=12)
    )
    async with Rig(tmp_path, world, sections={"poll": {"interval": "2m"}}, latency=0.2) as rig:
        await rig.sleep(700)
        rig.faults.add(fault)
        for _ in range(10):
            await rig.sleep(73)
            assert_never_too_many(rig)
            for view in rig.gauges.batches.values():
                snapshot = view.snapshot
                assert snapshot is None or snapshot.tally.distinct >= snapshot.total
        assert rig.faults.fired()
        rig.faults.clear()
        await to_rest(rig, 2500)
        assert_exact(rig)
        assert rig.open_batches() == set()


# --- any interleaving ---
APIS = st.builds(
    Api,
    runs_order=st.sampled_from(["newest", "oldest", "shuffled"]),
    results_order=st.sampled_from(["oldest", "newest", "updated"]),
    result_ids=st.sampled_from(["always", "when_final"]),
    offset_cursors=st.booleans(),
    processed_includes_failed=st.booleans(),
    flush=st.sampled_from([1, 25]),
    page_cap=st.sampled_from([9, 40, 100]),
    recent_window=st.just(3600.0),
)
TRAFFIC = st.builds(
    Traffic,
    latency=st.sampled_from([1.0, 12.0]),
    failure_share=st.just(0.2),
    retry_share=st.sampled_from([0.0, 0.5]),
    as_created=st.booleans(),
    cancelled_batches=st.sampled_from([0.0, 0.3]),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(1, 400)),
        st.tuples(st.just("kill"), st.floats(0, 300)),
        st.tuples(st.just("restart"), st.floats(0, 300)),
        st.tuples(st.just("fault"), st.sampled_from(range(len(PAGING)))),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    min_size=3,
    max_size=10,
)


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(api=APIS, traffic=TRAFFIC, steps=STEPS, seed=st.integers(0, 9))
def test_any_interleaving_of_faults_restarts_and_choices_of_the_api_gives_the_truth(
    tmp_path, api, traffic, steps, seed
):
    async def scenario() -> None:
        folder = Path(mkdtemp(dir=tmp_path))
        sections = {"poll": {"interval": "90s"}}
        async with Rig(
            folder, account_of(api, traffic), sections=sections, latency=0.3, seed=seed
        ) as rig:
            # The first cycle fixes the horizon. A process killed before it counts nothing of the
            # time before the next start, and that is right.
            await rig.sleep(1)
            for kind, value in steps:
                match kind:
                    case "wait":
                        await rig.sleep(value)
                    case "fault":
                        rig.faults.add(PAGING[value])
                        await rig.sleep(150)
                    case "clear":
                        rig.faults.clear()
                    case _:
                        await (rig.kill() if kind == "kill" else rig.stop())
                        await rig.sleep(value)
                        rig.start()
                assert_never_too_many(rig)
            rig.faults.clear()
            await to_rest(rig, 5000)
            assert_exact(rig)
            assert rig.open_batches() == set()

    run(scenario())
