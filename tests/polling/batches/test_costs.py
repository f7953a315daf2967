"""What batches cost is counted once each, whatever fails and whenever the process dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from runtype_exporter.model import Batch, BatchRef, Delta, Labels
from runtype_exporter.polling.batches import costs
from runtype_exporter.polling.failures import Reach
from runtype_exporter.runtype import BatchCost, NotFound
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import (
    AdhocSpec,
    RecordPlan,
    ScheduleSpec,
    Traffic,
    WorldSettings,
)
from tests.support.closer import ClosingRig, failed
from tests.support.rig import START, Rig

COST = "runtype_cost_dollars_total"
QUICK = {"poll": {"settle_time": "5m"}}
SELDOM = {"poll": {"settle_time": "5m", "interval": "5m"}}
DONE = [RecordPlan(finished=1.0)] * 3
CLOSED = Batch(
    ref=BatchRef("acme", "b1"),
    first_seen=0.0,
    labels=Labels("nightly", "f"),
    closed=9.0,
    outcome="success",
)
COUNTED = Delta(
    increments={("runtype_batches_finished_total", ("acme", "nightly", "f", "success")): 1.0}
)


MISSING = NotFound("cost", "no cost", code="404")


class FailingCosts:
    """A client that knows no cost. `before` is called before each answer."""

    def __init__(self) -> None:
        self.before: Callable[[], None] = lambda: None

    async def cost(self, batch_id: str) -> BatchCost:
        self.before()
        raise MISSING


def world_of() -> WorldSettings:
    traffic = Traffic(retry_share=0.3, failure_share=0.1, cancelled_batches=0.1)
    return WorldSettings(
        start=START,
        schedules=(
            ScheduleSpec(
                key="a", name="nightly", cron="*/11 * * * *", records=(1, 40), traffic=traffic
            ),
            ScheduleSpec(key="b", cron="*/17 * * * *", records=40, flow="score", traffic=traffic),
            ScheduleSpec(key="i", name="inlined", kind="inline", cron="*/10 * * * *", records=5),
        ),
        adhoc=(AdhocSpec(key="x", cron="*/13 * * * *", records=(1, 30), traffic=traffic),),
    )


def one() -> WorldSettings:
    return WorldSettings(start=START, schedules=(ScheduleSpec(key="a", name="nightly"),))


def cost_truth(rig: Rig) -> dict[tuple[str, ...], float]:
    return {
        key: pytest.approx(value)
        for key, value in rig.world.truth_cost(rig.clock.now()).items()
        if value
    }


async def to_rest(rig: Rig) -> None:
    rig.world.stop(rig.clock.now())
    while not rig.world.quiet(rig.clock.now()):
        await rig.sleep(60)
    await rig.sleep(900)


def test_a_closed_batch_that_counts_owes_its_cost_and_its_series_begins():
    due, delta = costs.with_cost_due(CLOSED, COUNTED)
    assert due == replace(CLOSED, cost_due=True)
    assert delta.increments == {**COUNTED.increments, (COST, ("acme", "nightly", "f")): 0.0}


@pytest.mark.parametrize(
    ("closed", "delta"),
    [
        (CLOSED, Delta()),
        (replace(CLOSED, labels=None), COUNTED),
        (replace(CLOSED, run="run_1"), COUNTED),
        (replace(CLOSED, outcome="lost"), COUNTED),
    ],
    ids=["nothing of it counted", "no labels", "a run's results", "lost"],
)
def test_other_batches_owe_none(closed, delta):
    assert costs.with_cost_due(closed, delta) == (closed, delta)


def test_a_cost_that_is_not_due_cannot_be_counted():
    due = replace(CLOSED, cost_due=True)
    known, delta = costs.with_cost(due, 1.25)
    assert known == replace(CLOSED, cost=1.25)
    assert delta.increments == {(COST, ("acme", "nightly", "f")): 1.25}
    for batch in (known, replace(due, labels=None)):
        with pytest.raises(ValueError, match="once"):
            costs.with_cost(batch, 1.25)


async def test_every_batchs_cost_is_asked_for_once_after_it_closed(tmp_path):
    async with Rig(tmp_path, world_of(), sections=QUICK) as rig:
        await rig.sleep(2 * 3600)
        await to_rest(rig)
        assert rig.counted(COST) == cost_truth(rig)
        closed = sum(rig.counted("runtype_batches_finished_total").values())
        assert rig.requests()["cost"] == closed > 20
        assert rig.ledger.costs_due("acme") == []
        assert rig.telemetry.collectors["cost"] == (True, "")


async def test_a_batchs_gauge_shows_its_cost_after_a_restart_too(tmp_path):
    async with Rig(tmp_path, one(), sections=QUICK) as rig:
        run = rig.world.add_batch(DONE, schedule="a", at=START + 5)
        await rig.sleep(300)
        (total,) = rig.counted(COST).values()
        assert total > 0
        assert rig.view(run.batch.id).cost == total
        await rig.stop()
        rig.gauges.batches.clear()
        rig.start()
        await rig.sleep(1)
        assert rig.view(run.batch.id).cost == total


async def test_whenever_the_power_fails_no_cost_is_lost_or_repeated(tmp_path):
    async with Rig(tmp_path, world_of(), sections=QUICK, latency=0.4) as rig:
        for turn in range(80):
            await rig.sleep(31 + turn % 7)
            await rig.kill()
            rig.start()
        await to_rest(rig)
        assert rig.counted(COST) == cost_truth(rig)


async def test_a_power_cut_between_any_two_transactions_neither_loses_nor_repeats_a_cost(tmp_path):
    async with Rig(tmp_path, one(), latency=0.1) as rig:
        await rig.sleep(1)
        for commits in range(1, 14):
            rig.world.add_batch(DONE, schedule="a", at=rig.clock.now())
            await rig.kill(commits)
            rig.start()
            await rig.sleep(5)
        await to_rest(rig)
        assert rig.counted(COST) == cost_truth(rig)


REASONS = {404: "not_found", 500: "server", 400: "client"}


@pytest.mark.parametrize("code", [404, 500, 400])
async def test_a_cost_that_cannot_be_had_yet_is_asked_for_ever_less_often_until_it_is(
    tmp_path, code
):
    async with Rig(tmp_path, one(), sections=QUICK) as rig:
        run = rig.world.add_batch(DONE, schedule="a", at=START + 5)
        rig.faults.add(ApiFault(kind="status", operation="cost", value=code))
        await rig.sleep(6 * 3600)
        assert rig.counted(COST) == {}
        assert rig.series(COST) == {("nightly", "enrich"): 0.0}
        asked = rig.requests()["cost"] / (2 if code == 500 else 1)
        assert 8 <= asked <= 13
        assert rig.telemetry.cycles[-1] == ""
        assert rig.telemetry.collectors["cost"] == (True, REASONS[code])
        rig.faults.clear()
        await rig.sleep(3700)
        assert rig.counted(COST) == cost_truth(rig)
        assert rig.view(run.batch.id).cost is not None
        assert rig.telemetry.collectors["cost"] == (True, "")


async def test_a_cost_that_cannot_be_had_for_a_day_is_given_up(tmp_path, logs):
    async with Rig(tmp_path, one(), sections=SELDOM) as rig:
        run = rig.world.add_batch(DONE, schedule="a", at=START + 5)
        rig.faults.add(ApiFault(kind="status", operation="cost", value=404))
        await rig.sleep(26 * 3600)
        given_up = [entry for entry in logs if entry["event"] == "cost given up"]
        assert [entry["batch"] for entry in given_up] == [run.batch.id]
        assert rig.ledger.costs_due("acme") == []
        rig.faults.clear()
        assert (await rig.requests_during(7200))["cost"] == 0


@pytest.mark.parametrize("value", [-0.01, 1e7, "dear", None, True])
async def test_a_cost_that_is_none_is_a_decode_error(tmp_path, value):
    async with Rig(tmp_path, one(), sections=QUICK) as rig:
        rig.world.add_batch(DONE, schedule="a", at=START + 5)
        rig.faults.add(ApiFault(kind="set", operation="cost", path="totalCostUsd", value=value))
        await rig.sleep(600)
        assert rig.counted(COST) == {}
        assert rig.telemetry.collectors["cost"] == (True, "decode")
        assert rig.telemetry.cycles[-1] == ""


async def test_one_batch_whose_cost_fails_does_not_hold_up_the_others(tmp_path):
    async with Rig(tmp_path, one(), sections=QUICK) as rig:
        bad = rig.world.add_batch(DONE, schedule="a", at=START + 5)
        rig.faults.add(ApiFault(kind="status", operation="cost", value=404, match=bad.batch.id))
        await rig.sleep(90)
        rig.world.add_batch(DONE, schedule="a", at=rig.clock.now())
        await rig.sleep(300)
        assert sum(rig.counted(COST).values()) > 0
        assert [batch.ref.id for batch in rig.ledger.costs_due("acme")] == [bad.batch.id]


async def test_where_costs_are_forbidden_none_is_due_and_an_hour_later_they_are_tried_again(
    tmp_path,
):
    async with Rig(tmp_path, one(), sections={"poll": {"settle_time": "5m"}}) as rig:
        rig.faults.add(ApiFault(kind="status", operation="cost", value=403))
        first = [rig.world.add_batch(DONE, schedule="a", at=START + 5).batch.id for _ in range(3)]
        await rig.sleep(300)
        assert rig.telemetry.collectors["cost"] == (False, "forbidden")
        rig.world.add_batch(DONE, schedule="a", at=rig.clock.now())
        assert (await rig.requests_during(300))["cost"] == 0
        assert {batch.ref.id for batch in rig.ledger.costs_due("acme")} == {*first}
        rig.faults.clear()
        await rig.sleep(3600)
        assert rig.ledger.costs_due("acme") == []
        assert all(rig.view(batch_id).cost is not None for batch_id in first)
        assert rig.telemetry.collectors["cost"] == (True, "")


async def test_a_cost_that_the_key_may_not_read_does_not_hold_up_the_others(tmp_path):
    async with Rig(tmp_path, one(), sections=QUICK) as rig:
        refused, other = (
            rig.world.add_batch(DONE, schedule="a", at=START + 5).batch.id for _ in range(2)
        )
        rig.faults.add(ApiFault(kind="status", operation="cost", value=403, match=refused))
        await rig.sleep(600)
        assert rig.view(other).cost is not None
        assert [batch.ref.id for batch in rig.ledger.costs_due("acme")] == [refused]


async def test_where_costs_are_switched_off_none_is_due(tmp_path):
    async with Rig(tmp_path, one(), account={"collectors": {"cost": False}}, sections=QUICK) as rig:
        run = rig.world.add_batch(DONE, schedule="a", at=START + 5)
        await rig.sleep(1200)
        assert rig.batch(run.batch.id).closed is not None
        assert rig.requests()["cost"] == 0
        assert rig.series(COST) == {}
        assert rig.ledger.costs_due("acme") == []


async def test_a_late_change_that_is_seen_while_a_cost_is_being_read_is_counted_once(tmp_path):
    async with Rig(tmp_path, one(), sections={"poll": {"interval": "10s"}}, latency=8.0) as rig:
        await rig.sleep(200)
        run = rig.world.add_batch(DONE, schedule="a", at=rig.clock.now())
        for _ in range(400):
            if rig.requests()["cost"]:
                break
            await rig.sleep(1)
        assert rig.requests()["cost"] == 1
        assert rig.batch(run.batch.id).cost_due
        rig.faults.add(ApiFault(kind="set", operation="runs", path="data.*.failedRecords", value=2))
        await rig.sleep(600)
        assert rig.counted("runtype_batch_late_changes_total") == {("nightly", "enrich"): 1.0}
        assert rig.batch(run.batch.id).cost is not None


@pytest.mark.parametrize("code", [200, 404])
async def test_a_cost_that_is_no_longer_due_when_its_answer_comes_changes_nothing(tmp_path, code):
    async with Rig(tmp_path, one(), sections={"poll": {"interval": "10s"}}, latency=8.0) as rig:
        await rig.sleep(200)
        run = rig.world.add_batch(DONE, schedule="a", at=rig.clock.now())
        if code != 200:
            rig.faults.add(ApiFault(kind="status", operation="cost", value=code))
        for _ in range(400):
            if rig.requests()["cost"]:
                break
            await rig.sleep(1)
        rig.ledger.save(given_up := replace(rig.batch(run.batch.id), cost_due=False))
        await rig.sleep(600)
        assert rig.batch(run.batch.id) == given_up
        assert rig.counted(COST) == {}
        assert rig.requests()["cost"] == 1


async def test_the_cost_of_a_batch_that_was_forgotten_meanwhile_is_not_shown(tmp_path):
    async with Rig(tmp_path, one()) as rig:
        run = rig.world.add_batch(DONE, schedule="a", at=START)
        await rig.sleep(120)
        shown: list[Batch] = []
        reads = costs.CostReads(rig.poller.context, shown.extend)
        await reads._read(run.batch.id)
        assert [batch.ref.id for batch in shown] == [run.batch.id]
        rig.ledger.update = lambda *_: None
        await reads._read(run.batch.id)
        assert len(shown) == 1


async def test_what_is_due_is_read_before_a_single_run_ends(tmp_path):
    rig = Rig(tmp_path, one())
    rig.world.add_batch(DONE, schedule="a", at=START + 1)
    await rig.sleep(60)
    account = rig.build()
    assert await account.catch_up()
    await rig.sleep(120)
    rig.world.add_batch(DONE, schedule="a", at=rig.clock.now())
    await rig.sleep(120)
    assert await account.catch_up()
    assert sum(rig.counted(COST).values()) > 0
    await rig.stop()


async def test_a_cost_is_asked_for_when_its_batch_closes_not_after_the_next_cycle(tmp_path):
    async with Rig(tmp_path, one(), sections={"poll": {"interval": "1h"}}) as rig:
        batch = rig.world.add_batch(DONE, schedule="a", at=START + 1800).batch
        await rig.sleep(3660)
        assert rig.batch(batch.id).closed is not None
        assert rig.requests()["cost"] == 1
        assert rig.batch(batch.id).cost is not None


async def test_a_cost_whose_batch_is_forgotten_while_it_is_read_is_not_given_up(logs):
    due = replace(CLOSED, cost_due=True)
    rig = ClosingRig((due,), client=(client := FailingCosts()))
    reads = costs.CostReads(rig.context, show=lambda _: None)
    client.before = lambda: rig.ledger.drop("b1")
    await reads.read_due()
    assert logs == []


async def test_a_cost_is_given_up_only_while_api_time_is_certain():
    due = replace(CLOSED, cost_due=True)
    rig = ClosingRig((due,), client=FailingCosts())
    reads = costs.CostReads(rig.context, show=lambda _: None)
    rig.time.certain = False
    await reads.read_due()
    assert rig.batch().cost_due
    rig.collectors.waiting.add(("cost", "b1"))
    rig.time.certain = True
    await reads.read_due()
    assert rig.batch().cost_due
    rig.collectors.waiting.clear()
    await reads.read_due()
    assert rig.batch() == CLOSED
    assert rig.collectors.forgotten == [("cost", "b1")]


async def test_a_failure_of_the_account_ends_the_reads(monkeypatch):
    other = replace(CLOSED, ref=BatchRef("acme", "b2"), cost_due=True)
    rig = ClosingRig((replace(CLOSED, cost_due=True), other), client=FailingCosts())
    asked: list[str] = []

    async def read(_: object, collector: str, item: str, call: object) -> None:
        asked.append(item)
        raise failed(MISSING, item, collector=collector, reach=Reach.ACCOUNT)

    monkeypatch.setattr(type(rig.collectors), "read", read)
    await costs.CostReads(rig.context, show=lambda _: None).read_due()
    assert asked == ["b1"]
    rig.collectors.off.add("cost")
    await costs.CostReads(rig.context, show=lambda _: None).read_due()
    assert asked == ["b1"]
