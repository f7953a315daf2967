"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.config.durations import parse_duration, written_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("30s", 30.0),
        ("2.5s", 2.5),
        ("500ms", 0.5),
        ("10m", 600.0),
        ("1h", 3600.0),
        ("7d", 604800.0),
        ("2w", 1209600.0),
        ("1h30m", 5400.0),
        ("1d1h1m1s1ms", 90061.001),
        ("3650d", 315360000.0),
    ],
)
def test_a_duration_is_numbers_with_units_from_the_largest_down(text: str, seconds: float):
    assert pytest.approx(seconds) == parse_duration(text)


@pytest.mark.parametrize("text", ["60", "1.5", "0"])
def test_a_number_alone_is_refused_with_the_unit_it_lacks(text: str):
    with pytest.raises(
        ValueError, match=rf"^{text} has no unit; write {text}s for seconds, or m, h, d$"
    ):
        parse_duration(text)


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "1 h", "30m1h", "1s1s", "1y", "1e3s", ".5s", "1s ", "٣s", "1S"]
)
def test_anything_else_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match=r"is no duration; write it like 30s, 10m, 1h30m or 7d$"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["3651d", "9" * 400 + "w"])
def test_what_is_longer_than_ten_years_is_refused(text: str):
    with pytest.raises(ValueError, match=r"is longer than ten years$"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (60.0, "1m"),
        (5400.0, "1h30m"),
        (30 * 86400.0, "30d"),
        (90061.001, "1d1h1m1s1ms"),
        (0.0004, "0s"),
    ],
)
def test_a_duration_is_written_from_days_down(seconds: float, text: str):
    assert text == written_duration(seconds)


@given(st.integers(0, 3650 * 86400 * 1000))
def test_what_is_written_reads_back(milliseconds: int):
    assert pytest.approx(milliseconds / 1000) == parse_duration(
        written_duration(milliseconds / 1000)
    )
