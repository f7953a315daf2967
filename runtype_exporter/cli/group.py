"""The program `runtype-exporter`: its commands, and the one that runs without a name."""

from __future__ import annotations

import click

from runtype_exporter import __version__
from runtype_exporter.cli.checking import check_config_command, rules_command
from runtype_exporter.cli.reopening import reopen_command
from runtype_exporter.cli.serving import healthcheck_command, once_command, serve_command
from runtype_exporter.cli.simulation import demo_command, simulate_command


class _ServeByDefault(click.Group):
    """A group that passes flags without a command to `serve`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (
            args[0] not in self.commands and args[0] not in ("-h", "--help", "--version")
        ):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_ServeByDefault,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(__version__, prog_name="runtype-exporter")
def main() -> None:
    """The Prometheus exporter for Runtype. Without a command: serve."""


for command in (
    serve_command,
    once_command,
    check_config_command,
    rules_command,
    healthcheck_command,
    reopen_command,
    simulate_command,
    demo_command,
):
    main.add_command(command)
