"""The commands that only read the configuration: check-config and rules."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from runtype_exporter import logs
from runtype_exporter.cli.options import config_flag, config_flags, flag
from runtype_exporter.clock import SystemClock
from runtype_exporter.config import Config, ConfigError, SecretError, load
from runtype_exporter.forecast import DEFAULT_INVENTORY, AccountInventory, forecast_text, survey
from runtype_exporter.metrics import ProcessMetrics
from runtype_exporter.rules import RUNBOOKS, rule_files, text_of
from runtype_exporter.runtype import ApiError


@click.command("check-config")
@config_flags
@flag(
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


@click.command(
    "rules",
    help=(
        "Make Prometheus rules of the configuration: its objectives' burn alerts,"
        " and alerts on all that is watched."
    ),
)
@config_flag
@flag(
    "out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help=(
        "Write files of counters, objectives and alerts into this folder,"
        " instead of printing a document of each."
    ),
)
@flag(
    "runbooks",
    default=RUNBOOKS,
    help="Where the runbooks are published: a URL that their names are put behind.",
)
def rules_command(config_file: Path | None, out: Path | None, runbooks: str) -> None:
    """Print or write the rules of the configuration."""
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


def _load(path: Path | None) -> Config:
    try:
        return load(path)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
