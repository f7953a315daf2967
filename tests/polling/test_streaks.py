"""The pauses between the tries of an item."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtype_exporter.polling.streaks import LONGEST_BACK_OFF, SHORTEST_BACK_OFF, back_off


@pytest.mark.parametrize(
    ("tries", "pause"), [(1, 60.0), (2, 120.0), (3, 240.0), (6, 1920.0), (7, 3600.0), (8, 3600.0)]
)
def test_the_pause_doubles_from_a_minute_up_to_an_hour(tries, pause):
    assert back_off(tries) == pause


@settings(deadline=None)
@given(st.integers(1, 10**9))
def test_the_pause_never_shrinks_and_has_bounds(tries):
    assert SHORTEST_BACK_OFF <= back_off(tries) <= back_off(tries + 1) <= LONGEST_BACK_OFF
