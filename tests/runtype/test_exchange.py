"""One request and its answer: errors as a user sees them, retries, redirects and pauses."""

import asyncio
import traceback

import httpx
import pytest
import structlog

from runtype_exporter.protocols import Attempt
from runtype_exporter.runtype import ApiError, NetworkError
from tests.runtype.conftest import KEY, START, SUMMARY, Api
from tests.support.virtual import run

DATE = "Thu, 28 May 2026 20:26:40 GMT"
MARK = "CUSTOMER-SECRET"

CURSOR = {"data": [], "pagination": {"nextCursor": None, "hasMore": False}}
RESULTS = {"data": [], "pagination": {"total": 0, "hasMore": False, "offset": 0}}
STATUS = {"batchExecutionId": "batch_1", "status": "running"}
COST = {"batchExecutionId": "batch_1", "totalCostUsd": 1.25}


def redirect(location, status=302):
    return httpx.Response(status, headers={"location": location})


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (
            httpx.Response(401, json={"error": MARK}),
            "Unauthorised",
            (
                "runs: the API refuses the key (401):"
                " check that it is whole, current and allowed from this address"
            ),
        ),
        (
            httpx.Response(403, json={"error": MARK}),
            "Forbidden",
            "runs: the key may not read this (403): give it the scope, or switch off what needs it",
        ),
        (
            httpx.Response(404, text=MARK),
            "NotFound",
            "runs: the API does not know it (404): it is gone, or not this key's to see",
        ),
        (
            httpx.Response(410, text=MARK),
            "NotFound",
            "runs: the API does not know it (410): it is gone, or not this key's to see",
        ),
        (
            httpx.Response(400, text=MARK),
            "ClientError",
            (
                "runs: the API refuses the request (400): page_size may be more than it takes, or"
                " this exporter too old for it"
            ),
        ),
        (
            httpx.Response(403, html=f"<html>{MARK}</html>"),
            "EdgeRefused",
            (
                "runs: something between here and the API refused the request (403): no scope is"
                " missing, but a firewall or proxy may block this address or client"
            ),
        ),
        (
            httpx.Response(413, text=MARK),
            "OversizedError",
            "runs: the API refuses to answer with so much (413); a smaller page_size makes it less",
        ),
        (
            httpx.Response(414, text=MARK),
            "UrlTooLong",
            "runs: the URL is too long for the API (414); fewer ids in a request make it shorter",
        ),
        (
            httpx.Response(429, text=MARK),
            "Throttled",
            "runs: the API asks to wait (429); requests pause for 60 s",
        ),
        (
            httpx.Response(429, headers={"retry-after": "7"}),
            "Throttled",
            "runs: the API asks to wait (429); requests pause for 7 s",
        ),
        (
            httpx.Response(503, headers={"retry-after": "99999"}),
            "Throttled",
            "runs: the API asks to wait (503); requests pause for 3600 s",
        ),
        (httpx.Response(204), "DecodeError", "runs: the API answered 204 where it documents 200"),
        (
            httpx.Response(200, html=f"<html>{MARK}</html>"),
            "DecodeError",
            (
                "runs: the answer is not JSON (DecodeError in 28 bytes);"
                " does something stand between here and the API?"
            ),
        ),
        (
            httpx.Response(200, json={"data": [], "pagination": {"hasMore": MARK}}),
            "DecodeError",
            (
                "runs: the answer has another shape than the API documents: Expected `bool`, got"
                " `str` - at `$.pagination.hasMore`"
            ),
        ),
        (
            httpx.Response(200, text=MARK * 100_000),
            "OversizedError",
            "runs: the answer is larger than 1000000 bytes; a smaller page_size makes it smaller",
        ),
        (
            redirect(f"https://elsewhere.test/{MARK}"),
            "RedirectError",
            (
                "runs: the API redirects to another host, which would be given the key, so it is"
                " not followed; check base_url"
            ),
        ),
        (
            redirect("http://api.test/v1/schedules/runs/all"),
            "RedirectError",
            (
                "runs: the API redirects to another host, which would be given the key, so it is"
                " not followed; check base_url"
            ),
        ),
        (
            redirect("https://api.test:8443/"),
            "RedirectError",
            (
                "runs: the API redirects to another host, which would be given the key, so it is"
                " not followed; check base_url"
            ),
        ),
        (
            redirect("https://user:pass@api.test/"),
            "RedirectError",
            (
                "runs: the API redirects to another host, which would be given the key, so it is"
                " not followed; check base_url"
            ),
        ),
        (httpx.Response(304), "RedirectError", "runs: the API redirects (304) to nowhere"),
        (redirect(""), "RedirectError", "runs: the API redirected more than 3 times in a row"),
        (
            redirect("/somewhere"),
            "RedirectError",
            "runs: the API redirected more than 3 times in a row",
        ),
    ],
)
def test_a_fault_is_raised_once_and_not_retried(answer, kind, message):
    async def scenario():
        api = Api(answer, max_response=1_000_000)
        with pytest.raises(ApiError) as caught:
            await api.client.runs()
        assert (type(caught.value).__name__, str(caught.value)) == (kind, message)
        assert api.spent == len(api.requests) == len(api.telemetry.attempts)
        assert len(api.requests) == (4 if "3 times" in message else 1)
        shown = (
            "".join(traceback.format_exception(caught.value))
            + repr(caught.value)
            + repr(api.telemetry.attempts)
        )
        assert MARK not in shown.replace(str(answer.headers.get("location")), "")
        assert KEY not in shown
        assert caught.value.__context__ is None

    run(scenario())


