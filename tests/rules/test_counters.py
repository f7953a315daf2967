"""Copies of counters: every copy is used, and a missing copy is a clear error."""

from __future__ import annotations

import re

import pytest

from runtype_exporter.catalogue import COST, RECORD_DETECTION_LAG, RECORDS_FINISHED, SLO_EVENTS
from runtype_exporter.rules.counters import coarse_copies, copy_name, fine_copies
from tests.rules.conftest import DAY, config, rules, success


def test_the_copy_is_the_coarse_one_from_a_day_on():
    assert "runtype:slo_events_total:max" == copy_name(SLO_EVENTS, DAY - 1)
    assert "runtype:slo_events_total:max4m" == copy_name(SLO_EVENTS, DAY)


@pytest.mark.parametrize(
    ("metric", "window"), [(COST, 60.0), (RECORDS_FINISHED, DAY), (RECORD_DETECTION_LAG, 60.0)]
)
def test_the_name_of_a_missing_copy_is_an_error(metric, window):
    with pytest.raises(ValueError, match=f"copy of {metric.name} is recorded"):
        copy_name(metric, window)


def test_every_copy_is_used():
    """A copy costs as many series as its counter. An unused copy is waste."""
    copies = {record.name for record in (*fine_copies(), *coarse_copies())}
    used = {
        name
        for rule in rules(config(success()))
        if rule.name not in copies
        for name in re.findall(r"runtype:\w+:max(?:4m)?", rule.expr)
    }
    assert copies == used


def test_increase_of_ledger_counters_is_taken_of_copies_only():
    """The maximum of two increases would lose what each exporter missed."""
    raw = re.compile(r"(?:increase|rate)\((runtype_\w+)")
    found = {name for rule in rules(config(success())) for name in raw.findall(rule.expr)}
    assert {
        "runtype_poll_failures_total",
        "runtype_exporter_ledger_failures_total",
        "runtype_exporter_series_dropped_total",
    } == found
