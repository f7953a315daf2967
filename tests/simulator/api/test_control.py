import pytest

from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import RecordPlan, ScheduleSpec


async def test_control_routes_exist_only_if_asked_for(open_api, clock):
    async with open_api(small_world(clock)) as api:
        assert (await api.client.get("/-/truth")).status_code == 404


async def test_the_control_routes_show_the_truth_without_a_key(open_api, clock):
    world = small_world(clock)
    records = [RecordPlan(), RecordPlan(outcome="failure")]
    world.add_batch(records, schedule="nightly", at=clock.at)
    clock.at += 10
    async with open_api(world, control=True) as api:
        await api.get("/v1/batch/summary")
        answer = await api.client.get("/-/truth", headers={"Authorization": ""})
        assert answer.json() == {
            "now": clock.at,
            "quiet": True,
            "results": [["nightly", "enrich", "failure", 1], ["nightly", "enrich", "success", 1]],
            "runs": [["nightly", "success", 1]],
            "requests": {"summary": 1},
            "busiestHour": 1,
        }


async def test_the_control_routes_stop_the_schedules(open_api, clock):
    world = small_world(clock, ScheduleSpec(key="five", cron="*/5 * * * *"))
    async with open_api(world, control=True) as api:
        clock.at += 301
        assert await api.post("/-/stop") == {"now": clock.at}
        clock.at += 3600
        assert len((await api.get("/v1/schedules/runs/all"))["data"]) == 1


async def test_the_control_routes_switch_faults_on_and_off(open_api, clock):
    async with open_api(small_world(clock), control=True) as api:
        one = {
            "kind": "status",
            "operation": "summary",
            "value": 503,
            "headers": {"Retry-After": "7"},
        }
        assert await api.post(
            "/-/faults", [one, {"kind": "html", "operation": "runs", "nth": [2]}]
        ) == {"added": 2}
        answer = await api.client.get("/v1/batch/summary")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
        assert (await api.client.delete("/-/faults")).status_code == 204
        assert (await api.client.get("/v1/batch/summary")).status_code == 200
        assert await api.post("/-/faults", one) == {"added": 1}


@pytest.mark.parametrize("body", [{"kind": "gremlin"}, {"kind": "hang", "colour": "red"}])
async def test_the_control_routes_refuse_an_unknown_fault(open_api, clock, body):
    async with open_api(small_world(clock), control=True) as api:
        answer = await api.client.post("/-/faults", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("no such fault: ")
