"""Batches that the API shows in an odd way: zombies, listed once more, of agents, cut short."""

from math import inf

from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.settings import Api, RecordPlan, ScheduleSpec, WorldSettings

NIGHTLY = ScheduleSpec(key="nightly", name="nightly", flow="enrich")
DONE = [RecordPlan(finished=10.0)] * 3


def world(clock, *schedules, **api):
    settings = WorldSettings(start=clock.at, schedules=schedules or (NIGHTLY,), api=Api(**api))
    return World(settings, 1, clock)


def listed(simulated, now):
    """The ids of the active batches, and of the recent ones."""
    active, recent = simulated.summary(now)
    return [batch.id for batch in active], [batch.id for batch in recent]


def test_a_zombie_stays_active_in_the_summary_after_its_run_has_ended(clock, noon):
    simulated = world(clock)
    run = simulated.add_batch(DONE, schedule="nightly", at=noon)
    simulated.make_zombie(run.batch.id)
    week = noon + 7 * 86_400
    assert run.state(week) == "success"
    assert run.batch.shown_state(week) == "running"
    assert listed(simulated, week) == ([run.batch.id], [])
    assert simulated.quiet(week)


def test_a_batch_may_be_listed_once_more_with_a_new_start(clock, noon):
    simulated = world(clock, recent_window=600.0)
    batch = simulated.add_batch(DONE, schedule="nightly", at=noon).batch
    assert listed(simulated, noon + 3600) == ([], [])
    simulated.relist_batch(batch.id, noon + 7200)
    assert listed(simulated, noon + 7199) == ([], [])
    assert listed(simulated, noon + 7200) == ([], [batch.id])
    assert (batch.shown_start(noon + 7199), batch.shown_start(noon + 7200)) == (noon, noon + 7200)
    assert listed(simulated, noon + 7801) == ([], [])
    assert simulated._changing(noon + 7801) == []


async def test_the_summary_lists_only_so_many_active_batches_and_counts_all(clock, open_api):
    simulated = world(clock, active_limit=2)
    for second in range(5):
        simulated.add_adhoc(DONE, at=clock.at - second)
    async with open_api(simulated) as api:
        summary = await api.get("/v1/batch/summary")
    assert (summary["activeBatches"], len(summary["batches"])) == (5, 2)


async def test_an_agent_s_batch_names_the_agent_and_no_flow(clock, open_api):
    spec = ScheduleSpec(key="agent", name="Agent", flow="research", kind="agent_batch")
    simulated = world(clock, spec)
    batch = simulated.add_batch(DONE, schedule="agent", at=clock.at).batch
    agent = simulated.factory.agent_id("research")
    clock.at += 60
    async with open_api(simulated) as api:
        (schedule,) = (await api.get("/v1/schedules"))["data"]
        (run,) = (await api.get("/v1/schedules/runs/all"))["data"]
        (item,) = (await api.get("/v1/batch/summary"))["recent"]
        rows = (await api.get(f"/v1/schedules/batch/{batch.id}/results"))["data"]
    assert [(shown["flowId"], shown["agentId"]) for shown in (schedule, run)] == [(None, agent)] * 2
    assert (run["batchExecutionId"], run["totalRecords"]) == (batch.id, 3)
    assert item["flowName"] == "research"
    assert {(row["flowId"], row["flowName"]) for row in rows} == {(None, None)}
    assert all(row["agentExecutionId"] for row in rows)
    assert simulated.truth(clock.at) == {("Agent", agent, "success"): 3}


async def test_a_row_shows_its_own_words_and_is_found_by_them(clock, open_api):
    simulated = world(clock)
    plans = [
        RecordPlan(finished=inf, open_word="paused"),
        RecordPlan(outcome="failure", final_word="interrupted"),
        RecordPlan(),
    ]
    batch = simulated.add_batch(plans, schedule="nightly", at=clock.at).batch
    clock.at += 60
    path = f"/v1/schedules/batch/{batch.id}/results"
    async with open_api(simulated) as api:
        words = [row["status"] for row in (await api.get(path))["data"]]
        found = (await api.get(path, status="paused"))["pagination"]["total"]
    assert (words, found) == (["paused", "interrupted", "completed"], 1)


def test_a_cancelled_batch_hides_what_never_began(clock, noon):
    simulated = world(clock)
    plans = [RecordPlan(finished=5.0), RecordPlan(started=50.0, finished=55.0)]
    batch = simulated.add_batch(plans, schedule="nightly", at=noon).batch
    assert simulated.cancel_batch(batch.id, noon + 10, rest="absent")
    rows, total = batch.page(noon + 60, simulated.api, 0, 50, None)
    assert ([row.state for row in rows], total, batch.total) == (["success"], 1, 2)
    assert batch.state(noon + 60) == "cancelled"
