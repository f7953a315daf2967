"""What each path answers, over real sockets."""

from __future__ import annotations

import asyncio
import gzip

import httpx
import pytest

from runtype_exporter.protocols import AccountStatus, Status
from runtype_exporter.web import create_app

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"


async def raw(harness, request):
    """An exchange without a client's help: the head and the body as they were sent."""
    reader, writer = await asyncio.open_connection(*harness.address)
    writer.write(request)
    data = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode().lower(), body


async def test_a_scrape_gets_what_was_counted(harness):
    harness.count(5.0)
    async with harness.open() as client:
        answer = await client.get("/metrics", headers={"accept": TEXT})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == TEXT
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert (
        'runtype_records_finished_total{account="a",flow="f",outcome="success",schedule="s"} 5.0\n'
        in answer.text
    )


async def test_prometheus_gets_openmetrics_in_gzip(harness):
    harness.count(5.0)
    async with harness.open():
        head, body = await raw(
            harness,
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: gzip\r\n"
            b"Accept: application/openmetrics-text;version=1.0.0,"
            b"text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\r\n",
        )
    assert "200 ok" in head
    assert "content-encoding: gzip" in head
    assert f"content-type: {OPENMETRICS}" in head
    assert f"content-length: {len(body)}" in head
    assert "transfer-encoding" not in head
    plain = gzip.decompress(body)
    assert b"runtype_records_finished_created{" in plain
    assert plain.endswith(b"# EOF\n")


async def test_a_client_that_stops_at_the_first_gzip_member_gets_everything(harness):
    harness.grow(600)
    async with harness.open() as client:
        zipped = await client.get("/metrics", headers={"accept-encoding": "gzip"})
        plain = await client.get("/metrics", headers={"accept-encoding": "identity"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert zipped.text.count("runtype_records_finished_total{") == 600
    assert plain.text.count("runtype_records_finished_total{") == 600


async def test_accept_headers_on_several_lines_are_one(harness):
    async with harness.open() as client:
        headers = [("accept", "text/html"), ("accept", "application/openmetrics-text")]
        answer = await client.get("/metrics", headers=headers)
    assert answer.headers["content-type"] == OPENMETRICS


async def test_head_has_the_headers_of_get_and_no_body_and_counts_for_no_scrape(harness):
    harness.count(5.0)
    async with harness.open() as client:
        head = await client.head("/metrics")
        assert harness.served == []
        get = await client.get("/metrics")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_a_scrape_that_was_sent_whole_is_reported_with_its_version(harness):
    harness.count(5.0)
    async with harness.open() as client:
        await client.get("/metrics")
        harness.count(6.0)
        harness.publisher.publish_now()
        await client.get("/metrics")
    assert harness.served == [1, 2]


async def test_a_connection_is_kept_for_the_next_scrape(harness):
    async with harness.open() as client:
        ends = []
        for _ in range(2):
            answer = await client.get("/metrics")
            ends.append(answer.extensions["network_stream"].get_extra_info("client_addr"))
    assert ends[0] == ends[1]


async def test_the_metrics_may_be_elsewhere(harness):
    async with harness.open(telemetry_path="/probe/metrics") as client:
        assert (await client.get("/probe/metrics")).headers["content-type"] == TEXT
        missing = await client.get("/metrics")
        assert missing.status_code == 404
        assert missing.text == "not found; the metrics are at /probe/metrics\n"
        assert '<a href="/probe/metrics">' in (await client.get("/")).text


async def test_the_metrics_may_take_the_landing_page_s_place(harness):
    async with harness.open(telemetry_path="/") as client:
        assert (await client.get("/")).headers["content-type"] == TEXT


@pytest.mark.parametrize("path", ["metrics", "", "/-/metrics", "/{path}", "/metrics?x", "/a#b"])
def test_a_telemetry_path_that_cannot_be_is_refused_with_the_flag_s_name(harness, path):
    with pytest.raises(ValueError, match=r"--web\.telemetry-path .*: give a path such as /metrics"):
        create_app(
            publisher=harness.publisher,
            status=harness,
            reload=harness.reload,
            version="1",
            telemetry_path=path,
        )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/metrics"),
        ("DELETE", "/"),
        ("POST", "/-/healthy"),
        ("PUT", "/-/ready"),
        ("GET", "/-/reload"),
    ],
)
async def test_other_methods_are_refused(harness, method, path):
    async with harness.open(lifecycle=True) as client:
        answer = await client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert harness.reloads == 0


