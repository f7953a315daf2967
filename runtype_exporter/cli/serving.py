"""The commands of an exporter at work: serve, once and healthcheck."""

from __future__ import annotations

from typing import Any

import click
import httpx

from runtype_exporter import logs
from runtype_exporter.app import Options, catch_up, serve
from runtype_exporter.cli.options import (
    DEFAULT_ADDRESS,
    address,
    config_flags,
    flag,
    log_flags,
    web_flags,
)
from runtype_exporter.cli.running import exit_with
from runtype_exporter.config import load


@click.command("serve")
@config_flags
@web_flags
@log_flags
def serve_command(**flags: Any) -> None:
    """Poll the API and serve the metrics."""
    logs.configure(flags["log_level"], flags["log_format"])
    exit_with(lambda: serve(_options(flags)))


@click.command("once")
@config_flags
@log_flags
def once_command(**flags: Any) -> None:
    """Poll until caught up, print the metrics, and exit: 1 if anything failed."""
    logs.configure(flags["log_level"], flags["log_format"])

    async def run() -> int:
        well, text = await catch_up(_options(flags))
        click.echo(text, nl=False)
        return 0 if well else 1

    exit_with(run)


@click.command("healthcheck")
@flag("web.listen-address", default=DEFAULT_ADDRESS, help="Where the exporter listens.")
def healthcheck_command(web_listen_address: str) -> None:
    """Ask a running exporter on this machine whether it is healthy: exit 0 if so."""
    host, port = address(web_listen_address)
    # The address is compared with, not bound to.
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
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


def _options(flags: dict[str, Any]) -> Options:
    host, port = address(flags.get("web_listen_address", DEFAULT_ADDRESS))
    return Options(
        load=lambda: load(flags["config_file"]),
        state_path=flags["state_path"],
        host=host,
        port=port,
        telemetry_path=flags.get("web_telemetry_path", "/metrics"),
        lifecycle=flags.get("web_enable_lifecycle", False),
    )
