"""Changes of the account, over HTTP and by the methods of `World` that a test calls."""

import pytest

from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import (
    RecordAttempt,
    RecordPlan,
    ScheduleSpec,
    Subscription,
    Traffic,
    WorldSettings,
)

MINUTE = 60.0
PROMPT = Traffic(delay=0.0, queue=10.0)
FIVE = ScheduleSpec(
    key="five", name="Five", flow="score", cron="*/5 * * * *", records=4, traffic=PROMPT
)


def recurring(cron="*/10 * * * *", **more):
    return {"type": "recurring", "cron": cron, **more}


def dues(world, id_, now):
    return [(run.due - world.start) / MINUTE for run in world.runs(now, id_)]


# --- schedules ---
async def test_a_paused_schedule_fires_again_only_after_it_is_resumed(open_api, clock, noon):
    world = small_world(clock, FIVE)
    id_ = world.schedule_id("five")
    async with open_api(world) as api:
        clock.at = noon + 301
        assert await api.post(f"/v1/schedules/{id_}/pause") == {"status": "paused"}
        paused = await api.get(f"/v1/schedules/{id_}")
        assert (paused["enabled"], paused["nextRunAt"]) == (False, None)
        assert (paused["lastRunAt"], paused["updatedAt"]) == (
            "2026-07-01T12:05:00.000Z",
            "2026-07-01T12:05:01.000Z",
        )
        assert [s["id"] for s in (await api.get("/v1/schedules", status="paused"))["data"]] == [id_]
        clock.at = noon + 1201
        assert await api.post(f"/v1/schedules/{id_}/resume") == {"status": "resumed"}
        resumed = await api.get(f"/v1/schedules/{id_}")
        assert (resumed["enabled"], resumed["nextRunAt"]) == (True, "2026-07-01T12:25:00.000Z")
        clock.at = noon + 1900
        assert dues(world, id_, clock.at) == [5, 25, 30]
        assert world.truth_runs(clock.at) == {("Five", "success"): 3}


async def test_a_changed_trigger_moves_the_due_times_and_nothing_else(open_api, clock, noon):
    world = small_world(clock, FIVE)
    id_ = world.schedule_id("five")
    async with open_api(world) as api:
        clock.at = noon + 700
        before = await api.get(f"/v1/schedules/{id_}")
        trigger = recurring("30 * * * *", timezone="Asia/Kolkata")
        answer = await api.client.put(f"/v1/schedules/{id_}", json={"trigger": trigger})
        assert answer.json() == {"id": id_, "status": "updated"}
        after = await api.get(f"/v1/schedules/{id_}")
        assert {key for key in after if after[key] != before[key]} == {
            "cron",
            "timezone",
            "nextRunAt",
            "updatedAt",
        }
        assert after["nextRunAt"] == "2026-07-01T13:00:00.000Z"
        assert dues(world, id_, noon + 2 * 3600.0) == [5, 10, 60, 120]


async def test_a_schedule_can_be_renamed_disabled_retargeted_and_made_to_run_once(
    open_api, clock, noon
):
    world = small_world(clock, FIVE, ScheduleSpec(key="agent", flow="research", kind="agent"))
    id_, agent = world.schedule_id("five"), world.factory.agent_id("research")
    async with open_api(world) as api:
        body = {
            "name": None,
            "enabled": False,
            "target": {"agentId": agent},
            "trigger": {"type": "one_time", "runAt": "2026-07-01T15:00:00+01:00"},
        }
        assert (await api.client.put(f"/v1/schedules/{id_}", json=body)).status_code == 200
        schedule = await api.get(f"/v1/schedules/{id_}")
        assert (schedule["name"], schedule["enabled"], schedule["agentId"], schedule["flowId"]) == (
            None,
            False,
            agent,
            None,
        )
        assert (schedule["triggerType"], schedule["cron"]) == ("one_time", None)
        assert schedule["runAt"] == "2026-07-01T14:00:00.000Z"
        assert (
            await api.client.put(f"/v1/schedules/{id_}", json={"enabled": True})
        ).status_code == 200
        clock.at = noon + 3 * 3600.0
        (run,) = (await api.get(f"/v1/schedules/{id_}/runs"))["data"]
        assert run["agentId"] == agent


async def test_a_moment_without_an_offset_is_utc(open_api, clock):
    world = small_world(clock, FIVE)
    id_ = world.schedule_id("five")
    async with open_api(world) as api:
        trigger = {"type": "one_time", "runAt": "2026-07-01T15:00:00"}
        assert (
            await api.client.put(f"/v1/schedules/{id_}", json={"trigger": trigger})
        ).status_code == 200
        assert (await api.get(f"/v1/schedules/{id_}"))["runAt"] == "2026-07-01T15:00:00.000Z"


