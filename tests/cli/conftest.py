from __future__ import annotations

import logging

import pytest
import structlog

from runtype_exporter.clock import SystemClock
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.faults import Faults
from runtype_exporter.simulator.presets import small_world
from tests.support.process import KEY, Served


@pytest.fixture(autouse=True)
def own_logging():
    """Restore logging after each test.

    A command sets it up for its process, on a standard error that is gone when the runner is done.
    """
    root = logging.getLogger()
    handlers, level, before = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.fixture
def world():
    return small_world(SystemClock())


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def api(world, faults):
    with Served(simulator_app(world, keys=[Key(KEY)], faults=faults)) as served:
        yield served
