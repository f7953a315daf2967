from email.utils import parsedate_to_datetime

import pytest

from runtype_exporter.simulator.api import Key
from runtype_exporter.simulator.presets import demo_world, small_world
from runtype_exporter.simulator.settings import (
    Api,
    RecordAttempt,
    RecordPlan,
    ScheduleSpec,
    Traffic,
)


def nightly(clock, *records, at=0.0, **api):
    world = small_world(clock, api=Api(**api))
    return world, world.add_batch(list(records), schedule="nightly", at=clock.at + at).batch


async def rows(api, batch, **query):
    return (await api.get(f"/v1/schedules/batch/{batch.id}/results", **query))["data"]


async def test_the_offset_pages_of_a_batch_together_are_the_whole(open_api, clock):
    world, batch = nightly(clock, *[RecordPlan()] * 230)
    async with open_api(world) as api:
        seen, offset = [], 0
        while True:
            page = await api.get(
                f"/v1/schedules/batch/{batch.id}/results", limit=100, offset=offset
            )
            seen += [row["recordId"] for row in page["data"]]
            assert page["pagination"] == {
                "limit": 100,
                "offset": offset,
                "total": 230,
                "hasMore": offset + 100 < 230,
            }
            if not page["pagination"]["hasMore"]:
                break
            offset += 100
        assert len(set(seen)) == len(seen) == 230


@pytest.mark.parametrize("offset_cursors", [True, False])
@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
async def test_the_cursor_pages_of_the_runs_are_complete_and_in_order(
    open_api, clock, order, offset_cursors
):
    world = small_world(clock, api=Api(runs_order=order, offset_cursors=offset_cursors))
    for number in range(25):
        world.add_batch([RecordPlan()], schedule="nightly", at=clock.at + number)
    clock.at += 100
    async with open_api(world) as api:
        seen, query = [], {"limit": 10}
        while True:
            page = await api.get("/v1/schedules/runs/all", **query)
            seen += page["data"]
            if not page["pagination"]["hasMore"]:
                break
            query["cursor"] = page["pagination"]["nextCursor"]
    assert len({run["id"] for run in seen}) == len(seen) == 25
    times = [run["createdAt"] for run in seen]
    assert {"newest": times == sorted(times, reverse=True), "oldest": times == sorted(times)}.get(
        order, times != sorted(times)
    )
    assert order != "shuffled" or times != sorted(times, reverse=True)


async def test_limits_are_capped_and_the_answer_says_what_was_used(open_api, clock):
    world, batch = nightly(clock, *[RecordPlan()] * 60, page_cap=25, default_limit=10)
    async with open_api(world) as api:
        for path in (
            f"/v1/schedules/batch/{batch.id}/results",
            "/v1/schedules/runs/all",
            "/v1/schedules",
        ):
            assert (await api.get(path))["pagination"]["limit"] == 10
            assert (await api.get(path, limit="1000"))["pagination"]["limit"] == 25
        assert len(await rows(api, batch, limit=1000)) == 25


async def test_a_status_filter_takes_the_api_s_own_word(open_api, clock):
    words = {
        "pending": "waiting",
        "running": "processing",
        "success": "success",
        "failure": "error",
        "cancelled": "canceled",
    }
    outcomes = ("success", "failure", "failure", "cancelled")
    plans = [RecordPlan(0, 1, 2, outcome) for outcome in outcomes]
    world, batch = nightly(
        clock, *plans, RecordPlan(0, 1, 90), RecordPlan(0, 80, 90), record_words=words
    )
    clock.at += 10
    async with open_api(world) as api:
        assert [row["status"] for row in await rows(api, batch)] == [
            "success",
            "error",
            "error",
            "canceled",
            "processing",
            "waiting",
        ]
        page = await api.get(f"/v1/schedules/batch/{batch.id}/results", status="error", limit=1)
        assert page["pagination"] == {"limit": 1, "offset": 0, "total": 2, "hasMore": True}
        assert await rows(api, batch, status="failed") == []


async def test_a_final_result_has_the_timestamp_of_its_outcome_alone(open_api, clock):
    plans = [RecordPlan(0, 1, 2.5, outcome) for outcome in ("success", "failure", "cancelled")]
    world, batch = nightly(clock, *plans, RecordPlan(0, 1, 90))
    clock.at += 10
    async with open_api(world) as api:
        ended = "2026-07-01T12:00:02.500Z"
        times = [(row["executedAt"], row["failedAt"]) for row in await rows(api, batch)]
        assert times == [(ended, None), (None, ended), (None, None), (None, None)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("always", [True, True, True]), ("when_final", [True, False, False]), ("never", [False] * 3)],
)
async def test_result_ids_are_null_when_asked_for(open_api, clock, kind, expected):
    world, batch = nightly(
        clock, RecordPlan(), RecordPlan(0, 1, 90), RecordPlan(0, 80, 90), result_ids=kind
    )
    clock.at += 10
    async with open_api(world) as api:
        assert [row["recordResultId"] is not None for row in await rows(api, batch)] == expected