@pytest.mark.parametrize(
    ("answer", "kind", "code", "message"),
    [
        (
            httpx.Response(500, text=MARK),
            "ServerError",
            "500",
            "summary: the API failed (500); it will be asked again",
        ),
        (
            httpx.Response(503, text=MARK),
            "ServerError",
            "503",
            "summary: the API failed (503); it will be asked again",
        ),
        (
            httpx.Response(503, headers={"retry-after": MARK}),
            "ServerError",
            "503",
            "summary: the API failed (503); it will be asked again",
        ),
        (
            httpx.ConnectError("[Errno -2] Name or service not known"),
            "NetworkError",
            "connect",
            "summary: api.test was not reached: [Errno -2] Name or service not known",
        ),
        (
            httpx.RemoteProtocolError(f"illegal status line: {MARK}"),
            "NetworkError",
            "network",
            "summary: the connection broke off (RemoteProtocolError); it will be asked again",
        ),
        (
            httpx.ReadError(MARK),
            "NetworkError",
            "network",
            "summary: the connection broke off (ReadError); it will be asked again",
        ),
        (redirect(f"https://api.test:{MARK}"), "NetworkError", "network", None),
        (
            httpx.ReadTimeout(MARK),
            "TimedOut",
            "timeout",
            "summary: no whole answer within 30 s; it will be asked again",
        ),
        (
            httpx.ConnectTimeout(MARK),
            "TimedOut",
            "timeout",
            "summary: no whole answer within 30 s; it will be asked again",
        ),
        (
            60.0,
            "TimedOut",
            "timeout",
            "summary: no whole answer within 30 s; it will be asked again",
        ),
    ],
)
def test_a_failing_or_unreachable_api_is_asked_twice_each_time_from_the_budget(
    answer, kind, code, message
):
    async def scenario():
        api = Api(answer, limit=36)
        with pytest.raises(ApiError) as caught:
            await api.client.summary()
        assert (type(caught.value).__name__, caught.value.code) == (kind, code)
        assert message in (None, str(caught.value))
        assert api.telemetry.codes == [code] * 2
        assert len(api.requests) == 2
        refilled = api.loop.time() * 32.4 / 3600
        assert api.budget.remaining == pytest.approx(3.6 - 2 + refilled)
        waited = 30.0 if kind == "TimedOut" and answer == 60.0 else 0.0
        assert api.times == pytest.approx([0.0, 0.75 + waited])
        assert MARK not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__context__ is None

    run(scenario())


def test_a_request_that_works_the_second_time_is_an_answer():
    async def scenario():
        api = Api(httpx.Response(502), httpx.Response(200, json=SUMMARY))
        assert (await api.client.summary()).batches == []
        assert api.telemetry.codes == ["502", "200"]

    run(scenario())


def test_a_redirect_on_the_same_host_is_followed_and_paid_for():
    async def scenario():
        api = Api(
            redirect("/v2/summary?a=b", 308),
            redirect("https://api.test:443/v3"),
            httpx.Response(200, json=SUMMARY),
        )
        assert (await api.client.summary()).recent == []
        assert api.urls == [
            "https://api.test/v1/batch/summary",
            "https://api.test/v2/summary?a=b",
            "https://api.test/v3",
        ]
        assert {request.headers["authorization"] for request in api.requests} == {f"Bearer {KEY}"}
        assert api.telemetry.codes == ["308", "302", "200"]
        assert api.spent == 3

    run(scenario())