async def test_unknown_paths_are_not_found_and_redirect_nowhere(harness):
    async with harness.open() as client:
        for path in ("/nothing", "/metrics/", "/-/", "/../etc/passwd", "/%2e%2e/x"):
            answer = await client.get(path, headers={"host": "elsewhere.example"})
            assert answer.status_code == 404
            assert "location" not in answer.headers


async def test_healthy_as_long_as_the_loop_turns(harness):
    async with harness.open() as client:
        answer = await client.get("/-/healthy")
    assert (answer.status_code, answer.text) == (200, "healthy\n")


async def test_ready_tells_what_is_waited_for(harness):
    async with harness.open() as client:
        starting = await client.get("/-/ready")
        harness.now = Status(
            ready=False,
            accounts=(
                AccountStatus("production", None, 0, 0, None, ""),
                AccountStatus("staging", False, 0, 0, None, ""),
            ),
        )
        waiting = await client.get("/-/ready")
        harness.now = Status(ready=True)
        ready = await client.get("/-/ready")
    assert (starting.status_code, starting.text) == (503, "not ready: starting\n")
    assert (waiting.status_code, waiting.text) == (
        503,
        "not ready: no cycle has ended yet of production\n",
    )
    assert (ready.status_code, ready.text) == (200, "ready\n")


async def test_a_reload_that_is_not_enabled_is_refused_with_the_flag_s_name(harness):
    async with harness.open() as client:
        answer = await client.post("/-/reload")
    assert answer.status_code == 403
    assert "--web.enable-lifecycle" in answer.text
    assert harness.reloads == 0


async def test_a_reload_answers_with_every_error(harness):
    async with harness.open(lifecycle=True) as client:
        good = await client.post("/-/reload")
        harness.errors = ["config.yaml:3: first", "config.yaml:9: second"]
        bad = await client.post("/-/reload")
    assert (good.status_code, good.text) == (200, "reloaded\n")
    assert (bad.status_code, bad.text) == (500, "config.yaml:3: first\nconfig.yaml:9: second\n")
    assert harness.reloads == 2


async def test_the_landing_page_shows_the_accounts_and_where_to_look(harness):
    harness.now = Status(
        ready=True,
        accounts=(
            AccountStatus("production", True, 12, 3, 1.7e9, ""),
            AccountStatus("staging", False, 0, 0, None, "unauthorised"),
            AccountStatus("new", None, 0, 0, None, ""),
        ),
    )
    async with harness.open() as client:
        answer = await client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Version 1.2.3. Ready." in answer.text
    for link in ("/metrics", "/-/healthy", "/-/ready"):
        assert f'<a href="{link}">' in answer.text
    rows = [("production", "up", 12, 3), ("staging", "down", 0, 0), ("new", "not polled yet", 0, 0)]
    for name, up, open_, waiting in rows:
        assert (
            f'<tr><th scope="row">{name}</th><td>{up}</td>'
            f'<td class="number">{open_}</td><td class="number">{waiting}</td></tr>' in answer.text
        )


async def test_the_landing_page_escapes_what_it_shows(harness):
    harness.now = Status(
        ready=False, accounts=(AccountStatus('<script>"x"&', None, 0, 0, None, ""),)
    )
    async with harness.open() as client:
        answer = await client.get("/")
    assert "<script>" not in answer.text
    assert "&lt;script&gt;&quot;x&quot;&amp;" in answer.text
    assert "Not ready yet." in answer.text


async def test_pages_carry_headers_that_keep_browsers_modest(harness):
    async with harness.open() as client:
        for path in ("/", "/-/healthy", "/-/ready", "/nothing"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "server" not in headers
        assert (await client.get("/metrics")).headers["x-content-type-options"] == "nosniff"


async def test_nonsense_on_the_wire_is_refused_and_the_server_goes_on(harness):
    async with harness.open() as client:
        head, _ = await raw(harness, b"\x00\xff nonsense\r\n\r\n")
        assert "400 bad request" in head
        assert (await client.get("/-/healthy")).status_code == 200


async def test_a_scrape_waits_for_no_other(harness):
    harness.grow(30_000)
    async with (
        harness.open() as client,
        client.stream("GET", "/metrics", headers={"accept-encoding": "identity"}),
    ):
        async with httpx.AsyncClient(base_url=client.base_url) as other:
            answer = await asyncio.wait_for(other.get("/metrics"), 5)
        assert answer.status_code == 200
