"""The check of rules, dashboards, Grafana alerts and pages, with one mistake in each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.dashboard_queries import panel_queries
from tools.queries import QueryReport, check_all, check_rules


def rules(*entries: dict[str, Any], file: str = "a.yaml") -> tuple[str, Any]:
    return file, {"groups": [{"name": "g", "rules": list(entries)}]}


def rule_problems(*documents: tuple[str, Any]) -> list[str]:
    report = QueryReport()
    check_rules(report, documents)
    return report.problems


def dashboard_problems(root: Path, **keys: Any) -> list[str]:
    file = root / "grafana/dashboards/d.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"title": "d", **keys}))
    return check_all(root)["dashboards"].problems


def panel_problems(root: Path, **keys: Any) -> list[str]:
    return dashboard_problems(
        root,
        panels=[{"title": "p", "targets": [{"expr": "sum by (account) (runtype_up)"}], **keys}],
    )


def alerting_problems(root: Path, **keys: Any) -> list[str]:
    file = root / "grafana/provisioning/alerting/a.yaml"
    file.parent.mkdir(parents=True)
    data = [
        {
            "refId": "A",
            "datasourceUid": "prometheus",
            "model": {"expr": "sum by (account) (runtype_up)"},
        },
        {"refId": "B", "datasourceUid": "__expr__", "model": {"type": "reduce", "expression": "A"}},
        {
            "refId": "C",
            "datasourceUid": "__expr__",
            "model": {"type": "math", "expression": "$B < 1"},
        },
    ]
    rule = {"title": "t", "condition": "C", "data": data, **keys}
    file.write_text(yaml.safe_dump({"apiVersion": 1, "groups": [{"name": "g", "rules": [rule]}]}))
    return check_all(root)["alerting"].problems


# --- rules ---


def test_a_recorded_series_has_the_labels_of_its_rule():
    record = {"record": "a:b", "expr": "sum by (account) (runtype_up)", "labels": {"slo": "x"}}
    good = {
        "alert": "Good",
        "expr": 'a:b{slo="x", account="y"} > 0',
        "annotations": {"summary": "{{ $labels.slo }}"},
    }
    bad = {"alert": "Bad", "expr": 'a:b{slo="z"} > 0'}
    assert ["a.yaml: Bad: a:b: slo is never 'z', but one of x"] == rule_problems(
        rules(record, good, bad)
    )


def test_the_order_of_files_does_not_matter():
    later = rules({"record": "a:b", "expr": "sum by (account) (runtype_up)"}, file="z.yaml")
    earlier = rules({"record": "c:d", "expr": "sum by (flow) (a:b)"}, file="a.yaml")
    assert ["a.yaml: c:d: sum by (flow): there is no such label below it"] == rule_problems(
        earlier, later
    )


def test_rules_that_wait_for_each_other_are_named():
    circle = rules({"record": "a:b", "expr": "c:d"}, {"record": "c:d", "expr": "a:b"})
    assert ["a.yaml: a:b: nothing bears the name c:d"] == rule_problems(circle)


def test_a_rule_may_read_its_own_last_value():
    copy = {
        "record": "a:b",
        "expr": (
            "sum by (account) (runtype_up) and last_over_time(a:b[5m]) or sum by (account)"
            " (runtype_up)"
        ),
    }
    after = {"record": "c:d", "expr": "sum by (account) (a:b)"}
    wrong = {"record": "e:f", "expr": "sum by (flow) (a:b)"}
    assert ["a.yaml: e:f: sum by (flow): there is no such label below it"] == rule_problems(
        rules(copy, after, wrong)
    )


def test_a_record_must_not_take_a_name_of_the_catalogue():
    assert ["records: runtype_up is a name of the catalogue"] == rule_problems(
        rules({"record": "runtype_up", "expr": "vector(1)"})
    )


def test_a_template_of_an_alert_is_checked():
    alert = {
        "alert": "A",
        "expr": "sum by (account) (runtype_up) < 1",
        "annotations": {"summary": "{{ $labels.flow }}"},
    }
    [problem] = rule_problems(rules(alert))
    assert problem.endswith("the expression's result has no label flow")


def test_the_series_of_alerts_have_the_labels_of_the_alerts():
    alert = {
        "alert": "A",
        "expr": "sum by (account) (runtype_up) < 1",
        "labels": {"severity": "info", "to": "{{ $value }}"},
    }
    report = QueryReport()
    check_rules(report, [rules(alert)])
    good = 'ALERTS{alertname="A", alertstate="firing", severity="info", account="x", to="1"}'
    assert report.check("good", good) is not None
    assert [] == report.problems
    report.check("bad", 'ALERTS{alertname="B", alertstate="fired", severity="inform", flow="x"}')
    assert [
        "bad: ALERTS: alertname is never 'B', but one of A",
        "bad: ALERTS: alertstate is never 'fired', but one of firing, pending",
        "bad: ALERTS: severity is never 'inform', but one of info",
        "bad: ALERTS has no label flow",
    ] == report.problems


# --- dashboards ---


def test_a_panel_in_a_collapsed_row_is_checked(tmp_path: Path):
    inner = {"title": "p", "targets": [{"expr": "runtype_upp"}]}
    found = dashboard_problems(tmp_path, panels=[{"type": "row", "title": "r", "panels": [inner]}])
    assert ["grafana/dashboards/d.json: p: nothing bears the name runtype_upp"] == found


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (
            {"targets": [{"expr": 'runtype_up{account="$account"}'}]},
            "$account is no variable of the dashboard",
        ),
        (
            {"targets": [{"expr": "sum(runtype_up)", "legendFormat": "{{account}}"}]},
            "the legend '{{account}}' names account, which the result does not have",
        ),
        ({"repeat": "account"}, "repeats by $account, which is no variable of the dashboard"),
        (
            {"fieldConfig": {"defaults": {"links": [{"url": "?${__field.labels.flow}"}]}}},
            "the link '?${__field.labels.flow}' names flow, which no result of the panel has",
        ),
        (
            {
                "fieldConfig": {
                    "overrides": [
                        {"properties": [{"id": "links", "value": [{"url": "${__field.labels.x}"}]}]}
                    ]
                }
            },
            "the link '${__field.labels.x}' names x, which no result of the panel has",
        ),
    ],
)
def test_a_mistake_in_a_panel_is_found(tmp_path: Path, keys: dict[str, Any], problem: str):
    assert [f"grafana/dashboards/d.json: p: {problem}"] == panel_problems(tmp_path, **keys)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("label_values(runtype_up, account)", None),
        ({"query": 'label_values(runtype_batches_open{account=~"$v"}, flow)', "refId": "x"}, None),
        ("query_result(sum by (account) (runtype_up))", None),
        ("label_values(account)", None),
        ("label_values(runtype_up, flow)", "the series have no label flow"),
        ("label_values(runtype_upp, account)", "nothing bears the name runtype_upp"),
        ("query_result(runtype_upp)", "nothing bears the name runtype_upp"),
        ("metrics(runtype)", "'metrics(runtype)' is no query that this check knows: teach it"),
    ],
)
def test_the_query_of_a_variable_is_checked(tmp_path: Path, query: Any, problem: str | None):
    found = dashboard_problems(
        tmp_path, templating={"list": [{"name": "v", "type": "query", "query": query}]}
    )
    assert ([] if problem is None else [f"grafana/dashboards/d.json: $v: {problem}"]) == found


def test_each_option_of_a_variable_is_tried(tmp_path: Path):
    window = {"name": "w", "type": "custom", "query": "up, good : upp"}
    panel = {"title": "p", "targets": [{"expr": "runtype_$w"}]}
    found = dashboard_problems(tmp_path, templating={"list": [window]}, panels=[panel])
    assert ["grafana/dashboards/d.json: p: nothing bears the name runtype_upp"] == found


def test_an_annotation_of_a_dashboard_is_checked(tmp_path: Path):
    found = dashboard_problems(
        tmp_path, annotations={"list": [{"name": "a", "expr": "runtype_upp"}, {"name": "built in"}]}
    )
    assert [
        "grafana/dashboards/d.json: annotation 'a': nothing bears the name runtype_upp"
    ] == found


def test_panel_queries_use_the_initial_values_of_variables():
    names = {"all": ("$__all", None), "these": (["$__all"], ".+"), "one": ("x", None)}
    listed = [
        {"name": name, "current": {"value": value}, "allValue": every}
        for name, (value, every) in names.items()
    ]
    panel = {
        "title": "p",
        "targets": [
            {"expr": 'up{a=~"$all", b=~"${these:regex}", c="$one"}[$__range]'},
            {"refId": "no query"},
        ],
    }
    document = {"templating": {"list": listed}, "panels": [{"type": "row", "panels": [panel]}]}
    assert [("p", 'up{a=~".*", b=~".+", c="x"}[1h]')] == list(panel_queries(document))


# --- Grafana's own alert rules ---


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"condition": "D"}, "the condition D is not there"),
        (
            {
                "annotations": {
                    "summary": "{{ $labels.account }} {{ $labels.alertname }} {{ $values.B.Value }}"
                }
            },
            None,
        ),
        (
            {"annotations": {"summary": "{{ $labels.flow }}"}},
            "{{ $labels.flow }}: the expression's result has no label flow",
        ),
        ({"annotations": {"summary": "{{ $values.X }}"}}, "$values.X is not there"),
        (
            {
                "condition": "A",
                "data": [
                    {
                        "refId": "A",
                        "datasourceUid": "__expr__",
                        "model": {"type": "threshold", "expression": "Q"},
                    }
                ],
            },
            "A asks for Q, which is not there",
        ),
    ],
)
def test_a_mistake_in_a_grafana_rule_is_found(
    tmp_path: Path, keys: dict[str, Any], problem: str | None
):
    place = "grafana/provisioning/alerting/a.yaml: t"
    assert ([] if problem is None else [f"{place}: {problem}"]) == alerting_problems(
        tmp_path, **keys
    )


# --- pages ---


def test_marked_expressions_in_pages_are_checked(tmp_path: Path):
    page = tmp_path / "docs/design/a.md"
    page.parent.mkdir(parents=True)
    page.write_text(
        "```promql\n# why\nruntype_up\n\nruntype_upp == 0\n```\n\n```\nruntype_uppp\n```\n"
    )
    report = check_all(tmp_path)["docs"]
    assert ["docs/design/a.md: nothing bears the name runtype_upp"] == report.problems
    assert (2, {"runtype_up"}) == (report.count, report.metrics)
