"""The rule files: their contents read back as the rules that were written."""

from __future__ import annotations

import yaml

from runtype_exporter.rules import AlertRule, rule_files, text_of
from tests.rules.conftest import DAY, config, success

CONFIG = config(success(), success("second", "99.9", 7 * DAY))


def test_a_file_reads_back_as_its_rules():
    for file in rule_files(CONFIG):
        read = yaml.safe_load(text_of(file))["groups"]
        assert [group.name for group in file.groups] == [group["name"] for group in read]
        for group, there in zip(file.groups, read, strict=True):
            assert [rule.expr for rule in group.rules] == [rule["expr"] for rule in there["rules"]]
            assert [rule.name for rule in group.rules] == [
                r.get("record", r.get("alert")) for r in there["rules"]
            ]


def test_runbooks_have_the_published_location():
    urls = {
        (rule["alert"], rule["annotations"]["runbook_url"])
        for file in rule_files(CONFIG)
        for group in yaml.safe_load(text_of(file, "https://wiki.example/runtype/"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert {f"https://wiki.example/runtype/{name}.md" for name, _ in urls} == {
        url for _, url in urls
    }


def test_alerts_carry_their_severity_and_own_labels():
    (file,) = [file for file in rule_files(CONFIG) if file.name == "runtype-slo.yaml"]
    read = [
        rule
        for group in yaml.safe_load(text_of(file))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    expected = [
        rule for group in file.groups for rule in group.rules if isinstance(rule, AlertRule)
    ]
    assert [{"severity": alert.severity, **alert.labels} for alert in expected] == [
        rule["labels"] for rule in read
    ]


def test_zero_durations_are_not_written():
    for file in rule_files(CONFIG):
        assert "for: 0s" not in text_of(file)
        assert "keep_firing_for: 0s" not in text_of(file)
