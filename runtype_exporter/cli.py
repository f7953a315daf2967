"""The commands, their flags, exit codes and messages."""

from __future__ import annotations

import asyncio
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx

from runtype_exporter import __version__, logs
from runtype_exporter.app import BadOption, Options, catch_up, serve
from runtype_exporter.clock import SystemClock
from runtype_exporter.config import Config, ConfigError, SecretError, load
from runtype_exporter.demo import Demo
from runtype_exporter.forecast import DEFAULT_INVENTORY, AccountInventory, forecast_text, survey
from runtype_exporter.ledger import LedgerError
from runtype_exporter.metrics import ProcessMetrics
from runtype_exporter.rules import RUNBOOKS, rule_files, text_of
from runtype_exporter.runtype import ApiError

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


class _ServeByDefault(click.Group):
    """A group that passes flags without a command to `serve`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (
            args[0] not in self.commands and args[0] not in ("-h", "--help", "--version")
        ):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


def _flag(name: str, **settings: Any) -> Callable[[Command], Command]:
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


def _config_flags(command: Command) -> Command:
    command = _flag(
        "state.path",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help="The ledger's file; overrides state.path of the configuration.",
    )(command)
    return _config_flag(command)


def _config_flag(command: Command) -> Command:
    return _flag(
        "config.file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help=(
            "The configuration. Default: ./config.yaml,"
            " or the built-in defaults where there is none."
        ),
    )(command)


def _log_flags(command: Command) -> Command:
    command = _flag(
        "log.format",
        type=click.Choice(["logfmt", "json"]),
        default="logfmt",
        help="How a log line looks.",
    )(command)
    return _flag(
        "log.level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        help="The least that is logged.",
    )(command)


def _web_flags(command: Command) -> Command:
    command = _flag("web.enable-lifecycle", is_flag=True, help="Allow POST /-/reload.")(command)
    command = _flag("web.telemetry-path", default="/metrics", help="Where the metrics are served.")(
        command
    )
    return _flag(
        "web.listen-address",
        default=DEFAULT_ADDRESS,
        help="Where to listen, as HOST:PORT or :PORT.",
    )(command)


@click.group(
    cls=_ServeByDefault,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(__version__, prog_name="runtype-exporter")
def main() -> None:
    """The Prometheus exporter for Runtype. Without a command: serve."""


@main.command("serve")
@_config_flags
@_web_flags
@_log_flags
def serve_command(**flags: Any) -> None:
    """Poll the API and serve the metrics."""
    logs.configure(flags["log_level"], flags["log_format"])
    _exit_with(lambda: serve(_options(flags)))


@main.command("once")
@_config_flags
@_log_flags
def once_command(**flags: Any) -> None:
    """Poll until caught up, print the metrics, and exit: 1 if anything failed."""
    logs.configure(flags["log_level"], flags["log_format"])

    async def run() -> int:
        well, text = await catch_up(_options(flags))
        click.echo(text, nl=False)
        return 0 if well else 1

    _exit_with(run)


@main.command("check-config")
@_config_flags
@_flag(
    "live",
    is_flag=True,
    help=(
        "Ask the API what the accounts hold:"
        " a few requests, which a running exporter does not know of."
    ),
)
def check_config_command(config_file: Path | None, state_path: Path | None, *, live: bool) -> None:
    """Check the configuration: every error with its line, or a forecast of requests and series."""
    # The survey's own log lines are not part of the forecast.
    logs.configure("warning", "logfmt")
    config = _load(config_file)
    click.echo(f"the configuration is good; ledger at {state_path or config.state.path}\n")

    async def look() -> dict[str, AccountInventory]:
        clock, telemetry = SystemClock(), ProcessMetrics()
        held = {}
        for account in config.accounts:
            try:
                held[account.name] = await survey(
                    account, config.state, clock=clock, telemetry=telemetry
                )
            except (ApiError, SecretError) as error:
                raise click.ClickException(f"{account.name}: {error}") from None
        return held

    inventories = (
        asyncio.run(look())
        if live
        else dict.fromkeys((account.name for account in config.accounts), DEFAULT_INVENTORY)
    )
    click.echo(forecast_text(config, inventories), nl=False)


@main.command("rules")
@_config_flag
@_flag(
    "out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help=(
        "Write files of counters, objectives and alerts into this folder,"
        " instead of printing a document of each."
    ),
)
@_flag(
    "runbooks",
    default=RUNBOOKS,
    help="Where the runbooks are published: a URL that their names are put behind.",
)
def rules_command(config_file: Path | None, out: Path | None, runbooks: str) -> None:
    """Make Prometheus rules of the configuration: burn alerts of its objectives, and all others."""
    files = rule_files(_load(config_file))
    for file in files:
        if out is None:
            click.echo(f"---\n{text_of(file, runbooks)}", nl=False)
            continue
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / file.name).write_text(text_of(file, runbooks), encoding="utf-8")
        except OSError as error:
            raise click.ClickException(
                f"cannot write {out / file.name} (--out): {error.strerror}"
            ) from None
        click.echo(f"{out / file.name}: {sum(len(group.rules) for group in file.groups)} rules")


@main.command("healthcheck")
@_flag("web.listen-address", default=DEFAULT_ADDRESS, help="Where the exporter listens.")
def healthcheck_command(web_listen_address: str) -> None:
    """Ask a running exporter on this machine whether it is healthy: exit 0 if so."""
    host, port = _address(web_listen_address)
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared with, not bound to
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/-/healthy"
    try:
        answer = httpx.get(url, timeout=3.0, trust_env=False)
    except httpx.HTTPError as error:
        raise click.ClickException(
            f"{url}: {error}; does the exporter run, and listen there (--web.listen-address)?"
        ) from None
    if answer.status_code != httpx.codes.OK:
        raise click.ClickException(f"{url}: HTTP {answer.status_code}")
    click.echo("healthy")


@main.command("simulate")
@_flag("web.listen-address", default="127.0.0.1:10078", help="Where the simulated API listens.")
@_flag(
    "simulate.seed",
    type=int,
    default=1,
    help="What the simulated account's chances are drawn from.",
)
@_flag("simulate.speed", type=SPEED, default=1.0, help="How fast its time runs.")
@_log_flags
def simulate_command(**flags: Any) -> None:
    """Serve a simulated Runtype API: a company's account, no credentials of yours needed."""
    logs.configure(flags["log_level"], flags["log_format"])
    demo = Demo(seed=flags["simulate_seed"], speed=flags["simulate_speed"])
    host, port = _address(flags["web_listen_address"])
    _exit_with(lambda: demo.simulate(host, port, click.echo))


