"""The flags that commands share, and how their values are parsed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

PREFIX = "RUNTYPE_EXPORTER"
DEFAULT_ADDRESS = ":10077"


class _Speed(click.FloatRange):
    """A range that refuses NaN too: it is neither below nor above any limit."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        speed = float(super().convert(value, param, ctx))
        return self.fail("nan is no speed", param, ctx) if math.isnan(speed) else speed


SPEED = _Speed(min=0.01, max=10_000)
"""How many simulated seconds may pass in a real one. Beyond these limits the clock makes no sense.
"""


def flag(name: str, **settings: Any) -> Callable[[Command], Command]:
    """Return an option in Prometheus' style that can also be set in the environment."""
    word = name.replace(".", "_").replace("-", "_")
    return click.option(
        f"--{name}",
        word,
        envvar=f"{PREFIX}_{word.upper()}",
        show_envvar=True,
        show_default=True,
        **settings,
    )


def config_flags(command: Command) -> Command:
    """Add the flags of the configuration and of the ledger's file."""
    command = flag(
        "state.path",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help="The ledger's file; overrides state.path of the configuration.",
    )(command)
    return config_flag(command)


def config_flag(command: Command) -> Command:
    """Add the flag of the configuration."""
    return flag(
        "config.file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help=(
            "The configuration. Default: ./config.yaml,"
            " or the built-in defaults where there is none."
        ),
    )(command)


def log_flags(command: Command) -> Command:
    """Add the flags of the log."""
    command = flag(
        "log.format",
        type=click.Choice(["logfmt", "json"]),
        default="logfmt",
        help="How a log line looks.",
    )(command)
    return flag(
        "log.level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        help="The least that is logged.",
    )(command)


def web_flags(command: Command) -> Command:
    """Add the flags of the web server."""
    command = flag("web.enable-lifecycle", is_flag=True, help="Allow POST /-/reload.")(command)
    command = flag("web.telemetry-path", default="/metrics", help="Where the metrics are served.")(
        command
    )
    return flag(
        "web.listen-address",
        default=DEFAULT_ADDRESS,
        help="Where to listen, as HOST:PORT or :PORT.",
    )(command)


def address(text: str) -> tuple[str, int]:
    """Parse HOST:PORT, :PORT or [HOST]:PORT."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(
            f"{text!r} is no HOST:PORT, such as :10077 or 127.0.0.1:10077",
            param_hint="--web.listen-address",
        )
    return host.removeprefix("[").removesuffix("]"), int(port)
