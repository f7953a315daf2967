"""Sparklines: which ids one request carries, and the gauges of the last seven days."""

from __future__ import annotations

from runtype_exporter.catalogue import BY_NAME
from runtype_exporter.polling.background.sparklines import portions, recent_run_gauges
from runtype_exporter.runtype import Day, Sparkline

LABELS = {"s1": "nightly", "s2": "s2"}


def test_the_last_seven_days_are_summed_and_schedules_that_were_not_asked_for_left_out():
    lines = [
        Sparkline("s1", [Day(24, 1), Day(0, 0), Day(3, 2)]),
        Sparkline("s2", []),
        Sparkline("stranger", [Day(1, 1)]),
    ]
    assert recent_run_gauges("acme", lines, LABELS) == {
        ("runtype_schedule_recent_runs", ("acme", "nightly")): 27.0,
        ("runtype_schedule_recent_failed_runs", ("acme", "nightly")): 3.0,
        ("runtype_schedule_recent_runs", ("acme", "s2")): 0.0,
        ("runtype_schedule_recent_failed_runs", ("acme", "s2")): 0.0,
    }


def test_every_series_has_the_labels_that_the_catalogue_names():
    samples = recent_run_gauges("acme", [Sparkline("s1", [])], LABELS)
    assert {name: len(BY_NAME[name].labels) for name, _ in samples} == {
        name: len(labels) for name, labels in samples
    }


def test_ids_go_in_portions_of_a_hundred_and_of_what_a_url_carries():
    assert [
        len(portion) for portion in portions([f"schedule_{number:026}" for number in range(250)])
    ] == [100, 100, 50]
    assert [
        len(portion) for portion in portions(["x" * 500 + str(number) for number in range(30)])
    ] == [11, 11, 8]
    assert list(portions(["a", "b,c", "d"])) == [["a", "d"]]
    assert list(portions([])) == []
