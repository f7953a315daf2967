from __future__ import annotations

import pytest

from runtype_exporter.clock import SystemClock
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.faults import Faults
from runtype_exporter.simulator.presets import small_world
from tests.support.process import KEY, Served


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
