"""Signals of the operator: to stop the process, or to reload its configuration."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Signals:
    """The requests made so far. Each event may be set by other means as well."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    reload: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle signals while the context lasts: SIGTERM and SIGINT stop, SIGHUP reloads.

        This needs a running event loop in the main thread.
        """
        loop = asyncio.get_running_loop()
        asks = {signal.SIGTERM: self.stop, signal.SIGINT: self.stop, signal.SIGHUP: self.reload}
        for number, event in asks.items():
            loop.add_signal_handler(number, event.set)
        try:
            yield
        finally:
            for number in asks:
                loop.remove_signal_handler(number)
