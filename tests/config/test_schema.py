"""The values that other packages read."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from runtype_exporter.catalogue import LATENCY_BUCKETS
from runtype_exporter.config import (
    Account,
    Config,
    Metrics,
    Poll,
    Secret,
    Slo,
    State,
)

ACCOUNT = Account(name="a", api_key=Secret(env="A"))


def test_values_made_in_python_take_seconds_and_text():
    polls = Poll(interval=60), Poll(interval="1m30s")  # type: ignore[arg-type]
    assert [60.0, 90.0] == [poll.interval for poll in polls]


def test_the_path_of_the_ledger_may_be_a_path():
    assert Path("a.db") == State(path=Path("a.db")).path


def test_the_default_buckets_are_the_catalogues():
    assert LATENCY_BUCKETS == Metrics().latency_buckets


def test_every_threshold_of_latencies_is_a_boundary_too():
    fast = Slo(name="fast", type="latency", objective=Decimal(95), threshold=45.0)
    config = Config(accounts=(ACCOUNT,), metrics=Metrics(latency_buckets=(1.0, 60.0)), slos=(fast,))
    assert (1.0, 45.0, 60.0) == config.latency_boundaries
    assert LATENCY_BUCKETS == Config(accounts=(ACCOUNT,)).latency_boundaries


def test_values_are_frozen():
    config = Config(accounts=(ACCOUNT,))
    with pytest.raises(ValidationError):
        config.poll.interval = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        config.metrics.status_map["a"] = "failure"  # type: ignore[index]