@pytest.mark.parametrize(
    ("status", "header", "wait"),
    [
        (429, "120", 120.0),
        (503, "120", 120.0),
        (429, "Thu, 28 May 2026 20:28:40 GMT", 120.0),
        (429, None, 60.0),
        (429, "garbage", 60.0),
        (429, "-1", 60.0),
        (429, "0", 1.0),
        (503, "0", 1.0),
        (429, "Thu, 28 May 2026 20:26:00 GMT", 1.0),
        (429, "1000000", 3600.0),
        (403, "120", 120.0),
    ],
)
def test_a_request_to_wait_pauses_the_account_and_is_remembered(status, header, wait):
    async def scenario():
        headers = {"date": DATE} | ({"retry-after": header} if header else {})
        api = Api(httpx.Response(status, headers=headers), httpx.Response(200, json=SUMMARY))
        with pytest.raises(ApiError):
            await api.client.summary()
        assert api.store.state.paused_until == START + wait
        await api.client.summary()
        assert api.times == pytest.approx([0.0, wait])
        assert api.telemetry.codes == [str(status), "200"]

    run(scenario())


def test_work_waits_for_the_budget():
    async def scenario():
        api = Api(httpx.Response(200, json=SUMMARY), limit=10)
        await api.client.summary()
        await api.client.summary()
        assert api.times == pytest.approx([0.0, 400.0])
        assert [attempt.seconds for attempt in api.telemetry.attempts] == [0.0, 0.0]

    run(scenario())


def test_an_attempt_tells_how_long_it_took_to_the_last_byte():
    async def scenario():
        api = Api(2.5)
        await api.client.summary()
        assert api.telemetry.attempts == [Attempt("acme", "summary", "200", 2.5)]

    run(scenario())


def test_a_request_that_is_cancelled_is_counted_too():
    async def scenario():
        api = Api(20.0)
        task = asyncio.create_task(api.client.summary())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert api.telemetry.attempts == [Attempt("acme", "summary", "cancelled", 1.0)]

    run(scenario())


def test_the_date_header_tells_how_far_the_clocks_are_apart():
    async def scenario():
        api = Api(
            httpx.Response(200, json=SUMMARY, headers={"date": "Thu, 28 May 2026 20:27:00 GMT"}),
            httpx.Response(200, json=SUMMARY, headers={"date": "garbage"}),
        )
        await api.client.summary()
        await api.client.summary()
        assert api.telemetry.skews == [20.0]
        assert api.telemetry.sources == ["date"]
        assert (api.api_time.now(), api.api_time.certain) == (START + 20, True)

    run(scenario())


class Watched(httpx.AsyncByteStream):
    """A body that records whether its connection was given back."""

    closed = False

    async def __aiter__(self):
        yield b"{"

    async def aclose(self):
        self.closed = True


@pytest.mark.parametrize("status", [200, 302, 404, 429, 500])
def test_the_connection_is_given_back_whatever_was_answered(status):
    async def scenario():
        stream = Watched()
        api = Api(httpx.Response(status, stream=stream), attempts=1)
        with pytest.raises(ApiError):
            await api.client.summary()
        assert stream.closed

    run(scenario())


def test_a_rotated_key_is_taken_up_with_the_next_request():
    async def scenario():
        keys = iter(["first", "second"])
        api = Api(httpx.Response(200, json=SUMMARY), key=lambda: next(keys))
        await api.client.summary()
        await api.client.summary()
        assert [request.headers["authorization"] for request in api.requests] == [
            "Bearer first",
            "Bearer second",
        ]

    run(scenario())


@pytest.mark.parametrize(
    "key", ["", "KEY MARK", "KEY\nMARK", "KEY\rMARK: x", "KEY-MARK-ä", "KEY\0MARK", "KEY\ud83dMARK"]
)
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key):
    async def scenario():
        api = Api(httpx.Response(200, json=SUMMARY), key=key)
        with pytest.raises(ApiError) as caught:
            await api.client.summary()
        expected = (
            "summary: the API key is empty or has characters that no key has;"
            " check the variable or file that it is read from"
        )
        assert str(caught.value) == expected
        assert (caught.value.code, caught.value.reason) == ("key", "unauthorised")
        assert (api.requests, api.spent) == ([], 0)

    run(scenario())


