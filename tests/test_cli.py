"""What a person types, and what they get.

Texts, files' faults with their places, and exit codes.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from runtype_exporter import __version__
from runtype_exporter.cli import main
from runtype_exporter.clock import SystemClock
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.faults import ApiFault, Faults
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import RecordPlan
from tests.support.process import KEY, PATIENCE, Served, configure, finished

FIXTURES = Path(__file__).parent / "config" / "fixtures"
ADDRESSES = ("", "10077", "localhost", "localhost:", "localhost:http", ":65536", ":-1")
KEYS = {"ACME_KEY": KEY}


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environ, catch_exceptions=False)


def stopped(*arguments: str, number: signal.Signals = signal.SIGTERM, **environ: str) -> Result:
    """Run something that ends by a signal only, which comes as soon as it is listened for."""
    before = signal.getsignal(number)

    def stop() -> None:
        end = time.monotonic() + PATIENCE
        while signal.getsignal(number) is before and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        return run(*arguments, **environ)
    finally:
        thread.join()


@pytest.fixture(autouse=True)
def own_logging():
    """Restore logging after each test.

    A command sets it up for its process, on a standard error that is gone when the runner is done.
    """
    root = logging.getLogger()
    handlers, level, before = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.fixture
def world():
    return small_world(SystemClock())


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def api(world, faults):
    with Served(simulator_app(world, keys=[Key(KEY)], faults=faults)) as served:
        yield served


# --- help and flags ---
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag):
    helped = run(flag)
    assert 0 == helped.exit_code
    assert set() == {name for name in main.commands if f"\n  {name} " not in helped.output}


@pytest.mark.parametrize("command", sorted(main.commands))
def test_each_commands_help_names_its_flags_and_their_twins(command):
    helped = run(command, "--help")
    assert 0 == helped.exit_code
    for parameter in main.commands[command].params:
        twin = (
            "RUNTYPE_EXPORTER_"
            + parameter.opts[0].removeprefix("--").replace(".", "_").replace("-", "_").upper()
        )
        assert parameter.opts[0] in helped.output
        assert twin == parameter.envvar
        assert twin in helped.output.replace("\n", " ")


def test_the_version_is_the_packages():
    assert f"runtype-exporter, version {__version__}\n" == run("--version").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("--nope",),
        ("serve", "--log.level=loud"),
        ("demo", "--simulate.speed=0"),
        ("simulate", "--simulate.speed=nan"),
    ],
)
def test_what_is_no_command_or_flag_is_a_usage_error(arguments):
    refused = run(*arguments)
    assert (2, True) == (refused.exit_code, "Error: " in refused.output)


@pytest.mark.parametrize("command", ["serve", "demo", "simulate", "healthcheck"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_bad_address_is_refused_with_an_example(command, address):
    refused = run(command, f"--web.listen-address={address}")
    assert 2 == refused.exit_code
    assert f"{address!r} is no HOST:PORT, such as :10077 or 127.0.0.1:10077" in refused.output


def test_the_environment_says_what_a_flag_does_and_the_flag_wins():
    environ = {"RUNTYPE_EXPORTER_WEB_LISTEN_ADDRESS": "there"}
    assert "'there' is no HOST:PORT" in run("healthcheck", **environ).output
    assert (
        "'here' is no HOST:PORT"
        in run("healthcheck", "--web.listen-address=here", **environ).output
    )


# --- check-config ---
@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.bad.yaml")), ids=lambda file: file.name)
def test_a_bad_file_is_told_with_its_places(file):
    refused = run("check-config", f"--config.file={file}")
    assert 1 == refused.exit_code
    first, *_ = refused.output.removeprefix("Error: ").splitlines()
    place, line, _ = first.split(":", 2)
    assert (str(file), True) == (place, line.isdigit())


def test_every_fault_of_a_file_is_told_at_once(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("accounts:\n  - name: a\n    timeout: 5\npoll:\n  intervall: 1s\n")
    lines = run("check-config", f"--config.file={file}").output.removeprefix("Error: ").splitlines()
    assert [2, 3, 5] == sorted(
        int(line.split(":")[1]) for line in lines if line.startswith(str(file))
    )


def test_a_good_file_is_forecast_and_live_asks_the_api(api, tmp_path):
    config = configure(tmp_path, api.url)
    checked = run("check-config", f"--config.file={config}")
    assert 0 == checked.exit_code
    assert checked.output.startswith(
        f"the configuration is good; ledger at {tmp_path / 'ledger.db'}\n"
    )
    elsewhere = run(
        "check-config", f"--config.file={config}", "--state.path=/x.db", "--live", **KEYS
    )
    assert (0, True) == (elsewhere.exit_code, "ledger at /x.db" in elsewhere.output)
    assert not (tmp_path / "ledger.db").exists()


def test_live_fails_where_the_api_does_or_the_key_is_missing(api, faults, tmp_path):
    config = configure(tmp_path, api.url)
    nokey = run("check-config", f"--config.file={config}", "--live", ACME_KEY="")
    assert (1, True) == (nokey.exit_code, "ACME_KEY is empty" in nokey.output)
    faults.add(ApiFault(kind="status", value=401))
    refused = run("check-config", f"--config.file={config}", "--live", **KEYS)
    assert (1, True) == (refused.exit_code, refused.stderr.splitlines()[-1].startswith("Error: "))
    assert refused.stdout.startswith("the configuration is good")


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


# --- what runs until it is stopped ---
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


def test_an_interrupt_is_130(api, faults, tmp_path):
    """`once` has nothing to tidy up that a crash would not leave whole as well."""
    faults.add(ApiFault(kind="hang"))
    config = configure(tmp_path, api.url)

    def interrupt() -> None:
        end = time.monotonic() + PATIENCE
        while not faults.fired() and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert 130 == run("once", f"--config.file={config}", **KEYS).exit_code
    thread.join()


def test_the_simulator_says_where_it_is_and_ends_with_0():
    ended = stopped("simulate", "--web.listen-address=:0", number=signal.SIGINT)
    assert 0 == ended.exit_code
    assert ended.stdout.startswith("simulated API  http://127.0.0.1:")


def test_the_demo_says_where_to_look_and_leaves_nothing_behind(tmp_path):
    ended = stopped("demo", "--web.listen-address=127.0.0.1:0", TMPDIR=str(tmp_path))
    assert 0 == ended.exit_code
    assert ["simulated API", "metrics", "status", "try"] == [
        line.split("  ")[0] for line in ended.stdout.splitlines() if "http" in line
    ]
    assert [] == list(tmp_path.iterdir())


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
