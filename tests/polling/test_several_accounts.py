"""Several accounts with one ledger: own budgets, own failures, and nothing is counted twice."""

from __future__ import annotations

import pytest

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec, Traffic, WorldSettings
from tests.support.rig import START, Rig

DONE = [RecordPlan(finished=1.0)] * 3
RUNS = "runtype_schedule_runs_finished_total"
QUICK = {"poll": {"settle_time": "5m"}}


def world_of(name: str, records: int = 60) -> WorldSettings:
    spec = ScheduleSpec(
        key=name,
        name=name,
        cron="*/7 * * * *",
        records=records,
        traffic=Traffic(retry_share=0.2, failure_share=0.1),
    )
    return WorldSettings(start=START, schedules=(spec,))


def live(folder, **more) -> Rig:
    return Rig(folder, world_of("live"), **{"sections": QUICK, "latency": 0.2, **more})


def sandbox(folder, other: Rig, **more) -> Rig:
    account = {"name": "test", **more.pop("account", {})}
    return Rig(
        folder,
        world_of("test"),
        account=account,
        sections=QUICK,
        latency=0.2,
        seed=2,
        ledger_of=other,
        **more,
    )


def truths(*rigs: Rig) -> dict[tuple[str, ...], float]:
    return {key: value for rig in rigs for key, value in rig.truth().items()}


async def to_rest(*rigs: Rig) -> None:
    for rig in rigs:
        rig.world.stop(rig.clock.now())
    await rigs[0].sleep(1200)


async def test_two_accounts_count_what_is_theirs_and_show_what_is_theirs(tmp_path):
    async with live(tmp_path) as first, sandbox(tmp_path, first) as second:
        await first.sleep(3600)
        await to_rest(first, second)
        assert first.counted() == truths(first, second)
        assert {
            labels.schedule for labels in (view.labels for view in first.gauges.batches.values())
        } == {"live"}
        assert {
            labels.schedule for labels in (view.labels for view in second.gauges.batches.values())
        } == {"test"}
        assert {account for _, (account, *_) in second.gauges.families["schedules"]} == {"test"}
        costs = first.counted("runtype_cost_dollars_total")
        assert set(costs) == {("live", "enrich"), ("test", "enrich")}


async def test_each_account_keeps_within_its_own_budget_and_none_spends_anothers(tmp_path):
    async with (
        live(tmp_path) as first,
        sandbox(tmp_path, first, account={"requests_per_hour": 12}) as second,
    ):
        await first.sleep(6 * 3600)
        assert second.app.state.requests.busiest_hour <= 12
        assert second.telemetry.waiting[-1] > 0
        assert first.app.state.requests.busiest_hour > 150
        await to_rest(first, second)
        assert first.telemetry.waiting[-1] == 0
        assert {
            key: value for key, value in first.counted().items() if key[0] == "live"
        } == first.truth()


