"""The command that opens a batch again: reopen."""

from __future__ import annotations

from pathlib import Path

import click

from runtype_exporter import catalogue
from runtype_exporter.cli.options import config_flags
from runtype_exporter.clock import SystemClock
from runtype_exporter.config import Config, ConfigError, load
from runtype_exporter.ledger import Ledger, LedgerError, LedgerLocked
from runtype_exporter.model import Batch
from runtype_exporter.polling.batches.reopening import ReopenRefused, reopened


@click.command(
    "reopen",
    help=(
        "Open a BATCH that was given up again, while the exporter is stopped: it reads the results"
        " once it is started."
    ),
)
@click.argument("batch")
@config_flags
def reopen_command(batch: str, config_file: Path | None, state_path: Path | None) -> None:
    """Open a batch again in the ledger."""
    try:
        config = load(config_file)
        path = state_path or config.state.path
        if not path.exists():
            raise click.ClickException(f"{path}: there is no ledger here (state.path)")
        opened = _reopen(path, config, batch)
    except LedgerLocked:
        raise click.ClickException(
            f"{path}: the exporter runs and has the ledger open. Stop it, run this command again,"
            " and start it. It also tries to open such batches by itself, once a day."
        ) from None
    except (ConfigError, LedgerError, ReopenRefused) as error:
        raise click.ClickException(str(error)) from None
    if opened is None:
        raise click.ClickException(f"{batch}: the ledger at {path} has no batch with this id")
    click.echo(
        f"{batch} of account {opened.ref.account} is open again; start the exporter to read it"
    )


def _reopen(path: Path, config: Config, batch_id: str) -> Batch | None:
    """Open a batch again in a ledger. Return it, None if the ledger does not have it."""
    clock = SystemClock()
    # With other bounds than those of the exporter, its histograms would begin again.
    boundaries = catalogue.boundaries(config.latency_boundaries)
    ledger = Ledger.open(path, clock=clock, boundaries=boundaries)
    try:
        return ledger.update(
            batch_id, lambda batch: reopened(batch, clock.now(), config.state.retention)
        )
    finally:
        ledger.close()