async def test_a_deleted_schedule_is_gone_while_its_runs_stay_listed(open_api, clock, noon):
    world = small_world(clock, FIVE)
    id_ = world.schedule_id("five")
    async with open_api(world) as api:
        clock.at = noon + 301
        answer = await api.client.delete(f"/v1/schedules/{id_}")
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        clock.at = noon + 3600
        assert (
            (await api.get("/v1/schedules"))["data"]
            == (await api.get("/v1/schedules/sparklines"))["data"]
            == []
        )
        for path in ("", "/runs", "/stats"):
            assert (await api.client.get(f"/v1/schedules/{id_}{path}")).status_code == 404
        assert (await api.client.post(f"/v1/schedules/{id_}/run-now")).status_code == 404
        (run,) = (await api.get("/v1/schedules/runs/all"))["data"]
        assert (run["scheduleId"], run["status"]) == (id_, "completed")
        assert (
            len((await api.get(f"/v1/schedules/batch/{run['batchExecutionId']}/results"))["data"])
            == 4
        )
        assert world.schedules == {}


async def test_a_created_schedule_is_listed_and_fires_from_then_on(open_api, clock, noon):
    world = small_world(clock, FIVE)
    async with open_api(world) as api:
        clock.at = noon + 660
        body = {
            "name": "New",
            "target": {"flowId": world.factory.flow_id("score")},
            "trigger": recurring(),
        }
        made = [await api.post("/v1/schedules", body) for _ in range(2)]
        assert [answer["status"] for answer in made] == ["created", "created"]
        assert len({answer["id"] for answer in made}) == 2
        schedule = await api.get(f"/v1/schedules/{made[0]['id']}")
        assert (schedule["name"], schedule["cron"], schedule["timezone"]) == (
            "New",
            "*/10 * * * *",
            "UTC",
        )
        assert schedule["createdAt"] == schedule["updatedAt"] == "2026-07-01T12:11:00.000Z"
        assert schedule["flowId"] == world.factory.flow_id("score")
        assert dues(world, made[0]["id"], noon + 2000) == [20, 30]
        assert ("New", "score", "success") in world.truth(noon + 2000)


async def test_a_flow_that_only_people_run_by_hand_is_a_target_too(open_api, clock):
    world = small_world(clock, FIVE)
    world.update(world.schedule_id("five"), clock.at, flow="other")
    async with open_api(world) as api:
        for flow in ("score", "other"):
            body = {"target": {"flowId": world.factory.flow_id(flow)}, "trigger": recurring()}
            assert (await api.post("/v1/schedules", body))["status"] == "created"


async def test_a_plan_s_schedules_may_be_used_up(open_api, clock):
    paused = ScheduleSpec(key="paused", enabled=False)
    settings = WorldSettings(
        start=clock.at, schedules=(FIVE, paused), subscription=Subscription(schedules=1)
    )
    world = World(settings, 1, clock)
    five, other = world.schedule_id("five"), world.schedule_id("paused")
    body = {"target": {"flowId": world.factory.flow_id("score")}, "trigger": recurring()}
    async with open_api(world) as api:

        async def status(method, path, content=None):
            return (await api.client.request(method, path, json=content)).status_code

        assert await status("POST", "/v1/schedules", body) == 402
        assert await status("POST", f"/v1/schedules/{other}/resume") == 402
        assert await status("PUT", f"/v1/schedules/{other}", {"enabled": True}) == 402
        assert await status("POST", f"/v1/schedules/{five}/resume") == 200
        assert await status("PUT", f"/v1/schedules/{five}", {"enabled": True}) == 200
        assert await status("PUT", f"/v1/schedules/{other}", {"name": "x"}) == 200
        assert await status("POST", "/v1/schedules", {**body, "enabled": False}) == 200
        assert await status("DELETE", f"/v1/schedules/{five}") == 200
        assert await status("POST", f"/v1/schedules/{other}/resume") == 200


