"""The check of PromQL: the labels of a result, and the mistakes that it must find."""

from __future__ import annotations

import pytest

from runtype_exporter.catalogue import CATALOGUE
from tools.promql import (
    TARGET,
    ExpressionCheck,
    Labels,
    annotation_problems,
    expand,
    known_metrics,
    legend_problems,
    link_problems,
    metric_of,
    substitute,
)

FINISHED = "runtype_records_finished_total"
LATENCY = "runtype_record_latency_seconds"
KNOWN = (
    known_metrics()
    .recorded("slo:objective:ratio", Labels({"slo": frozenset({"a", "b"})}))
    .recorded("runtype:finished:max", Labels.of("job", "account", "schedule", "flow", "outcome"))
)


def labels(text: str) -> set[str]:
    checked = ExpressionCheck(text, KNOWN)
    assert [] == checked.problems
    return set(checked.labels.names())


def problems(text: str) -> list[str]:
    return ExpressionCheck(text, KNOWN).problems


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("runtype_up", {"account", *TARGET}),
        ("rate(runtype_polls_total[5m])", {"account", *TARGET}),
        (f"max_over_time(sum by (account) (rate({FINISHED}[5m]))[1h:5m])", {"account"}),
        ("sum(runtype_up)", set()),
        ("sum by (account, job) (runtype_up)", {"account", "job"}),
        ("max without (instance, pod) (runtype_up)", {"account", *TARGET} - {"instance", "pod"}),
        ("topk(3, sum by (account) (runtype_up))", {"account"}),
        ('count_values("value", runtype_up)', {"value"}),
        ("-(runtype_up)", {"account", *TARGET}),
        ("runtype_up == bool 0", {"account", *TARGET}),
        ("1 - runtype_up", {"account", *TARGET}),
        ("time() - runtype_last_successful_poll_timestamp_seconds", {"account", *TARGET}),
        ("vector(1)", set()),
        ("day_of_week()", set()),
        ("runtype_up * on (account) runtype_up", {"account"}),
        (
            "runtype_batches_open and on (account) runtype_up",
            {"account", "schedule", "flow", *TARGET},
        ),
        ("sum by (account) (runtype_up) or sum by (job) (runtype_up)", {"account", "job"}),
        (
            "sum by (account) (runtype_up) / ignoring (job) sum by (account, job) (runtype_up)",
            {"account"},
        ),
        (
            (
                "sum(runtype_batches_open) by (account, flow) * on (account) group_left (cron)"
                " runtype_schedule_info"
            ),
            {"account", "flow", "cron"},
        ),
        (
            (
                "runtype_schedule_info * on (account) group_right (timezone) sum by (account, job)"
                " (runtype_up)"
            ),
            {"account", "job", "timezone"},
        ),
        (
            f"histogram_quantile(0.9, sum by (le, account) (rate({LATENCY}_bucket[5m])))",
            {"account"},
        ),
        (
            f"sum by (flow) (rate({LATENCY}_sum[5m])) / sum by (flow) (rate({LATENCY}_count[5m]))",
            {"flow"},
        ),
        ('label_replace(sum(runtype_up), "a", "x", "", "")', {"a"}),
        ('label_join(sum by (account) (runtype_up), "b", "-", "account")', {"account", "b"}),
        ('absent(up{job="runtype", instance=~"a.*"})', {"job"}),
        ('absent_over_time(up{job="runtype"}[5m])', {"job"}),
        ('{__name__=~"runtype_usage_(executions|slow_mode)"}', {"account", "period", *TARGET}),
        ('sum by (account) ({"runtype:finished:max", outcome="failure"})', {"account"}),
        ("slo:objective:ratio", {"slo"}),
        ("process_resident_memory_bytes", set(TARGET)),
        (
            'runtype_usage_executions{period="daily" or period="monthly"}',
            {"account", "period", *TARGET},
        ),
    ],
)
def test_the_labels_of_a_result_are_inferred(text: str, names: set[str]):
    assert names == labels(text)


