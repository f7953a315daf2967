"""The program: its help, its version, and what is no command."""

from __future__ import annotations

import pytest

from runtype_exporter import __version__
from runtype_exporter.cli import main
from tests.support.commands import run


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag):
    helped = run(flag)
    assert 0 == helped.exit_code
    assert set() == {name for name in main.commands if f"\n  {name} " not in helped.output}


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