TARGET = {"flowId": "flow_none"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ([], 400, None),
        ({}, 400, "MISSING_REQUIRED_FIELD"),
        ({"target": {}}, 400, "MISSING_REQUIRED_FIELD"),
        ({"target": {}, "trigger": recurring()}, 400, "MISSING_REQUIRED_FIELD"),
        ({"target": 7, "trigger": recurring()}, 400, "INVALID_TYPE"),
        ({"target": {"flowId": 7}, "trigger": recurring()}, 400, "INVALID_TYPE"),
        ({"target": TARGET, "trigger": recurring()}, 404, None),
        ({"target": {"agentId": "agent_none"}, "trigger": recurring()}, 404, None),
    ],
)
async def test_a_schedule_without_target_or_trigger_is_not_created(
    open_api, clock, body, status, code
):
    async with open_api(small_world(clock)) as api:
        answer = await api.client.post("/v1/schedules", json=body)
        assert answer.status_code == status
        assert [detail["code"] for detail in answer.json().get("details", [])] == (
            [code] if code else []
        )
        assert len((await api.get("/v1/schedules"))["data"]) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": 7}, "INVALID_TYPE"),
        ({"enabled": "yes"}, "INVALID_TYPE"),
        ({"trigger": "hourly"}, "INVALID_TYPE"),
        ({"trigger": {}}, "INVALID_ENUM"),
        ({"trigger": {"type": "sometimes"}}, "INVALID_ENUM"),
        ({"trigger": {"type": "recurring"}}, "INVALID_TYPE"),
        ({"trigger": recurring(timezone=None)}, "INVALID_TYPE"),
        ({"trigger": recurring("often")}, "INVALID_FORMAT"),
        ({"trigger": recurring(timezone="Moon/Base")}, "INVALID_FORMAT"),
        ({"trigger": {"type": "one_time", "runAt": "soon"}}, "INVALID_FORMAT"),
    ],
)
async def test_a_wrong_field_is_400_with_a_code_and_changes_nothing(open_api, clock, body, code):
    world = small_world(clock, FIVE)
    id_ = world.schedule_id("five")
    async with open_api(world) as api:
        before = await api.get(f"/v1/schedules/{id_}")
        answer = await api.client.put(f"/v1/schedules/{id_}", json=body)
        assert (answer.status_code, answer.json()["details"][0]["code"]) == (400, code)
        assert await api.get(f"/v1/schedules/{id_}") == before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/v1/schedules/none", 404),
        ("DELETE", "/v1/schedules/none", 400),
        ("POST", "/v1/schedules/none/pause", 400),
        ("POST", "/v1/schedules/none/resume", 400),
        ("POST", "/v1/batch/cancel/none", 400),
    ],
)
async def test_a_change_of_an_unknown_id_is_the_error_that_the_operation_declares(
    open_api, clock, method, path, status
):
    async with open_api(small_world(clock)) as api:
        answer = await api.client.request(method, path, json={})
        assert (answer.status_code, set(answer.json())) == (status, {"error"})


def test_what_is_scripted_ahead_shows_when_its_time_has_come(clock, noon):
    world = small_world(clock, FIVE)
    id_ = world.schedule_id("five")
    world.pause(id_, noon + 400)
    world.resume(id_, noon + 1000)
    world.update(id_, noon + 1400, cron="*/20 * * * *", name="Slower")
    world.delete(id_, noon + 4000)
    standing = [world.schedules_at(noon + at).get(id_) for at in (399, 400, 1000, 1400, 4000)]
    assert [spec and (spec.name, spec.enabled, spec.cron) for spec in standing] == [
        ("Five", True, "*/5 * * * *"),
        ("Five", False, "*/5 * * * *"),
        ("Five", True, "*/5 * * * *"),
        ("Slower", True, "*/20 * * * *"),
        None,
    ]
    assert world.next_run(id_, noon + 399) == noon + 600
    assert dues(world, id_, noon + 9000) == [5, 20, 40, 60]


@pytest.mark.parametrize("change", ["pause", "resume", "update", "delete"])
def test_a_schedule_that_is_not_there_cannot_be_changed(clock, noon, change):
    world = small_world(clock, FIVE)
    id_ = world.schedule_id("five")
    world.delete(id_, noon + 100)
    for wrong, at in (("schedule_none", noon), (id_, noon + 100), (id_, noon - 1)):
        with pytest.raises(KeyError):
            getattr(world, change)(wrong, at)


def test_a_late_start_comes_although_its_schedule_is_paused_meanwhile(clock, noon):
    world = small_world(clock, FIVE)
    id_ = world.schedule_id("five")
    world.set_start_fault(id_, noon + 300, "late", 200.0)
    world.pause(id_, noon + 400)
    assert [run.created for run in world.runs(noon + 3600)] == [noon + 500]