FAILURES = {
    "a key that is refused": ApiFault(kind="status", value=401),
    "no answer": ApiFault(kind="hang"),
    "500": ApiFault(kind="status", value=500),
    "503 with a pause": ApiFault(kind="status", value=503, headers={"Retry-After": "3000"}),
    "403": ApiFault(kind="status", value=403),
    "no JSON": ApiFault(kind="html"),
    "broken connections": ApiFault(kind="reset"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_an_account_that_fails_does_not_touch_the_other(tmp_path, failure):
    async with live(tmp_path) as first, sandbox(tmp_path, first) as second:
        await first.sleep(1800)
        second.faults.add(FAILURES[failure])
        before = first.requests()
        await first.sleep(3600)
        assert set(first.telemetry.cycles) == {""}
        assert set(first.telemetry.ups) == {True}
        assert set(first.telemetry.throttles) == {0.0}
        assert (first.requests() - before)["summary"] >= 58
        assert all(up for up, _ in first.telemetry.collectors.values())
        assert second.faults.fired()
        second.faults.clear()
        await first.sleep(3700)
        await to_rest(first, second)
        assert first.counted() == truths(first, second)


async def test_a_fault_of_ours_in_one_account_does_not_touch_the_other(tmp_path, monkeypatch):
    async with live(tmp_path) as first, sandbox(tmp_path, first) as second:
        second.expect_internal()

        def broken(_: object) -> None:
            raise KeyError("ours")

        monkeypatch.setattr(second.gauges, "set_batch", broken)
        await first.sleep(3600)
        assert set(first.telemetry.cycles) == {""}
        assert "internal" in second.telemetry.cycles
        await to_rest(first)
        assert {
            key: value for key, value in first.counted().items() if key[0] == "live"
        } == first.truth()


async def test_a_batch_that_two_accounts_see_is_counted_and_paid_by_the_first_alone(tmp_path, logs):
    settings = world_of("live")
    async with Rig(tmp_path, settings, sections=QUICK, latency=0.2) as first:
        await first.sleep(5)
        async with Rig(
            tmp_path, account={"name": "twin"}, sections=QUICK, latency=0.2, ledger_of=first
        ) as second:
            await first.sleep(3600)
            await to_rest(first)
            assert first.counted() == first.truth()
            assert first.counted("runtype_schedule_runs_finished_total") == first.run_truth()
            cost = first.world.truth_cost(first.clock.now())
            assert first.counted("runtype_cost_dollars_total") == {
                key: pytest.approx(value) for key, value in cost.items()
            }
            assert first.open_batches() == second.open_batches() == set()
            assert "batch is counted by another account already" in {
                entry["event"] for entry in logs
            }


@pytest.mark.parametrize(
    ("offset", "latency"), [(0.1, 0.2), (0.3, 3.0), (1.0, 3.0), (2.0, 3.0), (59.0, 3.0)]
)
async def test_a_batch_of_one_account_gets_its_schedule_label_though_another_counts_the_run(
    tmp_path, offset, latency
):
    async with Rig(tmp_path, world_of("live"), sections=QUICK, latency=latency) as first:
        await first.sleep(offset)
        async with Rig(
            tmp_path, account={"name": "twin"}, sections=QUICK, latency=latency, ledger_of=first
        ):
            await first.sleep(5400)
            await to_rest(first)
            assert first.counted() == first.truth()
            assert first.counted("runtype_schedule_runs_finished_total") == first.run_truth()


async def test_a_run_without_a_batch_that_two_accounts_see_is_counted_by_one(tmp_path):
    spec = ScheduleSpec(key="i", name="inlined", kind="inline", cron="*/7 * * * *", records=30)
    settings = WorldSettings(start=START, schedules=(spec,))
    async with (
        Rig(tmp_path, settings, sections=QUICK, latency=0.2) as first,
        Rig(
            tmp_path, account={"name": "twin"}, sections=QUICK, latency=0.2, ledger_of=first
        ) as second,
    ):
        await first.sleep(3600)
        await to_rest(first)
        assert first.counted() == first.truth()
        assert first.open_batches() == second.open_batches() == set()


async def test_after_a_restart_each_account_goes_on_where_it_was(tmp_path):
    first = live(tmp_path)
    second = sandbox(tmp_path, first)
    for _ in range(12):
        first.start()
        second.start()
        await first.sleep(271)
        await second.stop()
        await first.stop()
    first.start()
    second.start()
    await to_rest(first, second)
    assert first.counted() == truths(first, second)
    await second.stop()
    await first.stop()


SHORT = {"state": {"retention": "5m"}, "poll": {"discovery_interval": "1h"}}


async def test_counters_of_a_schedule_that_is_gone_end_in_its_own_account_alone(tmp_path):
    settings = WorldSettings(start=START, schedules=(ScheduleSpec(key="a", name="nightly"),))
    first = Rig(tmp_path, settings, sections=SHORT)
    second = Rig(
        tmp_path, settings, account={"name": "second"}, sections=SHORT, seed=2, ledger_of=first
    )
    async with first, second:
        for rig in (first, second):
            rig.world.add_batch(DONE, schedule="a", at=START + 2)
        await first.sleep(3 * 3600)
        assert first.counted(RUNS) == {("nightly", "success"): 2.0}
        second.world.delete(second.world.schedule_id("a"), first.clock.now())
        # Its absence counts from the third list on.
        await first.sleep(2 * 3600)
        assert first.counted(RUNS) == {("nightly", "success"): 2.0}
        await first.sleep(2 * 3600)
        assert first.counted(RUNS) == {("nightly", "success"): 1.0}
        assert ("acme", "nightly", "success") in first._samples[RUNS]


async def test_a_schedule_not_listed_yet_keeps_its_counters_however_short_the_retention(
    tmp_path,
):
    settings = WorldSettings(start=START, schedules=(ScheduleSpec(key="a", name="nightly"),))
    async with Rig(tmp_path, settings, sections=SHORT) as rig:
        for key, at in (("b", 600.0), ("c", 1200.0)):
            await rig.sleep(START + at - rig.clock.now())
            rig.world.add_schedule(ScheduleSpec(key=key, name=key))
            rig.world.add_batch(DONE, schedule=key, at=START + at)
            if key == "c":
                rig.faults.add(ApiFault(kind="truncate", operation="schedules"))
            await rig.sleep(200)
        label = rig.world.schedule_id("c")
        assert rig.counted(RUNS) == {("b", "success"): 1.0, (label, "success"): 1.0}
        await rig.sleep(2500)
        assert rig.counted(RUNS) == {("b", "success"): 1.0, (label, "success"): 1.0}


async def test_counters_of_a_deleted_schedule_end_though_a_read_outlasts_the_discovery_interval(
    tmp_path,
):
    settings = WorldSettings(start=START, schedules=(ScheduleSpec(key="a", name="nightly"),))
    sections = {"state": {"retention": "1h"}, "poll": {"discovery_interval": "2m"}}
    async with Rig(
        tmp_path, settings, sections=sections, latency=35.0, account={"timeout": "90s"}
    ) as rig:
        rig.world.add_batch(DONE, schedule="a", at=START + 2)
        await rig.sleep(1800)
        assert rig.counted(RUNS) == {("nightly", "success"): 1.0}
        rig.world.delete(rig.world.schedule_id("a"), rig.clock.now())
        await rig.sleep(3 * 3600)
        assert rig.counted(RUNS) == {}