@main.command("demo")
@_flag("web.listen-address", default="127.0.0.1:10077", help="Where the exporter listens.")
@_flag(
    "simulate.seed",
    type=int,
    default=1,
    help="What the simulated account's chances are drawn from.",
)
@_flag(
    "simulate.speed", type=SPEED, default=1.0, help="How fast the simulated account's time runs."
)
@_log_flags
def demo_command(**flags: Any) -> None:
    """Run the exporter against the built-in simulator: no account needed, nothing kept."""
    logs.configure(flags["log_level"], flags["log_format"])
    demo = Demo(seed=flags["simulate_seed"], speed=flags["simulate_speed"])
    host, port = _address(flags["web_listen_address"])

    async def run() -> int:
        with tempfile.TemporaryDirectory(prefix="runtype-exporter-demo-") as folder:
            return await demo.run(host, port, Path(folder), click.echo)

    _exit_with(run)


def _options(flags: dict[str, Any]) -> Options:
    host, port = _address(flags.get("web_listen_address", DEFAULT_ADDRESS))
    return Options(
        load=lambda: load(flags["config_file"]),
        state_path=flags["state_path"],
        host=host,
        port=port,
        telemetry_path=flags.get("web_telemetry_path", "/metrics"),
        lifecycle=flags.get("web_enable_lifecycle", False),
    )


def _load(path: Path | None) -> Config:
    try:
        return load(path)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def _exit_with(run: Callable[[], Any]) -> None:
    """Run to the end and exit with its code.

    Errors that the user can correct are shown as one message, not as a traceback.
    """
    try:
        exit_code = asyncio.run(run())
    except (ConfigError, SecretError, LedgerError, BadOption, OSError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        exit_code = 130
    sys.exit(exit_code)


def _address(text: str) -> tuple[str, int]:
    """Parse HOST:PORT, :PORT or [HOST]:PORT."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(
            f"{text!r} is no HOST:PORT, such as :10077 or 127.0.0.1:10077",
            param_hint="--web.listen-address",
        )
    return host.removeprefix("[").removesuffix("]"), int(port)
