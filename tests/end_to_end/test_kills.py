"""Exactly once, on the real process over real HTTP.

Killed at random moments, stopped while batches finish.
"""

from __future__ import annotations

import random
import time

import pytest

from runtype_exporter.clock import SystemClock
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.presets import small_world
from runtype_exporter.simulator.settings import Api, RecordPlan
from tests.support.process import KEY, Exporter, Served, configure, finished, once, wait_for

KILLS = 30


def plans(rng: random.Random, count: int, seconds: float) -> list[RecordPlan]:
    """Records that become final at random moments, one in eight of them failing."""
    ends = (rng.uniform(0.5, seconds) for _ in range(count))
    return [
        RecordPlan(0.0, 0.1, end, "failure" if rng.random() < 0.125 else "success") for end in ends
    ]


def truth(world) -> dict:
    return {key: float(count) for key, count in world.truth(time.time()).items() if count}


# Fifty seconds on an idle machine, and several times that next to other tests.
@pytest.mark.timeout(900)
def test_thirty_kills_neither_lose_nor_repeat_a_result(tmp_path):
    """Batches run and start all the while.

    The process dies by SIGKILL at random moments of its life, also while it starts.
    """
    rng = random.Random(7)
    clock = SystemClock()
    world = small_world(
        clock, api=Api(page_cap=20, results_order="updated", result_ids="when_final")
    )
    with Served(simulator_app(world, keys=[Key(KEY)])) as api:
        config = configure(tmp_path, api.url)
        # The horizon is fixed before anything ends.
        assert once(config).returncode == 0
        for kill in range(KILLS):
            if kill % 3 == 0:
                api.call(
                    lambda: world.add_batch(
                        plans(rng, 120, 15.0), at=clock.now(), schedule="nightly"
                    )
                )
                api.call(
                    lambda: world.add_adhoc(plans(rng, 30, 3.0), at=clock.now(), flow="import")
                )
            with Exporter(config) as exporter:
                # Not a wait for anything: the moment of death is what is varied.
                time.sleep(rng.uniform(0.4, 1.6))
                exporter.kill()
        wait_for(lambda: api.call(lambda: world.quiet(clock.now())), every=0.2)
        done = once(config)
        # An ad-hoc batch shows itself in the summary only, and is believed at the third read.
        for _ in range(3):
            done = once(config)
        assert done.returncode == 0, done.stderr
        assert finished(done.stdout) == api.call(lambda: truth(world))


def test_what_finished_while_the_exporter_was_down_is_counted_when_it_is_back(tmp_path):
    rng = random.Random(8)
    clock = SystemClock()
    world = small_world(clock)
    with Served(simulator_app(world, keys=[Key(KEY)])) as api:
        config = configure(tmp_path, api.url)
        # This fixes the horizon.
        assert once(config).returncode == 0
        api.call(lambda: world.add_batch(plans(rng, 250, 3.0), at=clock.now(), schedule="nightly"))
        assert once(config).returncode == 0
        api.call(lambda: world.add_batch(plans(rng, 150, 2.0), at=clock.now(), schedule="nightly"))
        wait_for(lambda: api.call(lambda: world.quiet(clock.now())), every=0.2)
        done = once(config)
        assert done.returncode == 0, done.stderr
        assert finished(done.stdout) == api.call(lambda: truth(world))
        assert sum(finished(done.stdout).values()) == 400
