"""The page of alerts and the alerts for Grafana, both generated from the rules."""

from __future__ import annotations

import re

import yaml

from runtype_exporter.rules import AlertRule, RecordingRule
from tools.alerts_page import alerts_page
from tools.generate_docs import RULES
from tools.grafana_alerts import DATASOURCE, grafana_alerts

EVERY = [rule for file in RULES for group in file.groups for rule in group.rules]
ALERTS = [rule for rule in EVERY if isinstance(rule, AlertRule)]


def managed() -> list[dict]:
    return [
        rule for group in yaml.safe_load(grafana_alerts(RULES))["groups"] for rule in group["rules"]
    ]


def test_the_page_has_every_alert_and_every_recording_rule():
    page = alerts_page(RULES)
    headings = re.findall(r"^## (Runtype\w+)$", page, re.MULTILINE)
    assert sorted({alert.name for alert in ALERTS}) == sorted(headings)
    assert headings == re.findall(r"^\| \[`(Runtype\w+)`\]", page, re.MULTILINE)
    recorded = re.findall(r"^\| `(\w+:\S+)` \|", page, re.MULTILINE)
    assert sorted({rule.name for rule in EVERY if isinstance(rule, RecordingRule)}) == sorted(
        recorded
    )


def test_no_template_is_left_on_the_page():
    assert "{{" not in alerts_page(RULES)


def test_grafana_has_the_same_expressions_as_prometheus():
    assert [alert.expr for alert in ALERTS] == [
        rule["data"][0]["model"]["expr"] for rule in managed()
    ]
    assert {DATASOURCE} == {rule["data"][0]["datasourceUid"] for rule in managed()}


def test_grafana_fires_on_any_result():
    """A value may be 0 (`up == 0`), so it is not compared. No result means inactive."""
    assert {("fires", "math", "is_number($value)", "OK")} == {
        (
            rule["condition"],
            rule["data"][1]["model"]["type"],
            rule["data"][1]["model"]["expression"],
            rule["noDataState"],
        )
        for rule in managed()
    }


def test_grafana_has_the_same_durations_and_labels():
    expected = [
        (alert.pending_for, alert.keep_firing_for, {"severity": alert.severity, **alert.labels})
        for alert in ALERTS
    ]
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}

    def seconds(text: str) -> float:
        return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([dhms])", text))

    found = [
        (seconds(rule["for"]), seconds(rule["keepFiringFor"]), rule["labels"]) for rule in managed()
    ]
    assert expected == found


def test_titles_and_uids_are_unique():
    """Titles must differ in a folder, and uids (40 characters at most) in an organisation."""
    rules = managed()
    assert (
        len(rules) == len({rule["title"] for rule in rules}) == len({rule["uid"] for rule in rules})
    )
    assert max(len(rule["uid"]) for rule in rules) <= 40


def test_no_dollar_is_left_that_grafana_would_expand():
    """Some versions replace `$word` in these files by an environment variable.

    They do not change expressions and conditions.
    """
    for rule in managed():
        assert "$" not in str({key: value for key, value in rule.items() if key != "data"})
