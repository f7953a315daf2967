"""The exporter at work, once or until it is stopped, and the question whether it is healthy."""

from __future__ import annotations

import time

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.simulator.settings import RecordPlan
from tests.support.commands import KEYS, run, stopped
from tests.support.process import Served, configure, finished


# --- once ---
def test_once_prints_the_metrics_and_exits_with_0(api, world, tmp_path):
    config = configure(tmp_path, api.url, poll={"lookback": "1h"})
    api.call(lambda: world.add_batch([RecordPlan()] * 7, at=time.time() - 5, schedule="nightly"))
    done = run("once", f"--config.file={config}", "--log.level=error", **KEYS)
    assert 0 == done.exit_code
    assert {("nightly", "enrich", "success"): 7.0} == finished(done.stdout)


def test_once_exits_with_1_where_the_api_fails_and_prints_what_it_has(api, faults, tmp_path):
    faults.add(ApiFault(kind="status", value=401))
    done = run("once", f"--config.file={configure(tmp_path, api.url)}", "--log.format=json", **KEYS)
    assert 1 == done.exit_code
    assert 'runtype_up{account="acme"} 0' in done.stdout


def test_once_exits_with_1_and_one_line_where_the_file_or_the_key_is_bad(tmp_path):
    missing = run("once", f"--config.file={tmp_path / 'none.yaml'}")
    assert (1, f"Error: {tmp_path / 'none.yaml'}: no such file") == (
        missing.exit_code,
        missing.stderr.split(";")[0],
    )
    nokey = run("once", f"--config.file={configure(tmp_path, 'http://127.0.0.1:1')}", ACME_KEY="")
    assert (1, True) == (nokey.exit_code, "ACME_KEY is empty" in nokey.stderr)


# --- serve ---
@pytest.mark.parametrize("arguments", [(), ("serve",)])
def test_serve_is_what_runs_without_a_command_and_ends_with_0(arguments, api, tmp_path):
    config = configure(tmp_path, api.url)
    ended = stopped(
        *arguments, f"--config.file={config}", "--web.listen-address=127.0.0.1:0", **KEYS
    )
    assert 0 == ended.exit_code
    assert "event=listening" in ended.stderr


def test_a_telemetry_path_that_is_none_is_one_line(tmp_path):
    config = configure(tmp_path, "http://127.0.0.1:1")
    flags = (
        f"--config.file={config}",
        "--web.listen-address=127.0.0.1:0",
        "--web.telemetry-path=metrics",
    )
    refused = run("serve", *flags, **KEYS)
    assert (1, True) == (
        refused.exit_code,
        "Error: --web.telemetry-path 'metrics': give a path" in refused.stderr,
    )


# --- healthcheck ---
@pytest.mark.parametrize("address", [":1", "0.0.0.0:1", "[::]:1", "127.0.0.1:1"])
def test_nobody_there_is_1_with_the_place_and_the_remedy(address):
    gone = run("healthcheck", f"--web.listen-address={address}")
    host = "[::1]" if "[" in address else "127.0.0.1"
    assert (1, True) == (gone.exit_code, f"http://{host}:1/-/healthy" in gone.output)
    assert "does the exporter run, and listen there (--web.listen-address)?" in gone.output


def test_somebody_else_there_is_1(api):
    other = run("healthcheck", f"--web.listen-address={api.url.removeprefix('http://')}")
    assert (1, True) == (other.exit_code, "HTTP 404" in other.output)


def test_a_server_that_answers_its_health_is_0():
    async def healthy(_request: object) -> PlainTextResponse:
        return PlainTextResponse("healthy")

    with Served(Starlette(routes=[Route("/-/healthy", healthy)])) as served:
        well = run("healthcheck", f"--web.listen-address={served.url.removeprefix('http://')}")
    assert (0, "healthy\n") == (well.exit_code, well.output)
