"""Every answer against its documented shape, written by hand from the API's documentation."""

import pytest

from runtype_exporter.simulator.presets import demo_world
from runtype_exporter.simulator.settings import MARKER

TEXT, NUMBER, FLAG, ANY = str, int, bool, object


def maybe(kind):
    return (kind, type(None))


SCHEDULE = {
    **dict.fromkeys(("id", "triggerType", "userId", "createdAt", "updatedAt"), TEXT),
    **dict.fromkeys(
        (
            "name",
            "cron",
            "runAt",
            "timezone",
            "nextRunAt",
            "lastRunAt",
            "flowId",
            "agentId",
            "recordType",
        ),
        maybe(TEXT),
    ),
    **dict.fromkeys(("productSurfaceId", "organizationId"), maybe(TEXT)),
    "enabled": FLAG,
    "recordIds": maybe(list),
    "inputs": maybe(dict),
    "executionOptions": dict,
}
RUN = {
    **dict.fromkeys(("id", "scheduleId", "status", "createdAt"), TEXT),
    **dict.fromkeys(
        (
            "startedAt",
            "completedAt",
            "error",
            "flowId",
            "agentId",
            "agentExecutionId",
            "batchExecutionId",
        ),
        maybe(TEXT),
    ),
    **dict.fromkeys(("totalRecords", "processedRecords", "failedRecords"), maybe(NUMBER)),
}
RESULT = {
    "recordResultId": maybe(TEXT),
    "recordId": TEXT,
    "record": {"id": TEXT, "name": TEXT, "type": TEXT},
    "status": TEXT,
    "createdAt": TEXT,
    **dict.fromkeys(
        ("flowId", "flowName", "agentExecutionId", "error", "executedAt", "failedAt"), maybe(TEXT)
    ),
}
STATUS = {
    **dict.fromkeys(("batchExecutionId", "flowId", "status", "startedAt"), TEXT),
    **dict.fromkeys(("totalRecords", "processedRecords", "failedRecords"), NUMBER),
}
ITEM = {
    **dict.fromkeys(("id", "flowName", "status", "startedAt"), TEXT),
    **dict.fromkeys(("progress", "totalRecords", "processedRecords", "failedRecords"), NUMBER),
}
CURSORS = {
    **dict.fromkeys(("nextCursor", "prevCursor"), maybe(TEXT)),
    **dict.fromkeys(("hasMore", "hasPrev"), FLAG),
    **dict.fromkeys(("limit", "currentOffset"), NUMBER),
}
OFFSETS = {"limit": NUMBER, "offset": NUMBER, "total": NUMBER, "hasMore": FLAG}
BLOCK = {
    **dict.fromkeys(("date", "tier", "resetsAt", "periodType"), TEXT),
    **dict.fromkeys(("executionsUsed", "executionLimit", "overageCount"), NUMBER),
    "percentUsed": (int, float),
    "remaining": maybe(NUMBER),
    **dict.fromkeys(("isNearLimit", "isAtLimit", "isOverage", "isUnlimited", "inSlowMode"), FLAG),
    **dict.fromkeys(("spendLimitEnabled", "atSpendLimit"), FLAG),
    "spendLimit": maybe(NUMBER),
}
USAGE = {
    **dict.fromkeys(("userId", "month"), TEXT),
    "platformTokensUsed": NUMBER,
    "percentUsed": (int, float),
    **dict.fromkeys(("platformTokenLimit", "remaining", "spendLimit"), maybe(NUMBER)),
    **dict.fromkeys(
        ("isNearLimit", "isOverLimit", "isUnlimited", "spendLimitEnabled", "atSpendLimit"), FLAG
    ),
}
DAY = {"date": TEXT, "runs": NUMBER, "failed": NUMBER}
STATS = {
    **dict.fromkeys(("total", "completed", "failed"), NUMBER),
    **dict.fromkeys(("successRate", "avgDurationMs", "avgCostUsd"), maybe(float)),
    "last7Days": list,
}


def fits(value, shape, optional=()):
    """Return True if a value has every field of this shape, and no other but optional ones."""
    if isinstance(shape, dict):
        assert isinstance(value, dict)
        assert set(value) - set(optional) == set(shape)
        return all(fits(value[key], kind) for key, kind in shape.items())
    assert isinstance(value, shape), (value, shape)
    assert not isinstance(value, bool) or shape is bool
    return True


