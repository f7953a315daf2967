"""The forecast in a terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runtype_exporter.config import Account, Config, Metrics, Secret
from runtype_exporter.forecast import ASSUMED, forecast_text


def config(**metrics: Any) -> Config:
    return Config(
        accounts=(Account(name="acme", api_key=Secret(env="KEY")),), metrics=Metrics(**metrics)
    )


def told(holding=ASSUMED, **metrics: Any) -> list[str]:
    return forecast_text(config(**metrics), {"acme": holding}).splitlines()


def test_without_a_look_it_says_what_is_assumed():
    lines = told()
    assert lines[0] == "acme  (https://api.runtype.com, at most 1,000 requests an hour)"
    assert "  assumed       10 schedules, 10 flows; --live asks the API instead" in lines
    assert (
        "  at the worst  1,000 requests an hour: the limit is never exceeded, work waits for its"
        " turn" in lines
    )
    assert (
        "  freshness     a 10,000-record batch (100 pages) is swept every 8 min while it runs alone"
        in lines
    )
    assert "  advice        none: it fits" in lines


def test_after_a_look_it_says_what_is_held():
    holding = replace(
        ASSUMED,
        read=True,
        listed=12,
        open=(100, 250),
        runs_an_hour=12.5,
        ended=(100, 100),
        notes=("usage: the key may not read this",),
    )
    lines = told(holding)
    held = (
        "  holds         10 schedules followed (2 left out), 10 flows, 2 batches at work, 12.5 runs"
        " an hour of late"
    )
    assert held in lines
    assert "                usage: the key may not read this" in lines
    assert "  as of late    142 requests an hour, with each batch that ends read once" in lines
    assert (
        "  at the worst  382 requests an hour, with each batch at work swept in every cycle"
        in lines
    )
    assert "                the 2 batches at work now, all changing: every 60 s" in lines


def test_batches_that_no_schedule_started_are_told_beside_the_runs():
    lines = told(
        replace(ASSUMED, read=True, runs_an_hour=12.5, adhoc_ended=(40, 40, 40), adhoc_hours=0.5)
    )
    held = (
        "  holds         10 schedules followed, 10 flows, 0 batches at work, 12.5 runs and 6.0"
        " ad-hoc batches an hour of late"
    )
    assert held in lines
    assert "  as of late    150 requests an hour, with each batch that ends read once" in lines


def test_more_than_the_limit_is_told_as_what_is_wanted():
    lines = told(replace(ASSUMED, read=True, open=(100_000,)))
    assert (
        "  at the worst  1,000 requests an hour: 60,138 are wanted; the limit is never exceeded,"
        " work waits for its turn" in lines
    )


def test_one_schedule_is_no_schedules():
    holding = replace(ASSUMED, read=True, listed=1, schedules=1, flows=1)
    assert (
        "  holds         1 schedule followed, 1 flow, 0 batches at work, 0.0 runs an hour of late"
        in told(holding)
    )


def test_lines_are_told_by_metric_the_largest_first_and_the_smallest_together():
    table = [line.rsplit(maxsplit=2) for line in told() if line and line[-1].isdigit()]
    lines = [int(cells[2].replace(",", "")) for cells in table if cells[0].startswith("runtype_")]
    assert lines == sorted(lines, reverse=True)
    figures = {
        cells[0].strip(): int(cells[2].replace(",", "")) for cells in table if len(cells) == 3
    }
    (others,) = [count for name, count in figures.items() if name.endswith("others")]
    assert figures["together"] == others + sum(
        count for name, count in figures.items() if name.startswith(("runtype_", "process_"))
    )


def test_too_many_lines_are_told_with_the_remedies():
    (said,) = [
        line
        for line in told(replace(ASSUMED, schedules=1000, flows=1000))
        if "max_series to" in line
    ]
    assert said.startswith("advice: set metrics.max_series to ")
    assert not [line for line in told() if "max_series to" in line]