def test_neither_the_client_nor_the_logs_show_the_key_or_what_was_answered(caplog):
    async def scenario():
        caplog.set_level("DEBUG")
        api = Api(httpx.Response(200, json=SUMMARY | {"error": MARK}))
        await api.client.summary()
        assert repr(api.client) == "Client(account='acme', base_url='https://api.test/')"
        assert caplog.records
        assert KEY not in caplog.text
        assert MARK not in caplog.text

    run(scenario())


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.runtype.com",
        "http://localhost:8080",
        "http://127.0.0.1",
        "http://127.9.9.9:1/api",
        "http://[::1]:8080",
        "https://bücher.test",
    ],
)
def test_https_is_taken_from_anywhere_and_http_from_loopback(base_url):
    async def scenario():
        api = Api(httpx.Response(200, json=SUMMARY), base_url=base_url)
        await api.client.summary()
        assert api.requests[0].url == httpx.URL(f"{base_url}/v1/batch/summary")

    run(scenario())


SHAPE = (
    "base_url must be a scheme, a host and at most a port and a path, like https://api.runtype.com"
)


@pytest.mark.parametrize(
    ("base_url", "message"),
    [
        (
            "http://api.runtype.com",
            (
                "base_url http://api.runtype.com would send the API key in the clear; use https"
                " (http is allowed on loopback only)"
            ),
        ),
        (
            "http://localhost.evil.test",
            (
                "base_url http://localhost.evil.test would send the API key in the clear; use https"
                " (http is allowed on loopback only)"
            ),
        ),
        (
            "ftp://127.0.0.1",
            (
                "base_url ftp://127.0.0.1 would send the API key in the clear;"
                " use https (http is allowed on loopback only)"
            ),
        ),
        ("api.runtype.com", SHAPE),
        ("https://", SHAPE),
        ("", SHAPE),
        ("https://user:KEY-MARK@api.runtype.com", SHAPE),
        ("https://api.runtype.com?key=KEY-MARK", SHAPE),
        ("https://api.runtype.com#KEY-MARK", SHAPE),
        (
            "https://api.runtype.com:KEY-MARK",
            "base_url is not a URL; it should look like https://api.runtype.com",
        ),
        ("https://a\nb", "base_url is not a URL; it should look like https://api.runtype.com"),
        (
            f"https://{'a' * 64}.test",
            "base_url is not a URL; it should look like https://api.runtype.com",
        ),
        ("https://a..b", "base_url is not a URL; it should look like https://api.runtype.com"),
        (None, "base_url is not a URL; it should look like https://api.runtype.com"),
    ],
)
def test_a_base_url_that_would_leak_or_mislead_is_refused(base_url, message):
    async def scenario():
        with pytest.raises(ValueError, match=r"^base_url ") as caught:
            Api(base_url=base_url)
        assert str(caught.value) == message

    run(scenario())


# --- what an answer says besides itself ---


def test_a_cached_answer_tells_the_time_with_its_age():
    async def scenario():
        headers = {"date": DATE, "age": "30"}
        api = Api(httpx.Response(200, json=SUMMARY, headers=headers))
        await api.client.summary()
        assert api.api_time.now() == START + 30

    run(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>log in</html>", headers={"date": DATE}),
        httpx.Response(401, headers={"date": DATE}),
        httpx.Response(403, headers={"date": DATE}),
        httpx.Response(404, headers={"date": DATE}),
        httpx.Response(429, headers={"date": DATE}),
        httpx.Response(500, headers={"date": DATE}),
        httpx.Response(302, headers={"date": DATE, "location": "https://elsewhere.test"}),
    ],
)
def test_only_an_answer_of_the_api_itself_tells_the_time(answer):
    async def scenario():
        api = Api(answer)
        with pytest.raises(ApiError):
            await api.client.summary()
        assert (api.api_time.source, api.telemetry.skews) == ("unknown", [])

    run(scenario())


def test_rows_that_are_left_out_are_counted_and_each_kind_is_logged_once():
    async def scenario():
        good = {"id": "run_1", "scheduleId": "s", "status": "completed", "error": MARK}
        rows = [good, good | {"scheduleId": None}, good | {"totalRecords": MARK}, {"id": MARK}]
        api = Api(httpx.Response(200, json={"data": rows, "pagination": {"hasMore": False}}))
        with structlog.testing.capture_logs() as logs:
            page = await api.client.runs()
            await api.client.runs()
        assert [row.id for row in page.data] == ["run_1"]
        assert page.rejected == ("identity", "count", "identity")
        assert api.telemetry.rows == [("runs", reason) for reason in page.rejected] * 2
        assert [(log["operation"], log["reason"]) for log in logs] == [
            ("runs", "identity"),
            ("runs", "count"),
        ]
        assert MARK not in repr(page) + repr(logs) + repr(api.telemetry.rows)

    run(scenario())


