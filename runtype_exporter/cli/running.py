"""How a command ends: its exit code, and one message for an error of the user's."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import click

from runtype_exporter.app import BadOption
from runtype_exporter.config import ConfigError, SecretError
from runtype_exporter.ledger import LedgerError


def exit_with(run: Callable[[], Any]) -> None:
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
