"""Which schedules a pattern chooses."""

from __future__ import annotations

import pytest

from runtype_exporter.config import Globs


@pytest.mark.parametrize(
    ("globs", "name", "matched"),
    [
        (Globs(), "nightly", True),
        (Globs(), None, True),
        (Globs(include=()), "nightly", False),
        (Globs(include=("night*",)), "nightly", True),
        (Globs(include=("Night*",)), "nightly", False),
        (Globs(include=("schedule_?",)), None, True),
        (Globs(include=("schedule_?",)), "nightly", True),
        (Globs(include=("daily",)), "nightly", False),
        (Globs(exclude=("*ly",)), "nightly", False),
        (Globs(exclude=("schedule_1",)), "nightly", False),
        (Globs(exclude=("daily",)), "nightly", True),
        (Globs(exclude=("?",)), "", True),
    ],
)
def test_schedules_match_by_name_or_id(
    globs: Globs,
    name: str | None,
    matched: bool,  # noqa: FBT001  # a table's column
):
    assert matched is globs.matches(name, "schedule_1")


@pytest.mark.parametrize(
    ("globs", "by_id", "by_name"),
    [
        (Globs(), True, False),
        (Globs(include=()), False, False),
        (Globs(include=("schedule_1",)), True, False),
        (Globs(include=("schedule_2",)), False, False),
        (Globs(include=("schedule_?",)), True, True),
        (Globs(include=("night*",)), None, True),
        (Globs(include=("schedule_2", "night*")), None, True),
        (Globs(include=("schedule_x",)), None, True),
        (Globs(exclude=("schedule_1",)), False, False),
        (Globs(exclude=("schedule_2",)), True, False),
        (Globs(exclude=("*-test",)), None, True),
        (Globs(include=("schedule_2",), exclude=("*-test",)), False, True),
        (Globs(include=("schedule_1",), exclude=("**",)), False, False),
    ],
)
def test_an_id_alone_tells_whether_a_schedule_is_followed_or_that_its_name_must(
    globs: Globs, by_id, by_name
):
    assert by_id is globs.by_id("schedule_1")
    assert by_name is globs.by_name