@pytest.fixture
def demo(clock):
    return demo_world(1, clock)


async def all_items(api, path):
    """Every item of a cursor list."""
    items, query = [], {"limit": 100}
    while True:
        page = await api.get(path, **query)
        assert fits(page["pagination"], CURSORS)
        items += page["data"]
        if not page["pagination"]["hasMore"]:
            return items
        query["cursor"] = page["pagination"]["nextCursor"]


async def test_schedules_have_the_documented_shape(open_api, demo):
    async with open_api(demo) as api:
        schedules = await all_items(api, "/v1/schedules")
        assert len(schedules) == len(demo.schedules) == 15
        assert all(fits(schedule, SCHEDULE) for schedule in schedules)
        for schedule in schedules:
            assert await api.get(f"/v1/schedules/{schedule['id']}") == schedule
        kinds = [
            (schedule["flowId"] is None, schedule["agentId"] is None) for schedule in schedules
        ]
        assert set(kinds) == {(True, False), (False, True)}
        assert None in {schedule["name"] for schedule in schedules}
        paused = [schedule for schedule in schedules if not schedule["enabled"]]
        assert [(schedule["nextRunAt"], schedule["lastRunAt"]) for schedule in paused] == [
            (None, None)
        ]


async def test_runs_have_the_documented_shape_and_agents_no_counts(open_api, demo, clock):
    async with open_api(demo) as api:
        clock.at += 4
        runs = await all_items(api, "/v1/schedules/runs/all")
        assert len(runs) == len(demo.runs(clock.at))
        assert all(fits(run, RUN) for run in runs)
        assert {run["status"] for run in runs} >= {"completed", "failed", "running"}
        agents = [run for run in runs if run["agentId"]]
        assert {run["batchExecutionId"] for run in agents} == {None}
        assert {run["totalRecords"] for run in agents} == {None}
        assert all(run["agentExecutionId"].startswith("agentexec_") for run in agents)
        begun = [run for run in runs if run["startedAt"]]
        inline = [
            run for run in begun if run["agentId"] is None and run["batchExecutionId"] is None
        ]
        assert min(run["totalRecords"] for run in inline) > 0
        first = runs[0]["scheduleId"]
        listed = (await api.get(f"/v1/schedules/{first}/runs"))["data"]
        assert listed == [run for run in runs if run["scheduleId"] == first][:100]


async def test_results_of_batches_and_of_runs_have_the_documented_shape(open_api, demo, clock):
    async with open_api(demo) as api:
        clock.at += 4
        statuses = set()
        for run in demo.runs(clock.at)[-60:]:
            page = await api.get(f"/v1/schedules/runs/{run.id}/results", limit=100)
            assert fits(page["pagination"], OFFSETS)
            assert all(fits(row, RESULT, optional=("result",)) for row in page["data"])
            statuses |= {row["status"] for row in page["data"]}
            if run.batch and run.batch.listed:
                assert (
                    await api.get(f"/v1/schedules/batch/{run.batch.id}/results", limit=100) == page
                )
        assert statuses >= {"pending", "running", "completed", "failed"}


async def test_the_results_of_an_agent_run_are_empty(open_api, demo, clock):
    async with open_api(demo) as api:
        agent = next(run for run in demo.runs(clock.at) if run.batch is None)
        page = await api.get(f"/v1/schedules/runs/{agent.id}/results")
        assert page == {
            "data": [],
            "pagination": {"limit": 50, "offset": 0, "total": 0, "hasMore": False},
        }


async def test_a_batch_s_status_has_the_documented_shape_at_each_stage(open_api, demo, clock):
    async with open_api(demo) as api:
        batch = demo.add_adhoc(30, at=clock.at)
        seen = []
        for at in (batch.created, batch.started, batch.ends):
            clock.at = at
            status = await api.get(f"/v1/batch/status/{batch.id}")
            assert fits(status, STATUS, optional=("progress", "completedAt", "successCount"))
            seen.append(
                (
                    status["status"],
                    "completedAt" in status,
                    "successCount" in status,
                    status["progress"],
                )
            )
        assert seen == [
            ("queued", False, False, 0),
            ("running", False, False, 0),
            ("completed", True, True, 100),
        ]


