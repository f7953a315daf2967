"""The paths and parameters that each read asks for."""

import httpx
import pytest

from runtype_exporter.runtype import ApiError, Priority
from tests.runtype.conftest import KEY, SUMMARY, Api
from tests.support.virtual import run

DATE = "Thu, 28 May 2026 20:26:40 GMT"
MARK = "CUSTOMER-SECRET"

CURSOR = {"data": [], "pagination": {"nextCursor": None, "hasMore": False}}
RESULTS = {"data": [], "pagination": {"total": 0, "hasMore": False, "offset": 0}}
STATUS = {"batchExecutionId": "batch_1", "status": "running"}
COST = {"batchExecutionId": "batch_1", "totalCostUsd": 1.25}


@pytest.mark.parametrize(
    ("read", "answer", "url"),
    [
        (lambda client: client.schedules(), CURSOR, "https://api.test/v1/schedules?limit=100"),
        (
            lambda client: client.schedules("a&b", limit=1),
            CURSOR,
            "https://api.test/v1/schedules?limit=1&cursor=a%26b",
        ),
        (lambda client: client.runs(), CURSOR, "https://api.test/v1/schedules/runs/all?limit=100"),
        (
            lambda client: client.runs("next", limit=3),
            CURSOR,
            "https://api.test/v1/schedules/runs/all?limit=3&cursor=next",
        ),
        (lambda client: client.summary(), SUMMARY, "https://api.test/v1/batch/summary"),
        (
            lambda client: client.status("batch_1"),
            STATUS,
            "https://api.test/v1/batch/status/batch_1",
        ),
        (
            lambda client: client.results("batch_1", 200, limit=100),
            RESULTS,
            "https://api.test/v1/schedules/batch/batch_1/results?limit=100&offset=200",
        ),
        (
            lambda client: client.results(
                "batch_1", 0, limit=7, status="failed", priority=Priority.CLOSING
            ),
            RESULTS,
            "https://api.test/v1/schedules/batch/batch_1/results?limit=7&offset=0&status=failed",
        ),
        (
            lambda client: client.run_results("run_1", 100, limit=50),
            RESULTS,
            "https://api.test/v1/schedules/runs/run_1/results?limit=50&offset=100",
        ),
        (lambda client: client.cost("batch/1"), COST, "https://api.test/v1/batch/batch%2F1/cost"),
        (
            lambda client: client.sparklines(["a", "b&c"]),
            {"data": []},
            "https://api.test/v1/schedules/sparklines?ids=a%2Cb%26c",
        ),
        (lambda client: client.usage(), {}, "https://api.test/v1/usage-limits/daily"),
    ],
)
def test_each_read_asks_for_its_path(read, answer, url):
    async def scenario():
        api = Api(httpx.Response(200, json=answer))
        async with api.client as client:
            await read(client)
        (request,) = api.requests
        assert (request.method, str(request.url)) == ("GET", url)
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["accept"] == "application/json"
        assert request.headers["accept-encoding"] == "gzip"
        assert api.telemetry.codes == ["200"]
        assert api.spent == 1

    run(scenario())


@pytest.mark.parametrize(("page_size", "lists"), [(1000, 100), (100, 100), (20, 20)])
def test_lists_are_read_in_pages_of_the_configured_size_or_the_documented_maximum(page_size, lists):
    async def scenario():
        api = Api(httpx.Response(200, json=CURSOR), page_size=page_size)
        assert (api.client.page_size, api.client.list_page_size) == (page_size, lists)
        await api.client.runs()
        await api.client.schedules()
        assert [request.url.params["limit"] for request in api.requests] == [str(lists)] * 2

    run(scenario())


def test_a_base_url_may_have_a_path():
    async def scenario():
        for base_url in ("https://gateway.test/runtype", "https://gateway.test/runtype/"):
            api = Api(httpx.Response(200, json=SUMMARY), base_url=base_url)
            await api.client.summary()
            assert api.urls == ["https://gateway.test/runtype/v1/batch/summary"]

    run(scenario())


@pytest.mark.parametrize(
    ("identity", "path"),
    [
        ("a/b", b"/v1/batch/status/a%2Fb"),
        ("../../x", b"/v1/batch/status/..%2F..%2Fx"),
        ("%2e%2e", b"/v1/batch/status/%252e%252e"),
        ("a?b#c d", b"/v1/batch/status/a%3Fb%23c%20d"),
        ("http://x:80", b"/v1/batch/status/http%3A%2F%2Fx%3A80"),
        ("ä\n\0", b"/v1/batch/status/%C3%A4%0A%00"),
        ("half \ud83d", b"/v1/batch/status/half%20%3F"),
    ],
)
def test_an_id_stays_one_segment_of_the_path_whatever_is_in_it(identity, path):
    async def scenario():
        api = Api(httpx.Response(200, json=STATUS))
        await api.client.status(identity)
        assert api.requests[0].url.raw_path == path

    run(scenario())


@pytest.mark.parametrize("identity", ["", ".", "..", "x" * 513])
def test_an_id_that_no_path_can_carry_is_refused_before_anything_is_spent(identity):
    async def scenario():
        api = Api(httpx.Response(200, json=STATUS))
        with pytest.raises(ApiError) as caught:
            await api.client.status(identity)
        message = (
            f"status: an id of {len(identity)} characters cannot be asked for;"
            " check the configured batches"
        )
        assert str(caught.value) == message
        assert (caught.value.code, caught.value.reason) == ("client", "client")
        assert api.spent == 0

    run(scenario())


@pytest.mark.parametrize("ids", [[], ["a"] * 101, ["a,b"]])
def test_sparklines_of_no_ids_too_many_or_one_with_a_comma_are_not_asked_for(ids):
    async def scenario():
        api = Api(httpx.Response(200, json={"data": []}))
        async with api.client as client:
            with pytest.raises(ValueError, match="1 to 100 ids without commas"):
                await client.sparklines(ids)
        assert api.requests == []

    run(scenario())
