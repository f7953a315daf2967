import time

import pytest

from runtype_exporter.clock import ScaledClock, SystemClock


class Fixed:
    """A clock that stands."""

    def __init__(self, now: float, monotonic: float) -> None:
        self.at, self.since = now, monotonic

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.since


def test_the_clock_of_the_machine_counts_suspended_time_where_it_can():
    clock = SystemClock()
    assert clock.now() == pytest.approx(time.time(), abs=60)
    first = clock.monotonic()
    assert first == pytest.approx(
        time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)), abs=60
    )
    assert clock.monotonic() >= first


def test_a_scaled_clock_scales_both_times():
    base = Fixed(1000.0, 7.0)
    clock = ScaledClock(base=base, origin=1000.0, start=5000.0, speed=60.0)
    before = clock.monotonic()
    assert clock.now() == 5000.0
    base.at, base.since = 1010.0, 17.0
    assert clock.now() == 5600.0
    assert clock.monotonic() - before == 600.0