def test_a_scalar_has_no_labels():
    assert ExpressionCheck("time() - 3 * scalar(runtype_up)", KNOWN).labels is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("runtype_upp", "nothing bears the name runtype_upp"),
        ("sum(rate(runtype_records_total[5m]))", "nothing bears the name runtype_records_total"),
        (f"{LATENCY}", f"{LATENCY} is a histogram: ask for its _bucket, _sum or _count"),
        (f'{FINISHED}{{batch="x"}}', f"{FINISHED} has no label batch"),
        ('runtype_up{acount="x"}', "runtype_up has no label acount"),
        ('{__name__=~"runtype_nothing_.*"}', "nothing bears the name runtype_nothing_.*"),
        ('{"runtype_nothing"}', "nothing bears the name runtype_nothing"),
        ('{account="x"}', '{account="x"}: asks for no metric by name'),
        ('runtype_up{account="x" or batch="y"}', "runtype_up has no label batch"),
        (
            f'{FINISHED}{{outcome="succes"}}',
            (
                f"{FINISHED}: outcome is never 'succes', but one of cancelled, failure, success,"
                " unknown"
            ),
        ),
        (
            f'{FINISHED}{{outcome=~"failure|unknwon"}}',
            (
                f"{FINISHED}: outcome is never 'unknwon', but one of cancelled, failure, success,"
                " unknown"
            ),
        ),
        (
            f'{FINISHED}{{outcome!="sucess"}}',
            (
                f"{FINISHED}: outcome is never 'sucess', but one of cancelled, failure, success,"
                " unknown"
            ),
        ),
        ('slo:objective:ratio{slo="c"}', "slo:objective:ratio: slo is never 'c', but one of a, b"),
        ("sum by (batch) (runtype_up)", "sum by (batch): there is no such label below it"),
        (
            "max without (batch) (runtype_up)",
            "max without (batch): there is no such label below it",
        ),
        (
            "sum by (account) (sum by (job) (runtype_up))",
            "sum by (account): there is no such label below it",
        ),
        (
            "sum by (instance) (runtype:finished:max)",
            "sum by (instance): there is no such label below it",
        ),
        (
            "runtype_up * on (slo) slo:objective:ratio",
            "* on (slo): the left side has no such label",
        ),
        (
            "runtype_up and on (flow) runtype_batches_open",
            "and on (flow): the left side has no such label",
        ),
        (
            "runtype_up * ignoring (flow) runtype_up",
            "* ignoring (flow): neither side has such a label",
        ),
        (
            "runtype_batches_open * on (account) group_left (cron) runtype_up",
            "group_left (cron): the side that it is taken from has no such label",
        ),
        (
            "runtype_up * on (account) group_right (cron) runtype_batches_open",
            "group_right (cron): the side that it is taken from has no such label",
        ),
        (
            "sum by (account) (runtype_up) / sum by (job) (runtype_up)",
            "/ never finds partners: only one side has account, job; say on() or ignoring()",
        ),
        (
            "runtype_up unless max without (instance) (runtype_up)",
            "unless never finds partners: only one side has instance; say on() or ignoring()",
        ),
        (
            f"histogram_quantile(0.9, sum by (account) (rate({LATENCY}_bucket[5m])))",
            "histogram_quantile: the buckets have lost their label le",
        ),
        (
            'label_replace(runtype_up, "a", "$1", "flow", "(.*)")',
            "label_replace from flow: there is no such label below it",
        ),
        (
            'label_join(runtype_up, "a", "-", "flow")',
            "label_join from flow: there is no such label below it",
        ),
        ("rate(runtype_batches_open[5m])", "rate of runtype_batches_open, which is a gauge"),
        ("delta(runtype_polls_total[5m])", "delta of runtype_polls_total, which is a counter"),
        ("topk(scalar(runtype_upp), runtype_up)", "nothing bears the name runtype_upp"),
        (
            "quantile_over_time(scalar(runtype_upp), runtype_up[5m])",
            "nothing bears the name runtype_upp",
        ),
        ("max_over_time((runtype_upp > 0)[1h:1m])", "nothing bears the name runtype_upp"),
        ("absent(runtype_upp)", "nothing bears the name runtype_upp"),
        ("runtype_up or runtype_upp", "nothing bears the name runtype_upp"),
    ],
)
def test_a_mistake_is_found(text: str, problem: str):
    assert [problem] == problems(text)


@pytest.mark.parametrize(
    "text", ["sum(", "rate(runtype_up)", "runtype_up[5x]", "sum by (a runtype_up", ""]
)
def test_an_invalid_expression_is_a_problem(text: str):
    [problem] = problems(text)
    assert problem.startswith("cannot be parsed: ")


@pytest.mark.parametrize(
    "text",
    [
        "ALERTS{alertstate='firing', slo='anything', severity='critical'}",
        "sum by (anything) (ALERTS)",
        f'{FINISHED}{{outcome=~".*"}}',
        f'{FINISHED}{{outcome!~"success|cancelled"}}',
        f'{FINISHED}{{outcome=~"(failure|unknown)"}}',
        'runtype_batches_open{schedule=""}',
        "sum(runtype_up) / sum(runtype_polls_total)",
        "sum(runtype_up) or vector(0)",
        "min by (job) (up) and on () vector(1)",
    ],
)
def test_a_correct_expression_has_no_problems(text: str):
    assert [] == problems(text)


