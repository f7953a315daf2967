import pytest

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.presets import small_world

SUMMARY = "/v1/batch/summary"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("yesterday", "yesterday"),
        (-300, "Wed, 01 Jul 2026 11:55:00 GMT"),
        (86_400, "Thu, 02 Jul 2026 12:00:00 GMT"),
    ],
)
async def test_the_date_is_absent_any_text_or_moved(open_api, clock, value, shown):
    async with open_api(small_world(clock), ApiFault(kind="date", value=value)) as api:
        answer = await api.client.get(SUMMARY)
        assert (answer.status_code, answer.headers.get("date")) == (200, shown)


async def test_a_cached_answer_has_an_age(open_api, clock):
    fault = ApiFault(kind="date", value=-300, headers={"Age": "300"})
    async with open_api(small_world(clock), fault) as api:
        answer = await api.client.get(SUMMARY)
        assert answer.headers["age"] == "300"
        assert answer.headers["date"] == "Wed, 01 Jul 2026 11:55:00 GMT"


async def test_headers_come_with_any_fault_and_alone(open_api, clock):
    retry = {"Retry-After": "5"}
    faults = (
        ApiFault(kind="html", value=403, operation="runs", headers=retry),
        ApiFault(kind="headers", operation="summary", headers={"X-Extra": "1"}),
    )
    async with open_api(small_world(clock), *faults) as api:
        edge = await api.client.get("/v1/schedules/runs/all")
        assert (edge.status_code, edge.headers["retry-after"]) == (403, "5")
        assert edge.headers["content-type"].startswith("text/html")
        assert (await api.client.get(SUMMARY)).headers["x-extra"] == "1"


async def test_each_answer_sets_one_more_cookie(open_api, clock):
    faults = (
        ApiFault(kind="cookie", value=1000),
        ApiFault(kind="status", value=431, cookies_above=2500),
    )
    async with open_api(small_world(clock), *faults) as api:
        codes = [(await api.client.get(SUMMARY)).status_code for _ in range(5)]
        assert codes == [200, 200, 200, 431, 431]
        api.client.cookies.clear()
        assert (await api.client.get(SUMMARY)).status_code == 200
