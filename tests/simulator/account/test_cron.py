from datetime import UTC, datetime
from itertools import islice

import pytest

from runtype_exporter.simulator.account.cron import due_times


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def texts(expression: str, after: str, count: int, zone: str = "UTC") -> list[str]:
    return [
        datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%d %H:%M")
        for due in islice(due_times(expression, zone, at(after)), count)
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/5 * * * *", ["2026-07-01 12:05", "2026-07-01 12:10"]),
        ("0 * * * *", ["2026-07-01 13:00", "2026-07-01 14:00"]),
        ("0 2 * * *", ["2026-07-02 02:00", "2026-07-03 02:00"]),
        ("30 7 * * 6-7,0", None),
        ("15,45 9-10 * * 6,0", ["2026-07-04 09:15", "2026-07-04 09:45", "2026-07-04 10:15"]),
        (
            "0 0 1-7/3 1,2 *",
            ["2027-01-01 00:00", "2027-01-04 00:00", "2027-01-07 00:00", "2027-02-01 00:00"],
        ),
    ],
)
def test_an_expression_falls_due_when_its_five_fields_match(expression, expected):
    if expected is None:
        with pytest.raises(ValueError, match="leaves 0-6"):
            next(due_times(expression, "UTC", at("2026-07-01 12:00")))
    else:
        assert expected == texts(expression, "2026-07-01 12:00", len(expected))


def test_the_moment_after_which_to_look_is_itself_never_due():
    assert texts("*/5 * * * *", "2026-07-01 12:00", 1) == ["2026-07-01 12:05"]


def test_a_time_zone_moves_with_its_summer_time():
    assert texts("30 2 * * *", "2026-10-23 12:00", 3, "Europe/Berlin") == [
        "2026-10-24 00:30",
        "2026-10-25 00:30",
        "2026-10-26 01:30",
    ]


def test_a_local_time_that_the_clocks_skip_comes_once():
    assert texts("0,30 2 * * *", "2026-03-28 12:00", 3, "Europe/Berlin") == [
        "2026-03-29 01:00",
        "2026-03-29 01:30",
        "2026-03-30 00:00",
    ]


def test_a_date_that_no_year_has_never_falls_due():
    assert texts("0 0 30 2 *", "2026-07-01 12:00", 1) == []


@pytest.mark.parametrize(
    "expression",
    ["* * * *", "* * * * * *", "60 * * * *", "x * * * *", "5-3 * * * *", "*/x * * * *"],
)
def test_an_expression_outside_the_subset_is_refused_with_an_example(expression):
    with pytest.raises(ValueError, match=r"cron expression .*write five fields like"):
        next(due_times(expression, "UTC", 0.0))
