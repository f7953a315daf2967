"""The forecast of series and lines by metric, compared with a real scrape."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtype_exporter.app import Options, catch_up
from runtype_exporter.catalogue import BY_NAME, CATALOGUE
from runtype_exporter.clock import ScaledClock, SystemClock
from runtype_exporter.config import (
    Account,
    CollectorSwitches,
    Config,
    ConfiguredBatch,
    Metrics,
    Secret,
    load,
)
from runtype_exporter.forecast import (
    DEFAULT_INVENTORY,
    PROCESS_LINES,
    SeriesForecast,
    forecast_series,
    label_sets,
    survey,
)
from runtype_exporter.forecast.series import AccountCounts
from runtype_exporter.metrics import ProcessMetrics
from runtype_exporter.simulator.account import World
from runtype_exporter.simulator.api import Key, simulator_app
from runtype_exporter.simulator.faults import Faults
from runtype_exporter.simulator.settings import AdhocSpec, ScheduleSpec, WorldSettings
from tests.support.process import Served
from tests.support.rig import KEY, START

ONE = replace(DEFAULT_INVENTORY, listed=1, schedules=1, flows=1, adhoc_flows=1)
COUNTS = AccountCounts(
    schedules=3,
    flows=5,
    followed=2,
    closed=4,
    configured=1,
    objectives=6,
    collectors=frozenset({"schedules", "runs", "summary", "cost", "sparklines", "usage"}),
)


def config(metrics: dict[str, Any] | None = None, **account: Any) -> Config:
    usual = {"name": "acme", "api_key": Secret(env="KEY")}
    return Config(accounts=(Account(**{**usual, **account}),), metrics=Metrics(**(metrics or {})))


def row(rows: list[SeriesForecast], metric: str) -> SeriesForecast | None:
    return next((row for row in rows if row.metric == metric), None)


@pytest.mark.parametrize(
    ("metric", "found"),
    [
        ("runtype_records_finished_total", 10),
        ("runtype_records_abandoned_total", 5),
        ("runtype_record_latency_seconds", 10),
        ("runtype_record_detection_lag_seconds", 1),
        ("runtype_record_outcome_changes_total", 0),
        ("runtype_slo_events_total", 12),
        ("runtype_batch_total_records", 6),
        ("runtype_batch_state", 12),
        ("runtype_batch_records", 12),
        ("runtype_batch_completed_timestamp_seconds", 4),
        ("runtype_batch_found", 1),
        ("runtype_schedule_starts_total", 12),
        ("runtype_schedule_runs_finished_total", 6),
        ("runtype_schedule_info", 3),
        ("runtype_usage_executions", 2),
        ("runtype_collector_up", 9),
        ("runtype_api_requests_total", 9),
        ("runtype_up", 1),
        ("runtype_poll_failures_total", 0),
    ],
)
def test_label_sets_follow_from_the_labels(metric: str, found: int):
    assert found == label_sets(next(m for m in CATALOGUE if m.name == metric), COUNTS)


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_an_empty_account_has_the_fewest_label_sets(metric):
    nothing = AccountCounts(
        schedules=0,
        flows=0,
        followed=0,
        closed=0,
        configured=0,
        objectives=0,
        collectors=frozenset(),
    )
    assert label_sets(metric, nothing) <= label_sets(metric, COUNTS)
    if {"schedule", "slo", "batch"} & set(metric.labels):
        assert 0 == label_sets(metric, nothing)


def test_lines_for_a_histogram_a_counter_and_a_gauge():
    rows = forecast_series(config({"latency_buckets": (1, 2)}), {"acme": ONE})
    # 1 s, 2 s, 60 s (the threshold of an objective), +Inf, sum, count, created
    assert SeriesForecast("runtype_record_latency_seconds", 4, 28) == row(
        rows, "runtype_record_latency_seconds"
    )
    assert SeriesForecast("runtype_records_finished_total", 4, 8) == row(
        rows, "runtype_records_finished_total"
    )
    assert SeriesForecast("runtype_schedule_enabled", 1, 1) == row(rows, "runtype_schedule_enabled")


def test_a_disabled_collector_has_no_series():
    off = CollectorSwitches(cost=False, sparklines=False, usage=False)
    names = {row.metric for row in forecast_series(config(collectors=off), {"acme": ONE})}
    assert not {name for name in names if "cost" in name or "usage" in name or "recent" in name}


def test_batches_per_schedule_changes_only_series_of_batches():
    def lines(shown: int) -> dict[str, int]:
        return {
            row.metric: row.lines
            for row in forecast_series(config({"batches_per_schedule": shown}), {"acme": ONE})
        }

    one, five = lines(1), lines(5)
    assert 5 * one["runtype_batch_total_records"] == five["runtype_batch_total_records"]
    assert {name for name in one if five[name] != one[name]} == {
        name for name in one if name.startswith("runtype_batch_")
    } - {
        "runtype_batch_late_changes_total",
        "runtype_batch_duration_seconds",
        "runtype_batch_sweeps_total",
    }


def test_configured_batches_are_followed():
    rows = forecast_series(config(batches=(ConfiguredBatch(id="b1"),)), {"acme": ONE})
    assert SeriesForecast("runtype_batch_state", 6, 6) == row(rows, "runtype_batch_state")
    assert SeriesForecast("runtype_batch_found", 1, 1) == row(rows, "runtype_batch_found")
    assert row(forecast_series(config(), {"acme": ONE}), "runtype_batch_found") is None


def test_accounts_add_up_and_the_process_counts_once():
    accounts = tuple(Account(name=name, api_key=Secret(env="KEY")) for name in ("a", "b"))
    rows = forecast_series(Config(accounts=accounts), {"a": ONE, "b": replace(ONE, schedules=2)})
    assert SeriesForecast("runtype_schedule_enabled", 3, 3) == row(rows, "runtype_schedule_enabled")
    assert SeriesForecast("runtype_up", 2, 2) == row(rows, "runtype_up")
    assert SeriesForecast("runtype_exporter_leader", 1, 1) == row(rows, "runtype_exporter_leader")


DEMO = """\
accounts:
  - name: demo
    base_url: "{url}"
    requests_per_hour: 100000
    api_key: {{env: KEY}}
    collectors: {{cost: false, sparklines: false, usage: false}}
