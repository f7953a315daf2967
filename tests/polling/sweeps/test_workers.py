"""The workers: the order of the batches, and what each kind of failure means for them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from runtype_exporter.ledger import LedgerError
from runtype_exporter.model import Batch, BatchRef, Probe, SweepSnapshot, SweepTally
from runtype_exporter.polling.batches.lifecycle import closed
from runtype_exporter.polling.failures import Reach, ReadFailed
from runtype_exporter.polling.sweeps.queue import SweepClass
from runtype_exporter.polling.sweeps.workers import Workers
from runtype_exporter.runtype import Forbidden, NotFound, ServerError, Throttled, Unauthorised
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec, WorldSettings
from tests.support.rig import START, Rig

DONE = [RecordPlan(finished=1.0)] * 3
WORLD = WorldSettings(start=START, schedules=(ScheduleSpec(key="a", name="nightly"),))
PROBES = {"run": Probe("running", 3, 0, 0)}


@pytest.fixture
async def rig(tmp_path):
    """A rig whose parts are built and do not run."""
    rig = Rig(tmp_path, WORLD)
    rig.build()
    yield rig
    await rig.stop()


def workers_of(rig: Rig) -> Workers:
    return rig.poller._parts.workers


def batch(batch_id: str, **fields) -> Batch:
    return Batch(ref=BatchRef("acme", batch_id), first_seen=START, probes=PROBES, **fields)


def snapshot(at: float) -> SweepSnapshot:
    return SweepSnapshot(at=at, total=0, tally=SweepTally())


class Sweeps:
    """A sweeper that ends each sweep as the test says."""

    def __init__(self, *ends: Exception | None) -> None:
        self.ends = list(ends)
        self.swept: list[tuple[float, str]] = []

    async def sweep(self, batch_id, priority, *, full, status):
        self.swept.append((asyncio.get_running_loop().time(), batch_id))
        end = self.ends.pop(0) if self.ends else None
        if end is not None:
            raise end

    @property
    def times(self) -> list[float]:
        return [round(at - self.swept[0][0], 3) for at, _ in self.swept]


@asynccontextmanager
async def working(rig: Rig, sweeps: Sweeps, *, retry: bool = True):
    """Let one worker work with another sweeper."""
    workers = workers_of(rig)
    workers.sweeper, workers.retry = sweeps, retry
    task = asyncio.create_task(workers.work())
    yield workers
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def failed(error: Exception, reach: Reach, batch_id: str = "b1") -> ReadFailed:
    return ReadFailed(error, reach, ("results", batch_id))


SERVER = ServerError("results", "500", code="500")


# --- which batches ---


async def test_what_was_swept_longest_ago_is_queued_first(rig):
    rig.ledger.save(
        batch("fresh", snapshot=snapshot(9.0)), batch("new"), batch("old", snapshot=snapshot(5.0))
    )
    workers = workers_of(rig)
    assert workers.enqueue() == ["new", "old", "fresh"]
    assert workers.enqueue() == []
    assert rig.telemetry.waiting == [3, 3]


async def test_a_batch_that_failed_comes_after_the_others(rig):
    rig.ledger.save(batch("running"), batch("ended", ended=START), batch("sick", ended=START))
    rig.ledger.save(closed(batch("closed"), None, START))
    collectors = rig.poller.context.collectors
    collectors.fail("results", "sick", SERVER)
    workers = workers_of(rig)
    classes = {
        batch_id: workers._class_of(batch_id)
        for batch_id in ("running", "ended", "sick", "closed", "unknown")
    }
    assert classes == {
        "running": SweepClass.RUNNING,
        "ended": SweepClass.CLOSING,
        "sick": SweepClass.FAILING,
        "closed": SweepClass.CLOSING,
        "unknown": SweepClass.CLOSING,
    }
    assert workers.enqueue() == ["running", "ended"]


async def test_the_queue_works_while_the_ledger_cannot_be_read(tmp_path):
    rig = Rig(tmp_path, WORLD)
    rig.build()
    await rig.stop()
    assert workers_of(rig)._class_of("closed meanwhile") is SweepClass.CLOSING


async def test_a_batch_that_is_not_in_the_ledger_any_more_is_not_swept(rig):
    rig.ledger.save(closed(batch("closed"), None, START))
    sweeps = Sweeps()
    async with working(rig, sweeps) as workers:
        for batch_id in ("closed", "unknown"):
            workers.queue.add(batch_id, START)
        await workers.queue.drained()
    assert (sweeps.swept, rig.telemetry.sweeps) == ([], [])


async def test_a_batch_that_was_closed_while_it_was_swept_counts_as_no_sweep(rig):
    rig.ledger.save(batch("b1"))
    sweeps = Sweeps()
    async with working(rig, sweeps) as workers:
        workers.enqueue()
        await workers.queue.drained()
    assert (len(sweeps.swept), rig.telemetry.sweeps) == (1, [])


async def test_a_filter_of_a_batch_that_is_also_discovered_is_ignored_with_one_warning(
    tmp_path, logs
):
    rig = Rig(tmp_path, WORLD, account={"batches": [{"id": "b1", "status": "failed"}]})
    rig.build()
    rig.ledger.save(batch("b1"), batch("b2"))
    workers = workers_of(rig)
    assert [workers._filter(rig.batch(id_)) for id_ in ("b1", "b1", "b2")] == [None] * 3
    configured = replace(batch("b1"), probes={"status": Probe("running", 3, 0, 0)})
    assert workers._filter(configured) == "failed"
    assert [entry["event"] for entry in logs].count(
        "status filter ignored: the batch is also discovered"
    ) == 1
    await rig.stop()


# --- failures ---


@pytest.mark.parametrize(
    "error",
    [
        Throttled("results", "wait", code="429"),
        Unauthorised("results", "no key", code="key"),
        SERVER,
    ],
)
async def test_a_failure_of_the_account_is_tried_again_and_not_held_against_the_batch(rig, error):
    rig.ledger.save(batch("b1"))
    sweeps = Sweeps(*[failed(error, Reach.ACCOUNT)] * 3)
    async with working(rig, sweeps) as workers:
        workers.enqueue()
        await workers.queue.drained()
    # A pause in between, though no request was sent that the budget could have held up.
    assert sweeps.times == [0.0, 1.0, 2.0, 3.0]
    assert rig.telemetry.sweeps == [error.reason] * 3
    assert workers.last_error == str(error)
    assert rig.batch("b1") == batch("b1")


async def test_while_the_account_does_not_answer_one_batch_a_minute_is_tried(rig):
    rig.ledger.save(batch("b1"), batch("b2"))
    collectors = rig.poller.context.collectors
    for collector in ("summary", "runs", "results"):
        failure = collectors.fail(collector, "", SERVER)
    assert failure.reach is Reach.ACCOUNT
    sweeps = Sweeps(*[failed(SERVER, Reach.ACCOUNT)] * 2)
    async with working(rig, sweeps) as workers:
        workers.enqueue()
        await workers.queue.drained()
    assert [batch_id for _, batch_id in sweeps.swept] == ["b1", "b2", "b1", "b2"]
    assert sweeps.times == [0.0, 60.0, 120.0, 180.0]


async def test_a_failure_of_one_batch_counts_against_it(rig):
    rig.ledger.save(batch("b1"))
    sweeps = Sweeps(failed(NotFound("results", "gone", code="404"), Reach.ITEM))
    async with working(rig, sweeps) as workers:
        workers.enqueue()
        await workers.queue.drained()
    assert len(sweeps.swept) == 1
    assert rig.batch("b1").missing_since is not None
    assert workers.last_error == "results: gone"


async def test_a_failure_of_a_batch_that_was_closed_meanwhile_changes_nothing(rig):
    rig.ledger.save(batch("b1"))
    uncounted = closed(batch("b2"), None, START)
    rig.ledger.save(uncounted)
    async with working(rig, Sweeps(failed(SERVER, Reach.ITEM, "b2"))) as workers:
        workers.enqueue()
        await workers.queue.drained()
    assert rig.batch("b2") == uncounted


def forbid(rig: Rig) -> None:
    """Forbid the results for a minute, without a trial in between."""
    state = rig.poller.context.collectors._state("results")
    state.forbidden_until = state.next_trial = rig.clock.monotonic() + 60.0


async def test_a_forbidden_collector_stops_the_sweeps_until_a_later_cycle_may_read_it(rig):
    rig.ledger.save(batch("b1"), batch("b2"))
    forbidden = failed(Forbidden("results", "no scope", code="403"), Reach.COLLECTOR)
    sweeps = Sweeps(forbidden)
    async with working(rig, sweeps) as workers:
        workers.enqueue()
        forbid(rig)
        await workers.queue.drained()
        assert sweeps.swept == []
        assert workers.enqueue() == []
        assert workers.last_error == ""
        await rig.sleep(60)
        assert workers.enqueue() == ["b1", "b2"]
        await workers.queue.drained()
    assert [batch_id for _, batch_id in sweeps.swept] == ["b1", "b2"]
    assert rig.batch("b1") == batch("b1")


async def test_a_worker_pauses_ever_longer_while_the_ledger_fails(rig, logs):
    rig.ledger.save(batch("b1"))
    sweeps = Sweeps(*[LedgerError("disk full")] * 6)
    async with working(rig, sweeps) as workers:
        workers.enqueue()
        await workers.queue.drained()
    assert sweeps.times == [0.0, 5.0, 15.0, 35.0, 75.0, 135.0, 195.0]
    assert rig.telemetry.sweeps == ["ledger"] * 6
    assert workers.last_error == "disk full"


@pytest.mark.parametrize("handling", [False, True])
async def test_a_bug_in_one_batch_lets_it_back_off(rig, monkeypatch, handling):
    rig.expect_internal()
    rig.ledger.save(batch("b1"))
    bug = KeyError("CUSTOMER-SECRET")
    if handling:
        monkeypatch.setattr(type(workers_of(rig).closer), "record_failure", None)
    end = failed(SERVER, Reach.ITEM) if handling else bug
    async with working(rig, Sweeps(end, end)) as workers:
        tried = []
        for minute in range(6):
            if workers.enqueue():
                tried.append(minute)
            await workers.queue.drained()
            assert workers._class_of("b1") is SweepClass.FAILING
            await rig.sleep(60)
            if len(workers.sweeper.swept) == 2:
                break
    assert tried == [0, 1]
    assert rig.telemetry.sweeps.count("internal") == 2
    assert workers.last_error == ("TypeError" if handling else "KeyError")
    assert workers._broken["b1"][0] == 2


# --- when nothing is tried twice ---


@pytest.mark.parametrize(
    "end",
    [
        failed(Throttled("results", "wait", code="429"), Reach.ACCOUNT),
        failed(SERVER, Reach.ACCOUNT),
        LedgerError("disk full"),
    ],
)
async def test_without_retry_a_failure_of_all_batches_ends_the_sweeps(rig, end):
    rig.ledger.save(*(batch(f"b{number}") for number in range(5)))
    sweeps = Sweeps(end)
    began = asyncio.get_running_loop().time()
    async with working(rig, sweeps, retry=False) as workers:
        workers.enqueue()
        await workers.queue.drained()
    assert (len(sweeps.swept), asyncio.get_running_loop().time()) == (1, began)
    assert workers.last_error


async def test_without_retry_a_failure_of_one_batch_leaves_the_others(rig):
    rig.ledger.save(*(batch(f"b{number}") for number in range(5)))
    sweeps = Sweeps(failed(SERVER, Reach.ITEM, "b0"))
    async with working(rig, sweeps, retry=False) as workers:
        workers.enqueue()
        await workers.queue.drained()
    assert len(sweeps.swept) == 5
    assert workers.last_error == "results: 500"


async def test_without_retry_results_that_are_forbidden_are_an_error(rig):
    rig.ledger.save(batch("b1"))
    workers = workers_of(rig)
    workers.retry = False
    forbid(rig)
    assert workers.enqueue() == []
    assert workers.last_error == "results: the key may not read this"


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "2"}])
async def test_catching_up_fails_where_the_results_are_throttled(tmp_path, headers):
    settings = replace(WORLD, start=START - 7200)
    rig = Rig(tmp_path, settings, sections={"poll": {"lookback": "1d"}})
    for second in range(10):
        rig.world.add_batch(DONE, schedule="a", at=START - 3600 + second)
    rig.faults.add(ApiFault(kind="status", operation="batch_results", value=429, headers=headers))
    assert not await asyncio.wait_for(rig.build().catch_up(), 600)
    assert rig.requests()["batch_results"] <= rig.config.poll.max_concurrency
    assert rig.counted() == {}
    await rig.stop()


# --- with the simulator ---


async def test_a_batch_whose_cost_is_due_wakes_the_costs(rig):
    run = rig.world.add_batch(DONE, schedule="a", at=START - 60)
    probes = {"run": Probe("completed", 3, 3, 0)}
    ended = replace(batch(run.batch.id), probes=probes, ended=START, completed=START)
    rig.ledger.save(ended)
    workers = workers_of(rig)
    woken = []
    workers.wake_costs = lambda: woken.append(True)
    async with working(rig, workers.sweeper):
        workers.enqueue()
        await workers.queue.drained()
    assert (rig.batch(run.batch.id).outcome, woken) == ("success", [True])
    assert rig.telemetry.sweeps == [""]
    assert rig.view(run.batch.id).snapshot.tally.distinct == 3


async def test_batches_that_hang_do_not_keep_the_others_from_being_counted(tmp_path):
    async with Rig(tmp_path, WORLD, account={"timeout": "30s"}) as rig:
        await rig.sleep(1)
        sick = [rig.world.add_batch(DONE, schedule="a", at=START + 2).batch.id for _ in range(6)]
        for batch_id in sick:
            rig.faults.add(ApiFault(kind="hang", operation="batch_results", match=batch_id))
        await rig.sleep(600)
        before = sum(rig.counted().values())
        rig.world.add_batch(DONE, schedule="a", at=rig.api_clock.now())
        await rig.sleep(120)
        assert sum(rig.counted().values()) == before + 3