@pytest.mark.parametrize("kind", ["appended", "replaced"])
async def test_a_retry_shows_a_new_result_id_next_to_or_in_place_of_the_old_one(
    open_api, clock, kind
):
    retried = RecordPlan(0, 1, 2, "failure", retries=(RecordAttempt(5, 6, 7),))
    world, batch = nightly(clock, retried, RecordPlan(), retry_rows=kind)
    async with open_api(world) as api:
        clock.at += 3
        before = {row["recordResultId"]: row["status"] for row in await rows(api, batch)}
        clock.at += 10
        after = {row["recordResultId"]: row["status"] for row in await rows(api, batch)}
    assert sorted(before.values()) == ["completed", "failed"]
    assert (
        sorted(after.values())
        == ["completed", "completed", "failed"][: 3 if kind == "appended" else 2]
    )
    assert len(after.keys() - before.keys()) == 1


async def test_a_payload_has_its_size(open_api, clock):
    world, batch = nightly(clock, RecordPlan(), payload=4000)
    clock.at += 10
    async with open_api(world) as api:
        (row,) = await rows(api, batch)
        assert len(row["result"]["answer"]) == 4000


@pytest.mark.parametrize(("paged", "shown"), [(True, 2), (False, 5)])
async def test_whether_run_results_respect_a_limit_is_an_option(open_api, clock, paged, shown):
    world, _ = nightly(clock, *[RecordPlan()] * 5, run_results_paged=paged)
    async with open_api(world) as api:
        run = world.runs(clock.at)[0]
        page = await api.get(f"/v1/schedules/runs/{run.id}/results", limit=2)
        assert (len(page["data"]), page["pagination"]["total"]) == (shown, 5)


async def test_schedules_can_be_searched_and_filtered(open_api, clock):
    async with open_api(demo_world(1, clock)) as api:
        names = [
            schedule["name"]
            for schedule in (await api.get("/v1/schedules", search="ENRICH"))["data"]
        ]
        assert names == ["Enrich companies", "Enrich contacts"]
        paused = await api.get("/v1/schedules", status="paused")
        assert [schedule["name"] for schedule in paused["data"]] == ["Old export"]
        active = await api.get("/v1/schedules", status="active")
        assert len(active["data"]) == 14


async def test_a_one_time_schedule_says_so(open_api, clock):
    world = small_world(clock, ScheduleSpec(key="once", run_at=clock.at + 60))
    async with open_api(world) as api:
        (schedule,) = (await api.get("/v1/schedules"))["data"]
        assert (schedule["triggerType"], schedule["cron"]) == ("one_time", None)
        assert schedule["runAt"] == schedule["nextRunAt"] == "2026-07-01T12:01:00.000Z"
        clock.at += 120
        assert (await api.get(f"/v1/schedules/{schedule['id']}"))[
            "lastRunAt"
        ] == "2026-07-01T12:01:00.000Z"


async def test_run_now_starts_a_run_that_all_reads_know(open_api, clock):
    world = small_world(clock)
    id_ = world.schedule_id("nightly")
    async with open_api(world) as api:
        started = await api.post(f"/v1/schedules/{id_}/run-now")
        assert (started["status"], started["error"]) == ("queued", None)
        (run,) = (await api.get(f"/v1/schedules/{id_}/runs"))["data"]
        assert (run["id"], run["batchExecutionId"], run["status"]) == (
            started["runId"],
            started["batchExecutionId"],
            "queued",
        )
        summary = await api.get("/v1/batch/summary")
        assert [item["id"] for item in summary["batches"]] == [started["batchExecutionId"]]


@pytest.mark.parametrize("kind", ["agent", "inline"])
async def test_run_now_of_what_makes_no_batch_has_no_batch_id(open_api, clock, kind):
    world = small_world(clock, ScheduleSpec(key="one", kind=kind))
    async with open_api(world) as api:
        started = await api.post(f"/v1/schedules/{world.schedule_id('one')}/run-now")
        assert started["batchExecutionId"] is None
        assert [run["id"] for run in (await api.get("/v1/schedules/runs/all"))["data"]] == [
            started["runId"]
        ]


