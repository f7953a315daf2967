"""Run the program's commands inside the process of the tests."""

from __future__ import annotations

import os
import signal
import threading
import time

from click.testing import CliRunner, Result

from runtype_exporter.cli import main
from tests.support.process import KEY, PATIENCE

KEYS = {"ACME_KEY": KEY}


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environ, catch_exceptions=False)


def stopped(*arguments: str, number: signal.Signals = signal.SIGTERM, **environ: str) -> Result:
    """Run something that ends by a signal only, which comes as soon as it is listened for."""
    before = signal.getsignal(number)

    def stop() -> None:
        end = time.monotonic() + PATIENCE
        while signal.getsignal(number) is before and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        return run(*arguments, **environ)
    finally:
        thread.join()
