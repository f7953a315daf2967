"""The rules of objectives: exact thresholds, unique names, the right copy for each window.

promtool tests what they do.
"""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.config.durations import written_duration
from runtype_exporter.rules import BURN_WINDOWS, RecordingRule
from tests.rules.conftest import DAY, alerts, config, groups, records, success

THRESHOLD = re.compile(r"ratio_rate\w+\{slo=\"ok\"\} > (\S+)")
SHARE = re.compile(r">= (\S+) \* slo:events:increase(\w+)\{")


def burn_alerts(*slos):
    return [alert for alert in alerts(config(*slos)) if alert.name == "RuntypeErrorBudgetBurn"]


@pytest.mark.parametrize(
    ("objective", "thresholds"),
    [
        ("99", ["0.144", "0.06", "0.03", "0.01"]),
        ("99.95", ["0.0072", "0.003", "0.0015", "0.0005"]),
        (
            "99.9999999999",
            ["0.0000000000144", "0.000000000006", "0.000000000003", "0.000000000001"],
        ),
        ("90", ["0.6", "0.3", "0.1"]),
    ],
)
def test_thresholds_are_what_a_person_would_write(objective, thresholds):
    found = [THRESHOLD.findall(alert.expr) for alert in burn_alerts(success(objective=objective))]
    assert [[threshold] * 2 for threshold in thresholds] == found


@given(st.decimals("0.01", "99.99", places=2))
def test_thresholds_and_shares_are_exact_for_any_objective(objective):
    budget = 1 - objective / 100
    windows = [window for window in BURN_WINDOWS if window.factor * budget < 1]
    found = burn_alerts(success(objective=str(objective)))
    assert [window.factor * budget for window in windows] == [
        Decimal(THRESHOLD.findall(a.expr)[0]) for a in found
    ]
    assert [(window.share * budget, "30d") for window in windows] == [
        (Decimal(share), period) for a in found for share, period in SHARE.findall(a.expr)
    ]


def test_the_least_number_of_bad_events_is_the_configured_one():
    assert [True] * 4 == [")) >= 7\n" in alert.expr for alert in burn_alerts(success(min_bad=7))]


def test_bad_events_of_the_long_window_are_not_extrapolated():
    counted = re.compile(
        r"\(m(?:ax|in)_over_time\((\w+:\w+:\w+)\{slo=\"ok\",result=\"bad\"\}\[(\w+)\]\) - min_over"
    )
    fine, coarse = "runtype:slo_events_total:max", "runtype:slo_events_total:max4m"
    assert [[(fine, "1h")], [(fine, "6h")], [(coarse, "1d")], [(coarse, "3d")]] == [
        counted.findall(alert.expr) for alert in burn_alerts(success())
    ]


def test_every_burn_alert_needs_a_trusted_account():
    assert [True] * 4 == [
        alert.expr.endswith(")\nand ignoring (slo)\n  runtype:account_trusted:bool == 1")
        for alert in burn_alerts(success())
    ]


def test_burn_alerts_keep_firing_for_an_hour_or_their_short_window():
    assert [3600, 3600, 7200, 21600] == [alert.keep_firing_for for alert in burn_alerts(success())]


def test_pages_are_for_what_burns_fast():
    assert ["critical", "critical", "warning", "warning"] == [
        alert.severity for alert in burn_alerts(success())
    ]


def test_group_names_are_unique():
    """`a` and `a-period` are both valid names of objectives.

    Prometheus refuses a file with two groups of the same name.
    """
    names = [
        group.name for group in groups(config(success("a"), success("a-period"), success("period")))
    ]
    assert len(names) == len(set(names))


def test_long_windows_use_the_coarse_copy_and_interval():
    found = {
        rule.name: (rule.expr, group.interval)
        for group in groups(config(success()))
        for rule in group.rules
        if isinstance(rule, RecordingRule) and rule.name.startswith("slo:events:increase")
    }
    coarse = {"1d", "3d", "30d"}
    assert coarse | {"5m", "30m", "1h", "2h", "6h"} == {
        name.removeprefix("slo:events:increase") for name in found
    }
    for name, (expr, interval) in found.items():
        is_coarse = name.removeprefix("slo:events:increase") in coarse
        assert is_coarse == ("runtype:slo_events_total:max4m{" in expr)
        assert (240 if is_coarse else 60) == interval


@pytest.mark.parametrize("days", [1, 3, 7, 28, 30, 90, 365])
def test_recorded_names_are_unique_and_exist_where_they_are_read(days):
    of = config(success(window=days * DAY))
    made = [
        rule.name for group in groups(of) for rule in group.rules if isinstance(rule, RecordingRule)
    ]
    assert len(made) == len(set(made))
    read = {
        name
        for alert in burn_alerts(success(window=days * DAY))
        for name in re.findall(r"slo:\w+:\w+", alert.expr)
    }
    assert set() == read - set(made)
    assert f"slo:sli_error:ratio_rate{written_duration(days * DAY)}" in made


def test_the_metadata_of_an_objective_is_recorded():
    made = records(config(success(objective="99.5", window=7 * DAY)))
    assert ["vector(0.995)", "vector(0.005)", "vector(7)"] == [
        made[name].expr
        for name in ("slo:objective:ratio", "slo:error_budget:ratio", "slo:time_period:days")
    ]


def test_without_objectives_there_are_no_slo_rules():
    assert [] == [rule for rule in records(config()) if rule.startswith("slo:")]
    assert [] == burn_alerts()
