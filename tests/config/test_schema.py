"""The values that other rooms read."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from runtype_exporter.catalogue import LATENCY_BUCKETS
from runtype_exporter.config import (
    Account,
    Config,
    ConfiguredBatch,
    Globs,
    Metrics,
    Poll,
    Secret,
    Slo,
    State,
)

ACCOUNT = Account(name="a", api_key=Secret(env="A"))


def test_values_made_in_python_take_seconds_and_text():
    assert (60.0, 90.0) == (Poll(interval=60).interval, Poll(interval="1m30s").interval)  # type: ignore[arg-type]


def test_the_path_of_the_ledger_may_be_a_path():
    assert Path("a.db") == State(path=Path("a.db")).path


def test_the_default_buckets_are_the_catalogues():
    assert LATENCY_BUCKETS == Metrics().latency_buckets


def test_every_threshold_of_latencies_is_a_boundary_too():
    fast = Slo(name="fast", type="latency", objective=Decimal(95), threshold=45.0)
    config = Config(accounts=(ACCOUNT,), metrics=Metrics(latency_buckets=(1.0, 60.0)), slos=(fast,))
    assert (1.0, 45.0, 60.0) == config.latency_boundaries
    assert LATENCY_BUCKETS == Config(accounts=(ACCOUNT,)).latency_boundaries


def test_an_account_needs_a_name_and_a_key_only():
    assert ("https://api.runtype.com", 30.0, 100, 1000) == (
        ACCOUNT.base_url,
        ACCOUNT.timeout,
        ACCOUNT.page_size,
        ACCOUNT.requests_per_hour,
    )


def test_values_are_frozen():
    config = Config(accounts=(ACCOUNT,))
    with pytest.raises(ValidationError):
        config.poll.interval = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        config.metrics.status_map["a"] = "failure"  # type: ignore[index]


def test_an_error_of_a_value_made_in_python_shows_no_input():
    with pytest.raises(ValidationError) as caught:
        Account(name="a", api_key="rt_live_marker")  # type: ignore[arg-type]
    assert "marker" not in str(caught.value)


def test_a_mapping_for_a_key_is_the_files_alone_since_its_folder_is_needed():
    with pytest.raises(ValidationError, match="must be"):
        Account(name="a", api_key={"env": "A"})  # type: ignore[arg-type]


def test_a_configured_batch_needs_its_id_only():
    batch = ConfiguredBatch(id="batch_1")
    assert (None, None) == (batch.name, batch.status)


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
def test_schedules_match_by_name_or_id(globs: Globs, name: str | None, matched: bool):  # noqa: FBT001 - a table's column
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
