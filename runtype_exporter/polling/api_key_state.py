"""Whether the API takes an account's key. Whoever sends anything waits here while it does not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from runtype_exporter.runtype import Unauthorised

_log = structlog.get_logger()


@dataclass(slots=True)
class ApiKeyState:
    """One account's. It is taken for granted until the API refuses the key."""

    account: str
    accepted: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        """Begin with confidence."""
        self.accepted.set()

    def refuse(self, error: Unauthorised) -> None:
        """The API refused the key; said once, until it takes it again."""
        if self.accepted.is_set():
            _log.error(
                "the API refuses the key: polling drops to one request a minute",
                account=self.account,
                error=str(error),
            )
        self.accepted.clear()
