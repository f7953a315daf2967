"""The table of burn windows, also scaled for other periods."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.rules import BURN_WINDOWS, scaled_windows

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
CENT = Decimal("0.01")


def lengths(period: float, budget: Decimal = CENT) -> list[tuple[float, float]]:
    return [(window.long, window.short) for window in scaled_windows(period, budget)]


def test_for_30_days_the_table_does_not_change():
    assert list(BURN_WINDOWS) == list(scaled_windows(30 * DAY, CENT))


@pytest.mark.parametrize("window", BURN_WINDOWS, ids=lambda window: f"{window.factor}")
def test_a_window_at_its_factor_spends_its_share_of_the_period(window):
    """A burn rate over a window is a share of the budget of 30 days."""
    assert window.share == window.factor * Decimal(window.long) / Decimal(30 * DAY)


def test_the_short_window_is_a_twelfth_of_the_long_one():
    assert [True] * 4 == [window.long == 12 * window.short for window in BURN_WINDOWS]


def test_windows_follow_the_period_in_whole_minutes():
    assert [
        (3 * HOUR, 15 * MINUTE),
        (18 * HOUR, 90 * MINUTE),
        (3 * DAY, 6 * HOUR),
        (9 * DAY, 18 * HOUR),
    ] == lengths(90 * DAY)
    assert [
        (15 * MINUTE, 5 * MINUTE),
        (84 * MINUTE, 7 * MINUTE),
        (336 * MINUTE, 28 * MINUTE),
        (1008 * MINUTE, 84 * MINUTE),
    ] == lengths(7 * DAY)


@given(st.floats(DAY, 3650 * DAY), st.decimals("0.0001", "0.9999", places=4))
def test_no_window_is_shorter_than_what_polling_can_fill(period, budget):
    for window in scaled_windows(period, budget):
        assert window.long >= 15 * MINUTE
        assert window.short >= 5 * MINUTE
        assert window.short <= window.long
        assert 0 == window.long % MINUTE == window.short % MINUTE


@given(st.decimals("0.0001", "0.9999", places=4))
def test_alerts_that_can_never_fire_are_left_out(budget):
    """A share of bad events is never above 1, so such a threshold is never passed."""
    factors = [window.factor for window in scaled_windows(30 * DAY, budget)]
    assert [window.factor for window in BURN_WINDOWS if window.factor * budget < 1] == factors
    assert Decimal(1) in factors