async def test_the_summary_has_the_documented_shape(open_api, demo, clock):
    async with open_api(demo) as api:
        clock.at += 8
        summary = await api.get("/v1/batch/summary")
        assert set(summary) == {"activeBatches", "recentlyCompleted", "batches", "recent"}
        assert (summary["activeBatches"], summary["recentlyCompleted"]) == (
            len(summary["batches"]),
            len(summary["recent"]),
        )
        assert all(fits(item, ITEM) for item in summary["batches"] + summary["recent"])
        assert len(summary["batches"]) > 0
        assert len(summary["recent"]) > 0


async def test_statistics_have_the_documented_shapes(open_api, demo, clock):
    async with open_api(demo) as api:
        ids = [schedule["id"] for schedule in await all_items(api, "/v1/schedules")]
        sparklines = (await api.get("/v1/schedules/sparklines", ids=",".join(ids)))["data"]
        assert [line["scheduleId"] for line in sparklines] == ids
        for line in sparklines:
            assert set(line) == {"scheduleId", "last7Days"}
            assert [fits(day, DAY) for day in line["last7Days"]] == [True] * 7
            stats = await api.get(f"/v1/schedules/{line['scheduleId']}/stats")
            assert fits(stats, STATS)
            assert stats["last7Days"] == line["last7Days"]
        batch = next(run.batch for run in demo.runs(clock.at) if run.batch)
        cost = await api.get(f"/v1/batch/{batch.id}/cost")
        assert fits(cost, {"batchExecutionId": TEXT, "totalCostUsd": float})
        assert cost["batchExecutionId"] == batch.id
        blocks = await api.get("/v1/usage-limits/daily")
        assert set(blocks) == {"daily", "monthly"}
        assert all(fits(block, BLOCK) for block in blocks.values())
        answer = await api.get("/v1/usage-limits")
        assert set(answer) == {"usage"}
        usage = answer["usage"]
        assert fits(usage, USAGE, optional=("daily", "monthly"))
        assert {key: usage[key] for key in blocks} == blocks


async def test_a_failed_start_is_a_run_without_batch_and_with_a_marked_error(open_api, demo, clock):
    failed = [run for run in demo.runs(clock.at) if run.failed_start]
    async with open_api(demo) as api:
        for known in failed:
            run = next(
                run
                for run in await all_items(api, "/v1/schedules/runs/all")
                if run["id"] == known.id
            )
            assert fits(run, RUN)
            assert (run["status"], run["error"]) == ("failed", f"{MARKER}-run-error")
            assert run["flowId"] == (await api.get(f"/v1/schedules/{run['scheduleId']}"))["flowId"]
            assert run["completedAt"] == run["createdAt"]
            nulls = ("startedAt", "agentId", "agentExecutionId", "batchExecutionId")
            assert {
                run[key] for key in (*nulls, "totalRecords", "processedRecords", "failedRecords")
            } == {None}
            assert (await api.get(f"/v1/schedules/runs/{known.id}/results"))["data"] == []
    assert len(failed) > 0


async def test_what_is_customer_data_is_marked(open_api, demo, clock):
    async with open_api(demo) as api:
        clock.at += 300
        schedules = await api.get("/v1/schedules")
        assert {
            schedule["inputs"]["note"].startswith(MARKER) for schedule in schedules["data"]
        } == {True}
        runs = await all_items(api, "/v1/schedules/runs/all")
        assert {run["error"].startswith(MARKER) for run in runs if run["error"]} == {True}
        batch = next(run["batchExecutionId"] for run in runs if run["failedRecords"])
        rows = (await api.get(f"/v1/schedules/batch/{batch}/results", limit=100))["data"]
        assert {row["record"]["name"].startswith(MARKER) for row in rows} == {True}
        assert {row["result"]["answer"].startswith(MARKER) for row in rows if "result" in row} == {
            True
        }
        assert {row["error"].startswith(MARKER) for row in rows if row["error"]} == {True}