# --- batches ---
async def test_a_running_batch_can_be_cancelled_once_and_what_had_ended_stays(
    open_api, clock, noon
):
    world = small_world(clock)
    plans = [
        RecordPlan(0, 1, 5),
        RecordPlan(
            0, 1, 6, "failure", retries=(RecordAttempt(8, 9, 50), RecordAttempt(60, 61, 70))
        ),
        RecordPlan(0, 1, 50),
        RecordPlan(0, 30, 50),
    ]
    run = world.add_batch(plans, schedule="nightly", at=noon)
    async with open_api(world) as api:
        clock.at = noon + 10
        path = f"/v1/batch/cancel/{run.batch.id}"
        assert await api.post(path) == {"success": True, "message": "Batch cancelled"}
        assert (await api.client.post(path)).status_code == 400
        status = await api.get(f"/v1/batch/status/{run.batch.id}")
        assert (status["status"], status["completedAt"], status["successCount"]) == (
            "cancelled",
            "2026-07-01T12:00:10.000Z",
            1,
        )
        assert (status["processedRecords"], status["failedRecords"]) == (4, 0)
        rows = (await api.get(f"/v1/schedules/batch/{run.batch.id}/results"))["data"]
        assert [row["status"] for row in rows] == [
            "completed",
            "failed",
            "cancelled",
            "cancelled",
            "cancelled",
        ]
        (shown,) = (await api.get("/v1/schedules/runs/all"))["data"]
        assert (shown["status"], shown["completedAt"]) == ("cancelled", "2026-07-01T12:00:10.000Z")
        truth = {outcome: count for (_, _, outcome), count in world.truth(noon + 3600).items()}
        assert truth == {"success": 1, "failure": 1, "cancelled": 3}
        assert world.quiet(noon + 10)


async def test_a_batch_cancelled_in_its_queue_never_starts(open_api, clock, noon):
    world = small_world(clock, FIVE)
    run = next(iter(world.runs(noon + 300)))
    assert run.batch.started > run.created == noon + 300
    clock.at = noon + 300.5
    async with open_api(world) as api:
        await api.post(f"/v1/batch/cancel/{run.batch.id}")
        (shown,) = (await api.get("/v1/schedules/runs/all"))["data"]
        assert (shown["status"], shown["startedAt"]) == ("cancelled", None)
        assert shown["completedAt"] == "2026-07-01T12:05:00.500Z"
        status = await api.get(f"/v1/batch/status/{run.batch.id}")
        assert (status["status"], status["startedAt"]) == ("cancelled", "2026-07-01T12:05:00.000Z")
        rows = (await api.get(f"/v1/schedules/batch/{run.batch.id}/results"))["data"]
        assert [(row["status"], row["executedAt"], row["failedAt"]) for row in rows] == [
            ("cancelled", None, None)
        ] * 4
        assert world.truth(noon + 301) == {("Five", "score", "cancelled"): 4}


def test_a_batch_without_records_can_be_cancelled_in_its_queue(clock, noon):
    world = small_world(clock)
    batch = world.add_adhoc(0, at=noon)
    assert world.cancel_batch(batch.id, noon)
    assert (batch.state(noon), batch.settled, batch.ends) == ("cancelled", noon, noon)


def test_a_cancellation_can_be_scripted_ahead_and_shows_when_its_time_has_come(clock, noon):
    world, same = small_world(clock), small_world(clock)
    traffic = Traffic(stuck_share=0.3, stuck_holds_batch=True)
    batch, whole = (each.add_adhoc(60, at=noon, traffic=traffic) for each in (world, same))
    middle = batch.started + 5
    assert world.cancel_batch(batch.id, middle)
    for at in (noon, middle - 0.001):
        rows, total = batch.page(at, world.api, 0, 100, None)
        expected, all_ = whole.page(at, same.api, 0, 100, None)
        assert ([(row.place, row.state) for row in rows], total) == (
            [(row.place, row.state) for row in expected],
            all_,
        )
        assert (batch.state(at), batch.counts(at, world.api)) == (
            whole.state(at),
            whole.counts(at, same.api),
        )
        assert world.truth(at) == same.truth(at)
    assert batch.state(middle) == "cancelled"
    assert sum(world.truth(middle).values()) == 60
    assert world.quiet(middle)


def test_a_batch_that_has_ended_or_is_not_made_yet_is_not_cancelled(clock, noon):
    world = small_world(clock)
    batch = world.add_adhoc([RecordPlan()], at=noon)
    assert not world.cancel_batch(batch.id, noon - 1)
    assert not world.cancel_batch(batch.id, batch.ends)
    assert batch.state(batch.ends) == "success"


def test_a_batch_without_an_id_that_the_api_knows_cannot_be_cancelled(clock, noon):
    world = small_world(clock, ScheduleSpec(key="inline", kind="inline"))
    run = world.run_now(world.schedule_id("inline"), noon)
    for id_ in (run.batch.id, "batch_none"):
        with pytest.raises(KeyError):
            world.cancel_batch(id_, noon)
