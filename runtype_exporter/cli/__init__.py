"""The commands, their flags, exit codes and messages."""

from runtype_exporter.cli.group import main

__all__ = ["main"]
