import json

import pytest

from runtype_exporter.simulator.faults import ApiFault, Faults
from runtype_exporter.simulator.faults.payload_faults import (
    GARBAGE_TIMES,
    HOSTILE_NAMES,
    HOSTILE_TAIL,
)
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import Api, RecordPlan, ScheduleSpec

SUMMARY = "/v1/batch/summary"
RUNS = "/v1/schedules/runs/all"


@pytest.fixture
def world(clock):
    simulated = small_world(clock)
    for number in range(6):
        simulated.add_batch([RecordPlan()] * 20, schedule="nightly", at=clock.at + number)
    clock.at += 60
    return simulated


def results(world):
    return f"/v1/schedules/batch/{world.runs(world.clock.now())[0].batch.id}/results"


async def pages(api, path, count=4, limit=5):
    """The record ids of each of `count` offset pages, and the page information of each."""
    answers = [await api.get(path, limit=limit, offset=limit * number) for number in range(count)]
    return [[row["recordId"] for row in answer["data"]] for answer in answers], [
        answer["pagination"] for answer in answers
    ]


@pytest.mark.parametrize("code", [500, 502, 503])
async def test_a_status_takes_the_place_of_the_answer(open_api, world, code):
    async with open_api(world, ApiFault(kind="status", value=code)) as api:
        answer = await api.client.get(SUMMARY)
        assert (answer.status_code, answer.json()) == (code, {"error": "simulated fault"})
        assert [entry.status for entry in api.requests.log] == [code]


async def test_a_429_says_how_long(open_api, world):
    async with open_api(
        world, ApiFault(kind="status", value=429, headers={"Retry-After": "17"})
    ) as api:
        answer = await api.client.get(SUMMARY)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "17")


async def test_a_status_without_a_value_is_500(open_api, world):
    async with open_api(world, ApiFault(kind="status")) as api:
        assert (await api.client.get(SUMMARY)).status_code == 500


async def test_a_redirect_leads_to_another_host(open_api, world):
    async with open_api(
        world, ApiFault(kind="redirect", value="https://elsewhere.example/")
    ) as api:
        answer = await api.client.get(SUMMARY)
        assert (answer.status_code, answer.headers["location"]) == (
            307,
            "https://elsewhere.example/",
        )


async def test_html_comes_with_a_good_or_a_bad_status(open_api, world):
    async with open_api(
        world, ApiFault(kind="html"), ApiFault(kind="html", operation="runs", value=502)
    ) as api:
        good = await api.client.get(SUMMARY)
        assert (good.status_code, good.headers["content-type"]) == (200, "text/html; charset=utf-8")
        with pytest.raises(json.JSONDecodeError):
            good.json()
        api.faults.clear()
        api.faults.add(ApiFault(kind="html", value=502))
        assert (await api.client.get(SUMMARY)).status_code == 502


async def test_truncated_json_does_not_parse(open_api, world):
    async with open_api(world, ApiFault(kind="truncate")) as api:
        answer = await api.client.get(SUMMARY)
        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            answer.json()


async def test_an_oversized_body_is_the_right_one_behind_so_many_bytes(open_api, world):
    async with open_api(
        world, ApiFault(kind="oversize", value=200_000, operation="summary", times=1)
    ) as api:
        large, right = await api.client.get(SUMMARY), await api.client.get(SUMMARY)
        assert len(large.content) == 200_000 + len(right.content)
        assert large.json() == right.json()


async def test_a_fault_hits_its_operation_and_path_alone(open_api, world):
    fault = ApiFault(kind="status", operation="batch_results", match="offset=5")
    async with open_api(world, fault) as api:
        assert (await api.client.get(SUMMARY)).status_code == 200
        assert (await api.client.get(results(world), params={"offset": 0})).status_code == 200
        assert (await api.client.get(results(world), params={"offset": 5})).status_code == 500
        assert api.faults.fired() == 1


async def codes(api, count):
    return [(await api.client.get(SUMMARY)).status_code for _ in range(count)]


async def test_a_fault_hits_only_its_nth_requests(open_api, world):
    async with open_api(world, ApiFault(kind="status", nth=(2, 4))) as api:
        assert await codes(api, 5) == [200, 500, 200, 500, 200]


async def test_a_fault_hits_so_many_times_and_then_no_more(open_api, world):
    async with open_api(world, ApiFault(kind="status", times=2)) as api:
        assert await codes(api, 4) == [500, 500, 200, 200]


