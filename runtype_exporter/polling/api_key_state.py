"""Whether the API accepts an account's key. Senders wait on `accepted` while it rejects the key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from runtype_exporter.runtype import Unauthorised

_log = structlog.get_logger()


@dataclass(slots=True)
class ApiKeyState:
    """Whether one account's key is accepted."""

    account: str
    accepted: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        """Assume that the key works until the API says otherwise."""
        self.accepted.set()

    def refuse(self, error: Unauthorised) -> None:
        """Record that the API refused the key. Log it once per streak of refusals."""
        if self.accepted.is_set():
            _log.error(
                "the API refuses the key: polling drops to one request a minute",
                account=self.account,
                error=str(error),
            )
        self.accepted.clear()