def test_cookies_are_neither_kept_nor_sent():
    async def scenario():
        cookie = {"set-cookie": "session=1; Path=/"}
        api = Api(
            redirect("/v2"),
            httpx.Response(200, json=SUMMARY, headers=cookie),
            httpx.Response(500, headers=cookie),
            httpx.Response(200, json=SUMMARY),
        )
        await api.client.summary()
        await api.client.summary()
        assert len(api.requests) == 4
        assert not any("cookie" in request.headers for request in api.requests)

    run(scenario())


# --- a refused key ---


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json=SUMMARY),
        httpx.Response(403),
        httpx.Response(404),
        httpx.Response(302, headers={"location": "https://elsewhere.test"}),
    ],
)
def test_after_a_refused_key_one_request_is_let_through_after_a_minute_and_any_answer_ends_it(
    answer,
):
    async def scenario():
        api = Api(httpx.Response(401), answer)
        with pytest.raises(ApiError):
            await api.client.summary()
        assert api.budget.key_refused
        reads = [asyncio.create_task(api.client.summary()) for _ in range(3)]
        await asyncio.sleep(59)
        assert len(api.requests) == 1
        await asyncio.sleep(2)
        await asyncio.gather(*reads, return_exceptions=True)
        assert not api.budget.key_refused
        assert api.times == pytest.approx([0.0, 60.0, 60.0, 60.0])
        assert api.budget.paused_until == 0.0

    run(scenario())


def test_while_the_key_stays_refused_one_request_a_minute_is_sent_however_many_wait():
    async def scenario():
        api = Api(httpx.Response(401))
        await asyncio.gather(*(api.client.summary() for _ in range(4)), return_exceptions=True)
        assert api.times == pytest.approx([0.0, 60.0, 120.0, 180.0])

    run(scenario())


def test_a_trial_without_an_answer_is_repeated_after_a_minute():
    async def scenario():
        lost = httpx.ConnectError("unreachable")
        api = Api(httpx.Response(401), lost, lost, httpx.Response(200, json=SUMMARY))
        with pytest.raises(ApiError):
            await api.client.summary()
        with pytest.raises(NetworkError):
            await api.client.summary()
        await api.client.summary()
        assert api.times == pytest.approx([0.0, 60.0, 120.0, 180.0])

    run(scenario())


def test_another_key_ends_the_wait_within_seconds():
    async def scenario():
        keys = ["old"]
        api = Api(httpx.Response(401), httpx.Response(200, json=SUMMARY), key=lambda: keys[-1])
        with pytest.raises(ApiError):
            await api.client.summary()
        read = asyncio.create_task(api.client.summary())
        await asyncio.sleep(12)
        assert not read.done()
        keys.append("new")
        await read
        assert api.times == pytest.approx([0.0, 15.0])
        assert api.requests[1].headers["authorization"] == "Bearer new"

    run(scenario())


def test_a_key_that_cannot_be_sent_pauses_the_account_until_it_can_and_costs_nothing():
    async def scenario():
        keys = [""]
        api = Api(httpx.Response(200, json=SUMMARY), key=lambda: keys[-1])
        with pytest.raises(ApiError):
            await api.client.summary()
        with pytest.raises(ApiError):
            await api.client.summary()
        assert api.loop.time() == pytest.approx(60.0)
        assert api.spent == 0
        keys.append("good")
        await api.client.summary()
        assert api.times == pytest.approx([65.0], abs=5)

    run(scenario())


def test_what_the_source_of_the_key_raises_reaches_the_caller_and_costs_nothing():
    async def scenario():
        def key():
            raise OSError("no such file")

        api = Api(httpx.Response(200, json=SUMMARY), key=key)
        with pytest.raises(OSError, match="no such file"):
            await api.client.summary()
        assert (api.spent, api.budget.key_refused) == (0, False)

    run(scenario())


# --- pauses ---


def test_an_api_that_asks_for_no_wait_is_asked_less_and_less_often():
    async def scenario():
        api = Api(httpx.Response(503, headers={"retry-after": "0"}), limit=100_000)
        end = api.loop.time() + 600

        async def again():
            while api.loop.time() < end:
                await asyncio.gather(api.client.summary(), return_exceptions=True)

        await asyncio.gather(*(again() for _ in range(4)))
        # Four at once after each pause.
        starts = sorted(set(api.times))
        assert starts[:8] == pytest.approx([0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0])
        assert len(api.requests) <= 4 * (7 + 600 / 60)

    run(scenario())
