"""The demo: a simulated account and the exporter that polls it, in one process on loopback.

This is the only module that knows both the simulator and the exporter. The exporter reads its
configuration and its key from files, as always.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

from runtype_exporter.app import Options, serve
from runtype_exporter.clock import Clock, ScaledClock, SystemClock
from runtype_exporter.config import load
from runtype_exporter.signals import Signals
from runtype_exporter.simulator.presets import DEMO_TOKEN, SimulatorSettings, build
from runtype_exporter.web import Server, listen

Say = Callable[[str], None]

CONFIG = """\
accounts:
  - name: demo
    base_url: http://127.0.0.1:{port}
    api_key: {{file: {key}}}
    requests_per_hour: 100000
    batches: [{{id: {batch}, name: last night}}]
poll: {{interval: 5s, lookback: 24h}}
state: {{path: {ledger}}}
"""


@dataclass(frozen=True, slots=True)
class Demo:
    """A simulated account: the seed of its random events, and how fast its time runs."""

    seed: int
    speed: float

    async def simulate(self, host: str, port: int, say: Say) -> int:
        """Serve the simulated API until a signal ends it. Return the exit code.

        Raises:
            OSError: the address cannot be listened on.
        """
        signals = Signals()
        with signals.installed(), listen(host, port) as listener:
            server = _server(listener, self._api(self._clock()))
            say(
                f"simulated API  http://{host or '127.0.0.1'}:{listener.getsockname()[1]}   (key:"
                f" {DEMO_TOKEN})"
            )
            serving = asyncio.create_task(server.run())
            await signals.stop.wait()
            server.stop()
            await serving
        return 0

    async def run(self, host: str, port: int, folder: Path, say: Say) -> int:
        """Serve the simulated API and the exporter that polls it. Return the exit code.

        Both run until a signal ends them. The API has a port of its own.

        Raises:
            OSError: the address cannot be listened on.
        """
        clock = self._clock()
        with listen("127.0.0.1", 0) as listener:
            api = self._api(clock)
            server = _server(listener, api)
            simulated = listener.getsockname()[1]
            key = folder / "key"
            key.write_text(DEMO_TOKEN)
            file = folder / "config.yaml"
            world = api.state.world
            # A demo has a day behind it, and so a night.
            night = world.runs(clock.now(), world.schedule_id("nightly"))[-1]
            file.write_text(
                CONFIG.format(
                    port=simulated, key=key, batch=night.batch.id, ledger=folder / "ledger.db"
                )
            )

            def listening(own_port: int) -> None:
                base = f"http://{host or '127.0.0.1'}:{own_port}"
                say(f"simulated API  http://127.0.0.1:{simulated}   (key: {DEMO_TOKEN})")
                say(f"metrics        {base}/metrics")
                say(f"status         {base}/")
                say(f"try            curl -s {base}/metrics | grep records_finished")
                say("Ctrl-C ends it; nothing is kept.")

            serving = asyncio.create_task(server.run())
            try:
                return await serve(
                    Options(
                        load=lambda: load(file),
                        host=host,
                        port=port,
                        clock=clock,
                        on_listening=listening,
                    )
                )
            finally:
                server.stop()
                await serving

    def _clock(self) -> Clock:
        system = SystemClock()
        now = system.now()
        return (
            system
            if self.speed == 1.0
            else ScaledClock(base=system, origin=now, start=now, speed=self.speed)
        )

    def _api(self, clock: Clock) -> Any:
        return build(SimulatorSettings(seed=self.seed), clock)


def _server(listener: socket, api: Any) -> Server:
    # The simulator dates its answers itself, in its own time.
    return Server(api, [listener], date_header=False)
