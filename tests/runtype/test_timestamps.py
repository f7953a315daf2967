import contextlib
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.runtype import Unparseable, parse_timestamp

NOON = datetime(2026, 7, 1, 12, 0, 5, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-07-01T12:00:05Z", NOON),
        ("2026-07-01T12:00:05z", NOON),
        ("2026-07-01t12:00:05z", NOON),
        ("2026-07-01 12:00:05", NOON),
        ("2026-07-01T12:00:05", NOON),
        ("2026-07-01T12:00:05+00:00", NOON),
        ("2026-07-01T14:30:05+02:30", NOON),
        ("2026-07-01T04:00:05-08", NOON),
        ("2026-07-01T12:00:05.1Z", NOON + 0.1),
        ("2026-07-01T12:00:05,25Z", NOON + 0.25),
        ("2026-07-01T12:00:05.123Z", NOON + 0.123),
        ("2026-07-01T12:00:05.123456Z", NOON + 0.123456),
        ("2026-07-01T12:00:05.1234567Z", NOON + 0.123456),
        ("2026-07-01T12:00:05.123456789Z", NOON + 0.123456),
        ("2026-07-01T12:00:05.123456789+00:00", NOON + 0.123456),
        ("0001-01-01T00:00:00+14:00", -62135647200.0),
    ],
)
def test_every_form_in_use_is_read(text, seconds):
    assert parse_timestamp(text) == seconds


def test_a_timestamp_without_a_zone_is_utc_wherever_the_exporter_runs(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert parse_timestamp("2026-07-01T12:00:05") == NOON
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_missing_timestamp_is_none():
    assert parse_timestamp(None) is None


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "soon",
        "2026-07-01",
        "2026-07-01T12:00",
        "20260701T120005Z",
        "2026-07-01x12:00:05",
        "2026-13-01T12:00:05Z",
        "2026-07-01T12:00:05 o'clock",
        "2026-07-01T12:00:99Z",
        "+2026-07-01T12:00:05Z",
        "\u0662\u0660\u0662\u0666-07-01T12:00:05Z",
        "0000-00-00T00:00:00Z",
        "\x00" * 40,
        1782907205,
        1782907205.5,
        True,
        [],
        {"seconds": 1},
    ],
)
def test_anything_else_is_unparseable_and_is_not_quoted(garbage):
    with pytest.raises(Unparseable, match=r"^not a timestamp$"):
        parse_timestamp(garbage)


@given(
    # The zone is drawn below.
    moment=st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)),  # noqa: DTZ001
    minutes=st.integers(-14 * 60, 14 * 60),
    digits=st.integers(0, 9),
    separator=st.sampled_from("T t"),
)
def test_what_is_written_is_read_back_to_the_microsecond(moment, minutes, digits, separator):
    fraction = f"{moment.microsecond:06d}000"[:digits]
    moment = moment.replace(
        microsecond=int(fraction.ljust(6, "0")[:6]), tzinfo=timezone(timedelta(minutes=minutes))
    )
    text = moment.strftime(f"%Y-%m-%d{separator}%H:%M:%S") + ("." + fraction if fraction else "")
    offset = f"{'+' if minutes >= 0 else '-'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    assert parse_timestamp(text + offset) == pytest.approx(moment.timestamp(), abs=1e-6)


@given(st.text(max_size=40))
def test_no_text_raises_anything_but_unparseable(text):
    with contextlib.suppress(Unparseable):
        assert isinstance(parse_timestamp(text), float)
