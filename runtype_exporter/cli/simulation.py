"""The commands that need no account: simulate and demo."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from runtype_exporter import logs
from runtype_exporter.cli.options import SPEED, address, flag, log_flags
from runtype_exporter.cli.running import exit_with
from runtype_exporter.demo import Demo


@click.command("simulate")
@flag("web.listen-address", default="127.0.0.1:10078", help="Where the simulated API listens.")
@flag(
    "simulate.seed",
    type=int,
    default=1,
    help="What the simulated account's chances are drawn from.",
)
@flag("simulate.speed", type=SPEED, default=1.0, help="How fast its time runs.")
@log_flags
def simulate_command(**flags: Any) -> None:
    """Serve a simulated Runtype API: a company's account, no credentials of yours needed."""
    logs.configure(flags["log_level"], flags["log_format"])
    demo = Demo(seed=flags["simulate_seed"], speed=flags["simulate_speed"])
    host, port = address(flags["web_listen_address"])
    exit_with(lambda: demo.simulate(host, port, click.echo))


@click.command("demo")
@flag("web.listen-address", default="127.0.0.1:10077", help="Where the exporter listens.")
@flag(
    "simulate.seed",
    type=int,
    default=1,
    help="What the simulated account's chances are drawn from.",
)
@flag("simulate.speed", type=SPEED, default=1.0, help="How fast the simulated account's time runs.")
@log_flags
def demo_command(**flags: Any) -> None:
    """Run the exporter against the built-in simulator: no account needed, nothing kept."""
    logs.configure(flags["log_level"], flags["log_format"])
    demo = Demo(seed=flags["simulate_seed"], speed=flags["simulate_speed"])
    host, port = address(flags["web_listen_address"])

    async def run() -> int:
        with tempfile.TemporaryDirectory(prefix="runtype-exporter-demo-") as folder:
            return await demo.run(host, port, Path(folder), click.echo)

    exit_with(run)