async def test_a_submitted_batch_is_in_the_summary_and_in_no_run(open_api, clock):
    world = small_world(clock)
    flow = world.factory.seed.id("flow", world.start, "enrich")
    async with open_api(world) as api:
        submitted = await api.post(
            "/v1/batch/flow", {"flowId": flow, "recordIds": ["record_a", "record_b"]}
        )
        assert submitted["status"] == "queued"
        id_ = submitted["batchExecutionId"]
        (item,) = (await api.get("/v1/batch/summary"))["batches"]
        assert (item["id"], item["flowName"], item["totalRecords"]) == (id_, "enrich", 2)
        assert (await api.get(f"/v1/batch/status/{id_}"))["flowId"] == flow
        results = await api.get(f"/v1/schedules/batch/{id_}/results")
        assert [row["recordId"] for row in results["data"]] == ["record_a", "record_b"]
        assert (await api.get("/v1/schedules/runs/all"))["data"] == []
        clock.at += 3600
        assert sum(world.truth(clock.at).values()) == 2
        assert {key[:2] for key in world.truth(clock.at)} == {("", "enrich")}


async def test_a_batch_of_records_without_ids_gets_ids(open_api, clock):
    async with open_api(small_world(clock)) as api:
        submitted = await api.post(
            "/v1/batch/flow", {"agentId": "agent_x", "records": [{"name": "a"}, {"name": "b"}]}
        )
        results = await api.get(f"/v1/schedules/batch/{submitted['batchExecutionId']}/results")
        assert len({row["recordId"] for row in results["data"]}) == 2
        assert {row["flowName"] for row in results["data"]} == {"agent_x"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"flowId": "f", "recordIds": []}',
        b'{"recordIds": ["a"]}',
        b'{"flowId": 1, "recordIds": ["a"]}',
    ],
)
async def test_a_submission_without_flow_or_records_is_refused(open_api, clock, body):
    async with open_api(small_world(clock)) as api:
        answer = await api.client.post("/v1/batch/flow", content=body)
        assert answer.status_code == 400
        assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/schedules/schedule_none"),
        ("GET", "/v1/schedules/schedule_none/runs"),
        ("POST", "/v1/schedules/schedule_none/run-now"),
        ("GET", "/v1/schedules/runs/run_none/results"),
        ("GET", "/v1/schedules/batch/batch_none/results"),
        ("GET", "/v1/batch/status/batch_none"),
        ("GET", "/v1/batch/batch_none/cost"),
        ("GET", "/v1/schedules/schedule_none/stats"),
    ],
)
async def test_what_is_not_there_is_404(open_api, clock, method, path):
    async with open_api(small_world(clock)) as api:
        answer = await api.client.request(method, path)
        assert answer.status_code == 404
        assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/schedules?limit=0",
        "/v1/schedules?status=asleep",
        "/v1/schedules/runs/all?cursor=garbage",
        "/v1/schedules/runs/all?direction=up",
    ],
)
async def test_a_bad_parameter_is_400_with_a_code(open_api, clock, path):
    async with open_api(small_world(clock)) as api:
        answer = await api.client.get(path)
        assert answer.status_code == 400
        (detail,) = answer.json()["details"]
        assert set(detail) == {"message", "code"}


