"""Exit codes of a command that does not come to its end."""

from __future__ import annotations

import os
import signal
import threading
import time

from runtype_exporter.simulator.faults import ApiFault
from tests.support.commands import KEYS, run
from tests.support.process import PATIENCE, configure


def test_an_interrupt_is_130(api, faults, tmp_path):
    """`once` has nothing to tidy up that a crash would not leave whole as well."""
    faults.add(ApiFault(kind="hang"))
    config = configure(tmp_path, api.url)

    def interrupt() -> None:
        end = time.monotonic() + PATIENCE
        while not faults.fired() and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert 130 == run("once", f"--config.file={config}", **KEYS).exit_code
    thread.join()
