"""Gauges of the listed schedules."""

from __future__ import annotations

import pytest

from runtype_exporter.catalogue import BY_NAME
from runtype_exporter.polling.schedules.gauges import schedule_gauges
from runtype_exporter.runtype import ScheduleRow

LABELS = {"s1": "nightly", "s2": "s2"}


def test_a_schedule_is_shown_with_its_id_cron_time_zone_and_what_it_runs():
    row = ScheduleRow(
        id="s1",
        name="nightly",
        cron="0 3 * * *",
        timezone="Europe/Berlin",
        last_run_at="2026-06-01T01:00:00Z",
        next_run_at="2026-06-02T01:00:00.000Z",
    )
    assert schedule_gauges("acme", [row], LABELS) == {
        (
            "runtype_schedule_info",
            ("acme", "nightly", "s1", "0 3 * * *", "Europe/Berlin", "flow"),
        ): 1.0,
        ("runtype_schedule_enabled", ("acme", "nightly")): 1.0,
        ("runtype_schedule_last_run_timestamp_seconds", ("acme", "nightly")): 1_780_275_600.0,
        ("runtype_schedule_next_run_timestamp_seconds", ("acme", "nightly")): 1_780_362_000.0,
    }


def test_a_paused_one_time_agents_schedule_that_never_ran_has_no_times():
    row = ScheduleRow(
        id="s2", enabled=False, agent_id="agent_1", last_run_at=None, next_run_at="soon"
    )
    assert schedule_gauges("acme", [row], LABELS) == {
        ("runtype_schedule_info", ("acme", "s2", "s2", "", "", "agent")): 1.0,
        ("runtype_schedule_enabled", ("acme", "s2")): 0.0,
    }


def test_texts_that_no_cron_has_are_cut():
    row = ScheduleRow(id="s2", cron="*" * 5000, timezone="/" * 5000)
    (labels,) = [
        labels
        for name, labels in schedule_gauges("acme", [row], LABELS)
        if name == "runtype_schedule_info"
    ]
    assert labels == ("acme", "s2", "s2", "*" * 100, "/" * 100, "flow")


@pytest.mark.parametrize("agent", [None, "agent_1"])
def test_every_series_has_the_labels_that_the_catalogue_names(agent):
    row = ScheduleRow(id="s1", agent_id=agent, last_run_at="2026-06-01T01:00:00Z")
    samples = schedule_gauges("acme", [row], LABELS)
    assert {name: len(BY_NAME[name].labels) for name, _ in samples} == {
        name: len(labels) for name, labels in samples
    }
