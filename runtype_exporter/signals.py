"""What the operator asks of the process by signals: to stop, or to take its configuration up anew.

It does neither itself.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Signals:
    """What was asked for so far. Each event may be set by other means as well."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    reload: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While this lasts, SIGTERM and SIGINT ask to stop and SIGHUP to reload, instead of ending the process.

        Needs a running event loop in the main thread.
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