async def test_a_probability_strikes_alike_for_a_seed():
    def struck(seed):
        faults = Faults(ApiFault(kind="hang", probability=0.5), seed=seed)
        return [bool(faults.strike("runs", RUNS)) for _ in range(200)]

    assert struck(1) == struck(1) != struck(2)
    assert 70 < sum(struck(1)) < 130


async def test_the_first_fault_that_changes_the_bytes_wins(open_api, world):
    faults = (
        ApiFault(kind="short"),
        ApiFault(kind="truncate"),
        ApiFault(kind="oversize", value=100),
    )
    async with open_api(world, *faults) as api:
        assert len((await api.client.get(results(world))).content) < 20_000
        with pytest.raises(json.JSONDecodeError):
            (await api.client.get(results(world))).json()


async def test_pages_that_do_not_advance_show_the_first_and_echo_what_was_asked(open_api, world):
    async with open_api(world, ApiFault(kind="stuck")) as api:
        ids, info = await pages(api, results(world))
        assert ids == [ids[0]] * 4
        assert [page["offset"] for page in info] == [0, 5, 10, 15]


async def test_rows_shift_so_that_some_come_twice(open_api, world):
    async with open_api(world, ApiFault(kind="shift", value=2)) as api:
        ids, _ = await pages(api, results(world))
        flat = [id_ for page in ids for id_ in page]
        assert (len(flat), len(set(flat))) == (20, 18)
        assert ids[0][3:] == ids[1][:2]


async def test_rows_shift_so_that_some_are_never_seen(open_api, world):
    async with open_api(world, ApiFault(kind="shift", value=-2)) as api:
        ids, _ = await pages(api, results(world))
        flat = [id_ for page in ids for id_ in page]
        assert len(flat) == len(set(flat)) == 18


async def test_runs_shift_too(open_api, world):
    async with open_api(world, ApiFault(kind="shift", value=1)) as api:
        first = await api.get(RUNS, limit=3)
        second = await api.get(RUNS, limit=3, cursor=first["pagination"]["nextCursor"])
        assert first["data"][-1]["id"] == second["data"][0]["id"]


async def test_rows_come_twice_on_a_page(open_api, world):
    async with open_api(world, ApiFault(kind="duplicate")) as api:
        ids, info = await pages(api, results(world), 1)
        assert ids[0][-1] == ids[0][0]
        assert (len(ids[0]), info[0]["total"]) == (6, 20)


async def test_rows_lack_at_a_page_s_end(open_api, world):
    async with open_api(world, ApiFault(kind="short", value=2)) as api:
        ids, info = await pages(api, results(world), 1)
        assert (len(ids[0]), info[0]["total"]) == (3, 20)


async def test_a_cursor_can_repeat_endlessly(open_api, world):
    async with open_api(world, ApiFault(kind="repeat_cursor")) as api:
        first = await api.get(RUNS, limit=3)
        second = await api.get(RUNS, limit=3, cursor=first["pagination"]["nextCursor"])
        assert first == second
        assert first["pagination"]["hasMore"]


async def test_a_fault_adds_no_page_information_where_there_is_none(open_api, world):
    async with open_api(
        world, ApiFault(kind="repeat_cursor"), ApiFault(kind="short"), ApiFault(kind="duplicate")
    ) as api:
        assert "pagination" not in await api.get(SUMMARY)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("pagination.hasMore", True),
        ("pagination.hasMore", False),
        ("pagination.total", 7),
        ("pagination.total", "20"),
        ("pagination.offset", 3),
        ("data.*.status", 17),
        ("data.0.recordId", None),
        ("data", "none"),
    ],
)
async def test_any_field_can_be_set_to_a_wrong_value(open_api, world, path, value):
    async with open_api(world, ApiFault(kind="set", path=path, value=value)) as api:
        found = await api.get(results(world), limit=5)
        for step in path.replace("*", "3").split("."):
            found = found[int(step) if step.isdigit() else step]
        assert found == value


async def test_a_star_sets_every_row_and_a_number_one(open_api, world):
    faults = (
        ApiFault(kind="set", path="data.*.status", value="odd"),
        ApiFault(kind="set", path="data.1.flowName", value="odd"),
    )
    async with open_api(world, *faults) as api:
        rows = (await api.get(results(world), limit=3))["data"]
        assert [(row["status"], row["flowName"]) for row in rows] == [
            ("odd", "enrich"),
            ("odd", "odd"),
            ("odd", "enrich"),
        ]


