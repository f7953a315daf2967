"""How the process ends.

In order when it is asked to, whenever that is, and with exit code 1 when a part fails that must
not.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from functools import partial
from typing import Any

import pytest
import structlog

from runtype_exporter import app
from runtype_exporter.app import BadOption, Exporter, Options
from runtype_exporter.config import load
from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.polling import AccountPoller
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.web import Server


def signal_me(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


def ledger_files(harness: Any) -> list[str]:
    return sorted(file.name for file in harness.folder.glob("ledger.db*"))


async def ended(serving: asyncio.Task[int]) -> int:
    return await asyncio.wait_for(serving, 10)


class Broken(Exception):  # noqa: N818  # any fault of ours
    """An unexpected error."""


def broken(*_: object, **__: object) -> None:
    raise Broken


@pytest.fixture
def logs():
    with structlog.testing.capture_logs() as captured:
        yield captured


# --- when it is asked to ---
async def test_sigterm_while_it_starts_is_heeded(harness, api):
    harness.account(api)
    harness.write()
    listening: list[int] = []
    read = partial(load, harness.file, environ=harness.keys)

    def loaded() -> Any:
        # The ledger is not open yet.
        signal_me()
        return read()

    options = Options(load=loaded, host="127.0.0.1", port=0, on_listening=listening.append)
    assert 0 == await asyncio.wait_for(app.serve(options), 10)
    assert ["ledger.db"] == ledger_files(harness)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_while_it_stops_does_no_harm(harness, api, number):
    harness.account(api, page_size=2)
    harness.write()
    listening = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(app.serve(harness.options(on_listening=listening.set_result)))
    await listening
    api.batch(200)

    async def sweeping() -> bool:
        return len(api.asked("batch_results")) > 3

    await harness.until(sweeping)
    signal_me(number)
    await asyncio.sleep(0)
    signal_me(number)
    assert 0 == await ended(serving)
    # It was closed last and completely: no -wal file is left.
    assert ["ledger.db"] == ledger_files(harness)


async def test_a_stop_during_a_sweep_loses_and_repeats_nothing(harness, api):
    harness.account(api, page_size=5)
    async with harness.open():
        api.batch(300)

        async def sweeping() -> bool:
            return len(api.asked("batch_results")) > 3

        await harness.until(sweeping)
    assert ["ledger.db"] == ledger_files(harness)
    async with harness.open():
        await harness.until_total(300)


async def test_sigterm_during_a_reload_is_heeded(harness, api):
    harness.account(api)
    harness.write()
    listening = asyncio.get_running_loop().create_future()
    read, readings = partial(load, harness.file, environ=harness.keys), []

    def loaded() -> Any:
        readings.append(None)
        if len(readings) == 2:
            signal_me()
        return read()

    api.faults.add(ApiFault(kind="hang"))
    options = Options(load=loaded, host="127.0.0.1", port=0, on_listening=listening.set_result)
    serving = asyncio.create_task(app.serve(options))
    await listening
    signal_me(signal.SIGHUP)
    assert 0 == await ended(serving)
    assert 2 == len(readings)
    assert ["ledger.db"] == ledger_files(harness)


async def test_the_signals_are_the_systems_again_afterwards(harness, api):
    harness.account(api)
    harness.write()
    before = signal.getsignal(signal.SIGTERM)
    await app.serve(harness.options(on_listening=lambda _port: signal_me()))
    assert before == signal.getsignal(signal.SIGTERM)


# --- when it fails ---
async def starting(harness: Any) -> asyncio.Task[int]:
    harness.write()
    listening = asyncio.get_running_loop().create_future()
    harness.exporter = Exporter(harness.options(on_listening=listening.set_result))
    serving = asyncio.create_task(harness.exporter.serve())
    await listening
    return serving


def said(logs: list[dict[str, Any]]) -> list[type]:
    """The failures that were logged as the reason of the end."""
    return [
        type(line["exc_info"]) for line in logs if line["event"].startswith("stopped by a failure")
    ]


async def test_a_publisher_that_fails_ends_the_process_with_1(harness, api, logs):
    harness.account(api)
    serving = await starting(harness)
    harness.exporter._ledger.snapshot = broken
    assert 1 == await ended(serving)
    assert [Broken] == said(logs)
    assert ["ledger.db"] == ledger_files(harness)


async def test_a_web_server_that_ends_by_itself_ends_the_process_with_1(
    harness, api, logs, monkeypatch
):
    servers = []

    class Remembered(Server):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            servers.append(self)

    monkeypatch.setattr(app, "Server", Remembered)
    harness.account(api)
    serving = await starting(harness)
    servers[0].stop()
    assert 1 == await ended(serving)
    assert [RuntimeError] == said(logs)


async def test_an_account_whose_task_fails_ends_the_process_with_1(harness, api, logs, monkeypatch):
    async def fails(_: AccountPoller) -> None:
        raise Broken

    monkeypatch.setattr(AccountPoller, "run", fails)
    harness.account(api)
    harness.write()
    harness.exporter = Exporter(harness.options())
    assert 1 == await asyncio.wait_for(harness.exporter.serve(), 10)
    assert [Broken] == said(logs)
    assert ["ledger.db"] == ledger_files(harness)


async def test_a_reload_that_fails_half_way_ends_the_process_with_1(harness, api, logs):
    """Without any accounts, a process that went on would look alive and poll nothing."""
    harness.account(api)
    serving = await starting(harness)

    def failing(_account: str) -> None:
        raise LedgerFailed(harness.folder / "ledger.db", OSError("no disk"))

    harness.exporter._ledger.load_budget = failing
    with pytest.raises(LedgerFailed):
        await harness.exporter.reload()
    assert 1 == await ended(serving)
    assert [LedgerFailed] == said(logs)


async def test_a_telemetry_path_that_is_none_is_refused_and_the_ledger_let_go(harness, api):
    harness.account(api)
    harness.write()
    with pytest.raises(BadOption, match=r"--web\.telemetry-path 'metrics'"):
        await Exporter(harness.options(telemetry_path="metrics")).serve()
    assert ["ledger.db"] == ledger_files(harness)
    async with harness.open():
        await harness.until_ready()


async def test_an_address_in_use_is_refused_and_the_ledger_let_go(harness, api):
    harness.account(api)
    harness.write()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OSError, match=rf"cannot listen on 127\.0\.0\.1:{port} \(--web\.listen-address\)"
        ):
            await Exporter(harness.options(port=port)).serve()
    assert ["ledger.db"] == ledger_files(harness)


@pytest.mark.parametrize("host", ["", "::1", "127.0.0.1"])
async def test_it_listens_on_both_families_one_or_the_other(harness, api, host):
    harness.account(api)
    harness.write()
    seen = []

    def on_listening(port: int) -> None:
        target = "127.0.0.1" if host == "" else host
        with socket.create_connection((target, port), timeout=2):
            seen.append(target)
        harness.exporter.stop()

    harness.exporter = Exporter(harness.options(host=host, on_listening=on_listening))
    assert 0 == await asyncio.wait_for(harness.exporter.serve(), 10)
    assert 1 == len(seen)


# --- once ---
async def test_catching_up_counts_everything_and_shuts_the_ledger(harness, api):
    harness.account(api)
    harness.write()
    api.batch(12)
    well, text = await app.catch_up(harness.options())
    labels = 'account="acme",flow="enrich",outcome="success",schedule="nightly"'
    assert well
    assert f"runtype_records_finished_total{{{labels}}} 12" in text
    assert ["ledger.db"] == ledger_files(harness)


async def test_catching_up_fails_where_the_api_does(harness, api, logs):
    harness.account(api)
    harness.write()
    api.faults.add(ApiFault(kind="status", value=500))
    well, text = await app.catch_up(harness.options())
    assert (False, True) == (well, 'runtype_up{account="acme"} 0' in text)


async def test_a_key_that_is_lost_while_it_runs_is_said_and_comes_back(harness, api, logs):
    harness.account(api)
    async with harness.open():
        await harness.until_ready()
        key = harness.keys.pop("KEY")

        async def logged() -> bool:
            return any(line["event"] == "the API key cannot be read" for line in logs)

        await harness.until(logged)
        await harness.until_total(0, "runtype_up")
        harness.keys["KEY"] = key
        await harness.reloaded()
        await harness.until_total(1, "runtype_up")
    assert key not in str(logs)
