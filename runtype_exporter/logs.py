"""Logging: one line for each event on standard error, as logfmt or JSON.

Libraries log only from WARNING on, whatever the level: their debug lines contain request headers,
and so the API key.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["logfmt", "json"]

_ORDER = ("timestamp", "level", "event")


def configure(level: LogLevel, format_: LogFormat) -> None:
    """Set up logging for the process."""
    renderer: Any = structlog.processors.JSONRenderer()
    if format_ == "logfmt":
        renderer = structlog.processors.LogfmtRenderer(key_order=_ORDER, bool_as_flag=False)
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
