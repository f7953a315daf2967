"""Flags, their variables in the environment, and addresses."""

from __future__ import annotations

import click
import pytest

from runtype_exporter.cli import main
from tests.support.commands import run

ADDRESSES = ("", "10077", "localhost", "localhost:", "localhost:http", ":65536", ":-1")


@pytest.mark.parametrize("command", sorted(main.commands))
def test_each_commands_help_names_its_flags_and_their_twins(command):
    helped = run(command, "--help")
    assert 0 == helped.exit_code
    options = (p for p in main.commands[command].params if isinstance(p, click.Option))
    for parameter in options:
        variable = (
            "RUNTYPE_EXPORTER_"
            + parameter.opts[0].removeprefix("--").replace(".", "_").replace("-", "_").upper()
        )
        assert parameter.opts[0] in helped.output
        assert variable == parameter.envvar
        assert variable in helped.output.replace("\n", " ")


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