OPERATIONS = {
    "schedules": ("GET", "/v1/schedules", "SCHEDULES:READ"),
    "schedule": ("GET", "/v1/schedules/x", "SCHEDULES:READ"),
    "runs": ("GET", "/v1/schedules/runs/all", "SCHEDULES:READ"),
    "schedule_runs": ("GET", "/v1/schedules/x/runs", "SCHEDULES:READ"),
    "run_results": ("GET", "/v1/schedules/runs/x/results", "SCHEDULES:READ"),
    "batch_results": ("GET", "/v1/schedules/batch/x/results", "SCHEDULES:READ"),
    "run_now": ("POST", "/v1/schedules/x/run-now", "SCHEDULES:EXECUTE"),
    "summary": ("GET", "/v1/batch/summary", "BATCHES:READ"),
    "batch_status": ("GET", "/v1/batch/status/x", "BATCHES:READ"),
    "submit": ("POST", "/v1/batch/flow", "BATCHES:EXECUTE"),
    "cost": ("GET", "/v1/batch/x/cost", "BATCHES:READ"),
    "sparklines": ("GET", "/v1/schedules/sparklines", "SCHEDULES:READ"),
    "stats": ("GET", "/v1/schedules/x/stats", "SCHEDULES:READ"),
    "usage": ("GET", "/v1/usage-limits/daily", "USAGE:READ"),
    "usage_limits": ("GET", "/v1/usage-limits", "USAGE:READ"),
    "create": ("POST", "/v1/schedules", "SCHEDULES:WRITE"),
    "update": ("PUT", "/v1/schedules/x", "SCHEDULES:WRITE"),
    "delete": ("DELETE", "/v1/schedules/x", "SCHEDULES:WRITE"),
    "pause": ("POST", "/v1/schedules/x/pause", "SCHEDULES:WRITE"),
    "resume": ("POST", "/v1/schedules/x/resume", "SCHEDULES:WRITE"),
    "cancel": ("POST", "/v1/batch/cancel/x", "BATCHES:EXECUTE"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_each_operation_wants_a_key_and_its_scope_and_is_recorded(open_api, clock, operation):
    method, path, scope = OPERATIONS[operation]
    keys = (Key("bare", scopes=()), Key("scoped", scopes=(scope,)))
    async with open_api(small_world(clock), keys=keys) as api:
        wrong = await api.client.request(method, path, headers={"Authorization": "Bearer wrong"})
        bare = await api.client.request(method, path)
        scoped = await api.client.request(method, path, headers={"Authorization": "Bearer scoped"})
        assert (wrong.status_code, bare.status_code) == (401, 403)
        assert wrong.headers["www-authenticate"].startswith("Bearer")
        assert {"error"} == set(wrong.json()) == set(bare.json())
        assert scoped.status_code in {200, 400, 404}
        assert api.requests.counts == {operation: 3}
        assert [(entry.operation, entry.target, entry.status) for entry in api.requests.log] == [
            (operation, path, 401),
            (operation, path, 403),
            (operation, path, scoped.status_code),
        ]


async def test_a_key_over_its_limit_gets_429_until_its_hour_has_passed(open_api, clock):
    async with open_api(small_world(clock), keys=(Key("good", requests_per_hour=3),)) as api:
        codes = [(await api.client.get("/v1/batch/summary")).status_code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        answer = await api.client.get("/v1/batch/summary")
        assert answer.headers["retry-after"] == "3600"
        clock.at += 3600
        assert (await api.client.get("/v1/batch/summary")).status_code == 200
        assert api.requests.busiest_hour == 6


async def test_the_date_header_is_the_world_s_time(open_api, clock):
    async with open_api(small_world(clock)) as api:
        for path in ("/v1/batch/summary", "/v1/batch/status/none"):
            answer = await api.client.get(path)
            assert parsedate_to_datetime(answer.headers["date"]).timestamp() == clock.at


async def test_the_query_is_in_the_log(open_api, clock):
    async with open_api(small_world(clock)) as api:
        await api.get("/v1/schedules/runs/all", limit=3)
        assert [entry.target for entry in api.requests.log] == ["/v1/schedules/runs/all?limit=3"]


@pytest.mark.parametrize("retry_rows", ["appended", "replaced"])
async def test_the_rows_of_all_pages_once_quiet_are_the_truth(open_api, clock, retry_rows):
    traffic = Traffic(
        failure_share=0.2, retry_share=0.6, retry_limit=3, stuck_share=0.02, cancelled_share=0.05
    )
    spec = ScheduleSpec(key="five", name="Five", flow="score", cron="*/5 * * * *", traffic=traffic)
    world = small_world(clock, spec, api=Api(retry_rows=retry_rows))
    world.stop(clock.at + 3600)
    clock.at += 7200
    assert world.quiet(clock.at)
    seen: dict[tuple[str, str, str], set[str]] = {}
    outcomes = {"completed": "success", "failed": "failure", "cancelled": "cancelled"}
    async with open_api(world) as api:
        for run in (await api.get("/v1/schedules/runs/all", limit=100))["data"]:
            for offset in range(0, 200, 25):
                path = f"/v1/schedules/batch/{run['batchExecutionId']}/results"
                for row in (await api.get(path, limit=25, offset=offset))["data"]:
                    if row["status"] in outcomes:
                        key = ("Five", row["flowName"], outcomes[row["status"]])
                        seen.setdefault(key, set()).add(row["recordResultId"])
    counted = {key: len(ids) for key, ids in seen.items()}
    assert counted == (world.truth if retry_rows == "appended" else world.truth_shown)(clock.at)
    assert len(counted) == 3


async def test_a_cursor_of_a_run_that_is_not_listed_is_refused(open_api, clock):
    world = small_world(clock)
    for number in range(3):
        world.add_batch([RecordPlan()], schedule="nightly", at=clock.at + number)
    clock.at += 10
    async with open_api(world) as api:
        page = await api.get("/v1/schedules/runs/all", limit=2)
        cursor = page["pagination"]["nextCursor"]
        assert len((await api.get("/v1/schedules/runs/all", cursor=cursor))["data"]) == 1
    async with open_api(small_world(clock)) as other:
        answer = await other.client.get("/v1/schedules/runs/all", params={"cursor": cursor})
        assert answer.status_code == 400