async def test_a_field_can_be_dropped(open_api, world):
    async with open_api(
        world,
        ApiFault(kind="drop", path="data.*.record"),
        ApiFault(kind="drop", path="no.such.field"),
    ) as api:
        rows = (await api.get(results(world)))["data"]
        assert {"record" in row for row in rows} == {False}


async def test_whatever_may_be_null_becomes_null(open_api, world):
    async with open_api(world, ApiFault(kind="nulls")) as api:
        row = (await api.get(results(world)))["data"][0]
        assert [key for key, value in row.items() if value is None] == [
            "recordResultId",
            "executedAt",
            "failedAt",
            "error",
            "flowId",
            "flowName",
            "agentExecutionId",
        ]
        run = (await api.get(RUNS))["data"][0]
        assert run["totalRecords"] is run["startedAt"] is run["completedAt"] is None
        assert run["status"] == "completed"


async def test_only_the_named_fields_become_null(open_api, world):
    async with open_api(world, ApiFault(kind="nulls", value=["status"])) as api:
        row = (await api.get(results(world)))["data"][0]
        assert row["status"] is None
        assert row["flowName"] == "enrich"


async def test_a_status_word_can_be_unknown(open_api, world):
    async with open_api(world, ApiFault(kind="words", value="needs_review")) as api:
        assert {row["status"] for row in (await api.get(results(world)))["data"]} == {
            "needs_review"
        }
        assert {item["status"] for item in (await api.get(SUMMARY))["recent"]} == {"needs_review"}


async def test_timestamps_can_be_garbage(open_api, world):
    async with open_api(world, ApiFault(kind="times")) as api:
        rows = (await api.get(results(world)))["data"]
        assert {row["createdAt"] for row in rows} <= set(GARBAGE_TIMES)
        assert {row["failedAt"] for row in rows} == {None}


async def test_names_words_and_ids_can_be_hostile_and_the_ids_still_lead_somewhere(open_api, world):
    async with open_api(world, ApiFault(kind="hostile")) as api:
        runs = (await api.get(RUNS))["data"]
        batch = runs[0]["batchExecutionId"]
        assert batch.endswith(HOSTILE_TAIL)
        assert {run["status"] for run in runs} <= set(HOSTILE_NAMES)
        path = f"/v1/schedules/batch/{quoted(batch)}/results"
        rows = (await api.get(path))["data"]
        assert len({row["recordId"] for row in rows}) == 20
        assert {row["flowName"] for row in rows} | {row["record"]["name"] for row in rows} <= set(
            HOSTILE_NAMES
        )
        assert (await api.get(f"/v1/batch/status/{quoted(batch)}"))["batchExecutionId"] == batch


def quoted(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


async def test_a_fault_in_the_bytes_leaves_the_payload_right(open_api, world):
    async with open_api(world, ApiFault(kind="oversize", value=10)) as api:
        large = await api.get(results(world), limit=5)
        api.faults.clear()
        assert large == await api.get(results(world), limit=5)


async def test_a_fault_does_not_change_an_error_answer(open_api, world):
    async with open_api(world, ApiFault(kind="set", path="data", value=1)) as api:
        answer = await api.client.get("/v1/batch/status/none")
        assert (answer.status_code, answer.json()) == (404, {"error": "Batch not found"})


async def test_pages_shift_by_themselves_where_the_newest_rows_come_first(open_api, clock):
    world = small_world(clock, api=Api(results_order="newest"))
    records = [RecordPlan(number, number + 1, number + 2) for number in range(20)]
    batch = world.add_adhoc(records, at=clock.at)
    clock.at += 10
    async with open_api(world) as api:
        first = await api.get(f"/v1/schedules/batch/{batch.id}/results", limit=5)
        clock.at += 2
        second = await api.get(f"/v1/schedules/batch/{batch.id}/results", limit=5, offset=5)
        again = {row["recordId"] for row in first["data"]} & {
            row["recordId"] for row in second["data"]
        }
        assert len(again) == 2


async def test_a_path_may_name_one_row_by_its_id(open_api, clock):
    specs = [ScheduleSpec(key=key, name=key) for key in "ab"]
    world = small_world(clock, *specs)
    id_ = world.schedule_id("b")
    fault = ApiFault(kind="set", operation="schedules", path=f"data.@{id_}.enabled", value=None)
    async with open_api(world, fault) as api:
        rows = (await api.get("/v1/schedules"))["data"]
    assert {row["name"]: row["enabled"] for row in rows} == {"a": True, "b": None}
