"""Copies of counters: one for each that is asked for, and a clear word where there is none."""

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
def test_a_copy_that_is_not_recorded_cannot_be_asked_for(metric, window):
    with pytest.raises(ValueError, match=f"copy of {metric.name} is recorded"):
        copy_name(metric, window)


def test_every_copy_is_used():
    """A copy costs a series for each of its counter's; one that nothing reads is waste."""
    copies = {record.name for record in (*fine_copies(), *coarse_copies())}
    used = {
        name
        for rule in rules(config(success()))
        if rule.name not in copies
        for name in re.findall(r"runtype:\w+:max(?:4m)?", rule.expr)
    }
    assert copies == used


def test_increase_is_taken_of_copies_alone_where_the_ledger_counts():
    """The greatest of two increases would lose what each missed.

    No increase of a raw durable counter anywhere.
    """
    raw = re.compile(r"(?:increase|rate)\((runtype_\w+)")
    found = {name for rule in rules(config(success())) for name in raw.findall(rule.expr)}
    assert {
        "runtype_poll_failures_total",
        "runtype_exporter_ledger_failures_total",
        "runtype_exporter_series_dropped_total",
    } == found
