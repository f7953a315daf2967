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
from runtype_exporter.simulator.faults import ApiFault
from runtype_exporter.web import Server


def signal_me(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


def ledger_files(house: Any) -> list[str]:
    return sorted(file.name for file in house.folder.glob("ledger.db*"))


async def ended(serving: asyncio.Task[int]) -> int:
    return await asyncio.wait_for(serving, 10)


class Broken(Exception):  # noqa: N818
    """What nobody expects."""


def broken(*_: object, **__: object) -> None:
    raise Broken


@pytest.fixture
def logs():
    with structlog.testing.capture_logs() as captured:
        yield captured


# --- when it is asked to ---
async def test_sigterm_while_it_starts_is_heeded(house, api):
    house.account(api)
    house.write()
    listening: list[int] = []
    read = partial(load, house.file, environ=house.keys)

    def loaded() -> Any:
        # The ledger is not open yet.
        signal_me()
        return read()

    options = Options(load=loaded, host="127.0.0.1", port=0, on_listening=listening.append)
    assert 0 == await asyncio.wait_for(app.serve(options), 10)
    assert ["ledger.db"] == ledger_files(house)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_while_it_stops_does_no_harm(house, api, number):
    house.account(api, page_size=2)
    house.write()
    listening = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(app.serve(house.options(on_listening=listening.set_result)))
    await listening
    api.batch(200)

    async def sweeping() -> bool:
        return len(api.asked("batch_results")) > 3

    await house.until(sweeping)
    signal_me(number)
    await asyncio.sleep(0)
    signal_me(number)
    assert 0 == await ended(serving)
    # It was closed last and completely: no -wal file is left.
    assert ["ledger.db"] == ledger_files(house)


async def test_a_stop_during_a_sweep_loses_and_repeats_nothing(house, api):
    house.account(api, page_size=5)
    async with house.open():
        api.batch(300)

        async def sweeping() -> bool:
            return len(api.asked("batch_results")) > 3

        await house.until(sweeping)
    assert ["ledger.db"] == ledger_files(house)
    async with house.open():
        await house.until_total(300)


async def test_sigterm_during_a_reload_is_heeded(house, api):
    house.account(api)
    house.write()
    listening = asyncio.get_running_loop().create_future()
    read, readings = partial(load, house.file, environ=house.keys), []

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
    assert ["ledger.db"] == ledger_files(house)


async def test_the_signals_are_the_systems_again_afterwards(house, api):
    house.account(api)
    house.write()
    before = signal.getsignal(signal.SIGTERM)
    await app.serve(house.options(on_listening=lambda _port: signal_me()))
    assert before == signal.getsignal(signal.SIGTERM)


# --- when it fails ---
async def starting(house: Any) -> asyncio.Task[int]:
    house.write()
    listening = asyncio.get_running_loop().create_future()
    house.exporter = Exporter(house.options(on_listening=listening.set_result))
    serving = asyncio.create_task(house.exporter.serve())
    await listening
    return serving


def said(logs: list[dict[str, Any]]) -> list[type]:
    """The failures that were logged as the reason of the end."""
    return [
        type(line["exc_info"]) for line in logs if line["event"].startswith("stopped by a failure")
    ]


async def test_a_publisher_that_fails_ends_the_process_with_1(house, api, logs):
    house.account(api)
    serving = await starting(house)
    house.exporter._ledger.snapshot = broken
    assert 1 == await ended(serving)
    assert [Broken] == said(logs)
    assert ["ledger.db"] == ledger_files(house)


async def test_a_web_server_that_ends_by_itself_ends_the_process_with_1(
    house, api, logs, monkeypatch
):
    servers = []

    class Remembered(Server):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            servers.append(self)

    monkeypatch.setattr(app, "Server", Remembered)
    house.account(api)
    serving = await starting(house)
    servers[0].stop()
    assert 1 == await ended(serving)
    assert [RuntimeError] == said(logs)


async def test_an_account_whose_task_fails_ends_the_process_with_1(house, api, logs):
    house.account(api)
    house.write()
    house.exporter = Exporter(house.options())
    house.exporter._gauges.forget = broken
    assert 1 == await asyncio.wait_for(house.exporter.serve(), 10)
    assert [Broken] == said(logs)
    assert ["ledger.db"] == ledger_files(house)


async def test_a_reload_that_fails_half_way_ends_the_process_with_1(house, api, logs):
    """With its accounts stopped and no others started, a process that went on would look alive and poll nothing."""
    house.account(api)
    serving = await starting(house)

    def failing(_account: str) -> None:
        raise LedgerFailed(house.folder / "ledger.db", OSError("no disk"))

    house.exporter._ledger.load_budget = failing
    with pytest.raises(LedgerFailed):
        await house.exporter.reload()
    assert 1 == await ended(serving)
    assert [LedgerFailed] == said(logs)


async def test_a_telemetry_path_that_is_none_is_refused_and_the_ledger_let_go(house, api):
    house.account(api)
    house.write()
    with pytest.raises(BadOption, match=r"--web\.telemetry-path 'metrics'"):
        await Exporter(house.options(telemetry_path="metrics")).serve()
    assert ["ledger.db"] == ledger_files(house)
    async with house.open():
        await house.until_ready()


async def test_an_address_in_use_is_refused_and_the_ledger_let_go(house, api):
    house.account(api)
    house.write()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OSError, match=rf"cannot listen on 127\.0\.0\.1:{port} \(--web\.listen-address\)"
        ):
            await Exporter(house.options(port=port)).serve()
    assert ["ledger.db"] == ledger_files(house)


@pytest.mark.parametrize("host", ["", "::1", "127.0.0.1"])
async def test_it_listens_on_both_families_one_or_the_other(house, api, host):
    house.account(api)
    house.write()
    seen = []

    def on_listening(port: int) -> None:
        target = "127.0.0.1" if host == "" else host
        with socket.create_connection((target, port), timeout=2):
            seen.append(target)
        house.exporter.stop()

    house.exporter = Exporter(house.options(host=host, on_listening=on_listening))
    assert 0 == await asyncio.wait_for(house.exporter.serve(), 10)
    assert 1 == len(seen)


# --- once ---
async def test_catching_up_counts_everything_and_shuts_the_ledger(house, api):
    house.account(api)
    house.write()
    api.batch(12)
    well, text = await app.catch_up(house.options())
    labels = 'account="acme",flow="enrich",outcome="success",schedule="nightly"'
    assert well
    assert f"runtype_records_finished_total{{{labels}}} 12" in text
    assert ["ledger.db"] == ledger_files(house)


async def test_catching_up_fails_where_the_api_does(house, api, logs):
    house.account(api)
    house.write()
    api.faults.add(ApiFault(kind="status", value=500))
    well, text = await app.catch_up(house.options())
    assert (False, True) == (well, 'runtype_up{account="acme"} 0' in text)


async def test_a_key_that_is_lost_while_it_runs_is_said_and_comes_back(house, api, logs):
    house.account(api)
    async with house.open():
        await house.until_ready()
        key = house.keys.pop("KEY")

        async def told() -> bool:
            return any(line["event"] == "the API key cannot be read" for line in logs)

        await house.until(told)
        await house.until_total(0, "runtype_up")
        house.keys["KEY"] = key
        await house.reloaded()
        await house.until_total(1, "runtype_up")
    assert key not in str(logs)