poll: {{lookback: 24h}}
state: {{path: {folder}/ledger.db}}
"""


SCHEDULES = (
    ScheduleSpec(key="often", name="often", cron="*/10 * * * *"),
    ScheduleSpec(key="hourly", name="hourly", flow="summarise", cron="5 * * * *"),
    ScheduleSpec(key="agent", name="agent", kind="agent", cron="15 * * * *"),
    ScheduleSpec(
        key="inline", name="inline", flow="clean", kind="inline", cron="20 * * * *", records=(5, 15)
    ),
)
IMPORTS = (AdhocSpec(key="import", cron="*/4 * * * *"),)


def series_of(text: str) -> Counter[str]:
    """Count the series of each metric in a scrape. `process_*` and `python_*` are one entry."""
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        sets = {
            tuple(value for label, value in sample.labels.items() if label != "le")
            for sample in family.samples
        }
        found[name if name in BY_NAME else "process_*, python_*"] += len(sets)
    return found


def test_the_forecast_after_a_survey_is_close_to_a_scrape(tmp_path: Path):
    """A few hours of a small account.

    The forecast cannot know everything, such as batches that are not closed yet.
    """
    system = SystemClock()
    clock = ScaledClock(base=system, origin=system.now(), start=START + 4 * 3600 + 150, speed=1.0)
    world = World(WorldSettings(start=START, schedules=SCHEDULES, adhoc=IMPORTS), 1, clock)
    with Served(simulator_app(world, keys=[Key(KEY)], faults=Faults())) as served:
        file = tmp_path / "config.yaml"
        file.write_text(DEMO.format(url=served.url, folder=tmp_path))
        config = load(file, environ={"KEY": KEY})
        _, text = asyncio.run(catch_up(Options(load=lambda: config, clock=clock)))
        inventory = asyncio.run(
            survey(config.accounts[0], config.state, clock=clock, telemetry=ProcessMetrics())
        )
    real = series_of(text)
    forecast = {row.metric: row.series for row in forecast_series(config, {"demo": inventory})}
    assert PROCESS_LINES == real["process_*, python_*"]
    assert sum(real.values()) == pytest.approx(sum(forecast.values()), rel=0.2)
    assert {} == {
        name: (count, real[name])
        for name, count in forecast.items()
        if real[name] > 1
        and name in BY_NAME
        and BY_NAME[name].owner == "ledger"
        and not 0.6 <= real[name] / count <= 1.5
    }
