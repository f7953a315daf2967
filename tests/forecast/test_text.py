"""The forecast as text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runtype_exporter.config import Account, Config, Metrics, Secret
from runtype_exporter.forecast import DEFAULT_INVENTORY, forecast_text


def config(**metrics: Any) -> Config:
    return Config(
        accounts=(Account(name="acme", api_key=Secret(env="KEY")),), metrics=Metrics(**metrics)
    )


def text_lines(inventory=DEFAULT_INVENTORY, **metrics: Any) -> list[str]:
    return forecast_text(config(**metrics), {"acme": inventory}).splitlines()


def test_without_a_survey_it_shows_the_assumption():
    lines = text_lines()
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


def test_after_a_survey_it_shows_the_inventory():
    inventory = replace(
        DEFAULT_INVENTORY,
        read=True,
        listed=12,
        open=(100, 250),
        runs_an_hour=12.5,
        ended=(100, 100),
        notes=("usage: the key may not read this",),
    )
    lines = text_lines(inventory)
    contents = (
        "  holds         10 schedules followed (2 left out), 10 flows, 2 batches at work, 12.5 runs"
        " an hour of late"
    )
    assert contents in lines
    assert "                usage: the key may not read this" in lines
    assert "  recently      148 requests an hour, with each batch that ends read once" in lines
    assert (
        "  at the worst  388 requests an hour, with each batch at work swept in every cycle"
        in lines
    )
    assert "                the 2 batches at work now, all changing: every 60 s" in lines


def test_adhoc_batches_are_shown_with_the_runs():
    lines = text_lines(
        replace(
            DEFAULT_INVENTORY,
            read=True,
            runs_an_hour=12.5,
            adhoc_ended=(40, 40, 40),
            adhoc_hours=0.5,
        )
    )
    contents = (
        "  holds         10 schedules followed, 10 flows, 0 batches at work, 12.5 runs and 6.0"
        " ad-hoc batches an hour of late"
    )
    assert contents in lines
    assert "  recently      156 requests an hour, with each batch that ends read once" in lines


def test_more_than_the_limit_is_shown_as_wanted():
    lines = text_lines(replace(DEFAULT_INVENTORY, read=True, open=(100_000,)))
    assert (
        "  at the worst  1,000 requests an hour: 60,144 are wanted; the limit is never exceeded,"
        " work waits for its turn" in lines
    )


def test_one_schedule_is_written_in_the_singular():
    inventory = replace(DEFAULT_INVENTORY, read=True, listed=1, schedules=1, flows=1)
    assert (
        "  holds         1 schedule followed, 1 flow, 0 batches at work, 0.0 runs an hour of late"
        in text_lines(inventory)
    )


def test_metrics_are_sorted_by_lines_and_small_ones_summed_up():
    table = [line.rsplit(maxsplit=2) for line in text_lines() if line and line[-1].isdigit()]
    lines = [int(cells[2].replace(",", "")) for cells in table if cells[0].startswith("runtype_")]
    assert lines == sorted(lines, reverse=True)
    figures = {
        cells[0].strip(): int(cells[2].replace(",", "")) for cells in table if len(cells) == 3
    }
    (others,) = [count for name, count in figures.items() if name.endswith("others")]
    assert figures["together"] == others + sum(
        count for name, count in figures.items() if name.startswith(("runtype_", "process_"))
    )


def test_too_many_lines_get_advice():
    (text,) = [
        line
        for line in text_lines(replace(DEFAULT_INVENTORY, schedules=1000, flows=1000))
        if "max_series to" in line
    ]
    assert text.startswith("advice: set metrics.max_series to ")
    assert not [line for line in text_lines() if "max_series to" in line]