def test_a_matcher_narrows_what_a_rule_records():
    failures = ExpressionCheck(f'sum by (outcome) ({FINISHED}{{outcome="failure"}})', KNOWN).labels
    assert {"outcome": frozenset({"failure"})} == failures.values
    after = KNOWN.recorded("failures", failures)
    assert [] == ExpressionCheck('failures{outcome="failure"}', after).problems
    assert [] != ExpressionCheck('failures{outcome="success"}', after).problems


def test_a_name_recorded_twice_has_the_labels_of_both():
    twice = KNOWN.recorded("x", Labels.of("a")).recorded("x", Labels({"b": frozenset({"1"})}))
    assert [] == ExpressionCheck('x{a="?", b="1"}', twice).problems
    assert [] == ExpressionCheck('x{b=""}', twice).problems
    assert [] != ExpressionCheck('x{b="2"}', twice).problems


def test_every_metric_of_the_catalogue_is_known():
    for metric in CATALOGUE:
        suffixes = ("_bucket", "_sum", "_count") if metric.type == "histogram" else ("",)
        for suffix in suffixes:
            checked = ExpressionCheck(metric.name + suffix, KNOWN)
            assert [] == checked.problems
            assert set(metric.labels) <= checked.labels.names()
            assert {metric.name} == checked.metrics


def test_only_histograms_lose_their_suffix():
    assert "runtype_poll_duration_seconds" == metric_of("runtype_poll_duration_seconds_count")
    assert "runtype_something_count" == metric_of("runtype_something_count")


@pytest.mark.parametrize(
    ("text", "parsable"),
    [
        ('x{account=~"$account"}', 'x{account=~"grafana_variable"}'),
        (
            'x{account=~"${account:regex}", b="a$b"}',
            'x{account=~"grafana_variable", b="agrafana_variable"}',
        ),
        ("rate(x[$__rate_interval]) + rate(x[$__range])", "rate(x[1m]) + rate(x[1h])"),
        ("x[${__interval}:$step]", "x[1m:1h]"),
        ("x / $__range_s", "x / 3600"),
        ('label_replace(x, "a", "$1", "b", "(.*)")', 'label_replace(x, "a", "$1", "b", "(.*)")'),
        ('x{a="[[old]]"}', 'x{a="grafana_variable"}'),
    ],
)
def test_variables_are_replaced(text: str, parsable: str):
    assert parsable == substitute(text)


def test_a_variable_may_be_any_value_of_a_closed_set():
    assert [] == problems(substitute(f'{FINISHED}{{outcome=~"$outcome", account="$account"}}'))
    assert [] != problems(substitute(f'{FINISHED}{{acount=~"$account"}}'))


def test_a_variable_outside_quotes_is_tried_with_each_of_its_options():
    options = {"window": ["1h", "1d"], "by": ["flow"], "unused": ["x"]}
    assert ["a1h[5m] by (flow)", "a1d[5m] by (flow)"] == list(
        expand("a$window[5m] by (${by})", options)
    )
    assert ['a{b="grafana_variable"}'] == list(expand('a{b="$window"}', options))


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("{{ $labels.account }} is {{ $value | humanize }}", []),
        ("{{ $labels.slo }}", ["slo"]),
        (
            '{{ index $labels "slo" }} {{ .Labels.flow }} {{ if eq $labels.x "y" }}{{ end }}',
            ["slo", "flow", "x"],
        ),
        ("labels.slo", []),
    ],
)
def test_labels_in_an_annotation_must_come_from_the_expression(text: str, missing: list[str]):
    found = annotation_problems(text, Labels.of("account"), KNOWN)
    assert missing == [problem.rpartition(" ")[2] for problem in found]


@pytest.mark.parametrize(
    "text",
    [
        '{{ with query "runtype_upp" }}{{ . | first | value }}{{ end }}',
        '{{ with printf "runtype_upp{account=%q}" $labels.account | query }}{{ end }}',
        "{{ with printf `runtype_upp{account='%s'}` $labels.account | query }}{{ end }}",
    ],
)
def test_a_query_within_an_annotation_is_checked(text: str):
    [problem] = annotation_problems(text, Labels.of("account"), KNOWN)
    assert problem.endswith("nothing bears the name runtype_upp")
    assert [] == annotation_problems(text.replace("upp", "up"), Labels.of("account"), KNOWN)


def test_labels_in_a_legend_and_a_link_must_be_there():
    some = Labels.of("account")
    assert [] == legend_problems("{{account}} {{ account }} budget", some)
    assert ["the legend '{{flow}}' names flow, which the result does not have"] == legend_problems(
        "{{flow}}", some
    )
    assert [] == link_problems("/d/x?var-account=${__field.labels.account}", some)
    link = "/d/x?var-flow=${__field.labels.flow:percentencode}"
    assert [f"the link '{link}' names flow, which no result of the panel has"] == link_problems(
        link, some
    )
