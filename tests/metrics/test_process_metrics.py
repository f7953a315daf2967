"""The process's own instruments."""

from __future__ import annotations

from itertools import product

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from runtype_exporter.catalogue import CATALOGUE, POLLS
from runtype_exporter.metrics.process_metrics import ProcessMetrics
from runtype_exporter.protocols import Attempt, Telemetry


@pytest.fixture
def metrics():
    return ProcessMetrics()


def samples(metrics, format_="text", lines=0):
    metrics.refresh(lines)
    parse = parse_text if format_ == "text" else parse_openmetrics
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(metrics.chunk(format_).decode())
        for sample in family.samples
    }


def value(metrics, name, **labels):
    return samples(metrics).get((name, tuple(sorted(labels.items()))))


def test_it_can_count_for_polling(metrics):
    telemetry: Telemetry = metrics
    telemetry.up("a", up=True)
    assert value(metrics, "runtype_up", account="a") == 1.0


def test_attempts_are_counted_by_operation_and_code_and_timed(metrics):
    metrics.attempt(Attempt("a", "results", "200", 0.3))
    metrics.attempt(Attempt("a", "results", "timeout", 30.0))
    assert (
        value(metrics, "runtype_api_requests_total", account="a", operation="results", code="200")
        == 1.0
    )
    assert (
        value(
            metrics, "runtype_api_requests_total", account="a", operation="results", code="timeout"
        )
        == 1.0
    )
    assert (
        value(metrics, "runtype_api_request_duration_seconds_sum", account="a", operation="results")
        == 30.3
    )
    assert (
        value(
            metrics,
            "runtype_api_request_duration_seconds_bucket",
            account="a",
            operation="results",
            le="0.5",
        )
        == 1.0
    )


def test_budget_pauses_and_skew_are_shown(metrics):
    metrics.budget("a", 1000, 99.5)
    metrics.throttled("a", 1.7e9)
    metrics.skew("a", -0.25)
    assert value(metrics, "runtype_api_budget_limit_requests", account="a") == 1000.0
    assert value(metrics, "runtype_api_budget_remaining_requests", account="a") == 99.5
    assert value(metrics, "runtype_api_throttled_until_timestamp_seconds", account="a") == 1.7e9
    assert value(metrics, "runtype_api_clock_skew_seconds", account="a") == -0.25


def test_the_source_of_the_time_replaces_the_one_before(metrics):
    metrics.time_source("a", "local")
    metrics.time_source("b", "local")
    metrics.time_source("a", "date")
    assert value(metrics, "runtype_api_time_source", account="a", source="date") == 1.0
    assert value(metrics, "runtype_api_time_source", account="a", source="local") is None
    assert value(metrics, "runtype_api_time_source", account="b", source="local") == 1.0


def test_rows_that_are_left_out_are_counted_by_what_was_wrong(metrics):
    for reason in ("identity", "count", "identity"):
        metrics.rejected("a", "runs", reason)
    labels = {"account": "a", "operation": "runs"}
    name = "runtype_rows_rejected_total"
    assert value(metrics, name, **labels, reason="identity") == 2.0
    assert value(metrics, name, **labels, reason="count") == 1.0


def test_a_horizon_is_shown(metrics):
    metrics.horizon("a", 1.7e9)
    assert value(metrics, "runtype_horizon_timestamp_seconds", account="a") == 1.7e9


def test_a_cycle_counts_and_only_a_good_one_moves_the_time_of_the_last_success(metrics):
    metrics.cycle("a", 0.2, 1000.0, "")
    metrics.cycle("a", 0.4, 2000.0, "unauthorised")
    assert value(metrics, "runtype_polls_total", account="a") == 2.0
    assert value(metrics, "runtype_poll_failures_total", account="a", reason="unauthorised") == 1.0
    assert value(metrics, "runtype_poll_duration_seconds_count", account="a") == 2.0
    assert value(metrics, "runtype_last_successful_poll_timestamp_seconds", account="a") == 1000.0


def test_collectors_and_sweeps_are_counted(metrics):
    metrics.collector("a", "runs", up=True, failure="")
    metrics.collector("a", "summary", up=False, failure="forbidden")
    metrics.sweep("a", "")
    metrics.sweep("a", "not_found")
    assert value(metrics, "runtype_collector_up", account="a", collector="runs") == 1.0
    assert value(metrics, "runtype_collector_up", account="a", collector="summary") == 0.0
    labels = {"account": "a", "collector": "summary", "reason": "forbidden"}
    assert value(metrics, "runtype_collector_failures_total", **labels) == 1.0
    assert value(metrics, "runtype_batch_sweeps_total", account="a") == 1.0
    assert (
        value(metrics, "runtype_batch_sweep_failures_total", account="a", reason="not_found") == 1.0
    )


def test_the_oldest_pending_sweep_is_absent_where_none_waits(metrics):
    metrics.pending("a", 2, 1000.0)
    assert value(metrics, "runtype_oldest_pending_sweep_timestamp_seconds", account="a") == 1000.0
    metrics.pending("a", 0, None)
    metrics.pending("a", 0, None)
    assert value(metrics, "runtype_oldest_pending_sweep_timestamp_seconds", account="a") is None
    assert value(metrics, "runtype_sweeps_pending", account="a") == 0.0


def test_an_account_s_counters_exist_before_anything_happened(metrics):
    metrics.account("a")
    for name in (
        "polls_total",
        "batch_sweeps_total",
        "poll_duration_seconds_count",
        "sweeps_pending",
    ):
        assert value(metrics, f"runtype_{name}", account="a") == 0.0
    assert value(metrics, "runtype_api_throttled_until_timestamp_seconds", account="a") == 0.0
    assert value(metrics, "runtype_up", account="a") is None, "absent before the first cycle"


def test_an_account_that_is_forgotten_loses_its_series_and_no_other_does(metrics):
    for account in ("a", "b"):
        metrics.account(account)
        metrics.attempt(Attempt(account, "runs", "200", 0.1))
        metrics.collector(account, "runs", up=True, failure="")
    metrics.build_info("a", "3.13")
    metrics.forget("a")
    accounts = {dict(labels).get("account") for _, labels in samples(metrics)}
    assert accounts == {None, "b"}
    assert value(metrics, "runtype_exporter_build_info", version="a", python="3.13") == 1.0


def test_an_account_that_comes_back_starts_at_0(metrics):
    metrics.cycle("a", 0.2, 1000.0, "")
    metrics.forget("a")
    metrics.account("a")
    assert value(metrics, "runtype_polls_total", account="a") == 0.0


def test_the_exporter_tells_of_itself(metrics):
    metrics.build_info("1.2.3", "3.13.0")
    metrics.leader(leads=True)
    metrics.ledger(rows=7, size=4096, created=1000.0)
    metrics.ledger_up(up=True)
    metrics.commit(0.002)
    metrics.ledger_failed()
    metrics.reloaded(2000.0, successful=True)
    metrics.reloaded(3000.0, successful=False)
    expected = {
        "leader": 1.0,
        "ledger_rows": 7.0,
        "ledger_bytes": 4096.0,
        "ledger_created_timestamp_seconds": 1000.0,
        "ledger_up": 1.0,
        "ledger_commit_duration_seconds_count": 1.0,
        "ledger_failures_total": 1.0,
        "config_last_reload_successful": 0.0,
        "config_last_reload_success_timestamp_seconds": 2000.0,
    }
    assert {name: value(metrics, f"runtype_exporter_{name}") for name in expected} == expected
    assert value(metrics, "runtype_exporter_build_info", version="1.2.3", python="3.13.0") == 1.0


def test_lines_are_those_of_the_text_format_and_are_shown(metrics):
    metrics.attempt(Attempt("a", "runs", "200", 0.1))
    total = metrics.refresh(100)
    lines = [
        line for line in metrics.chunk("text").decode().splitlines() if not line.startswith("#")
    ]
    assert total == 100 + len(lines)
    assert f"runtype_exporter_series {float(total)}" in lines


def test_every_process_metric_has_the_catalogue_s_type_help_and_labels(metrics):
    metrics.account("a")
    metrics.attempt(Attempt("a", "runs", "200", 0.1))
    metrics.refresh(0)
    shown = {family.name: family for family in parse_text(metrics.chunk("text").decode())}
    process = [metric for metric in CATALOGUE if metric.owner == "process"]
    for metric in process:
        family = shown.get(metric.name.removesuffix("_total"))
        if family is not None:
            assert (family.type, family.documentation) == (metric.type, metric.help)
            labels = {name for sample in family.samples for name in sample.labels} - {"le"}
            assert labels == set(metric.labels)
    assert {"runtype_polls", "runtype_exporter_series", "runtype_exporter_ledger_rows"} <= set(
        shown
    )


def test_metrics_without_a_series_show_no_header(metrics):
    metrics.refresh(0)
    assert b"runtype_up" not in metrics.chunk("text")
    assert b"runtype_up" not in metrics.chunk("openmetrics")


def test_creation_times_are_in_openmetrics_alone(metrics):
    metrics.attempt(Attempt("a", "runs", "200", 0.1))
    created = {name for name, _ in samples(metrics, "openmetrics") if name.endswith("_created")}
    assert "runtype_api_requests_created" in created
    assert not [name for name, _ in samples(metrics, "text") if name.endswith("_created")]


def test_both_formats_show_the_same_moment(metrics):
    metrics.account("a")
    metrics.refresh(0)
    before = metrics.chunk("text")
    metrics.cycle("a", 0.2, 1000.0, "")
    assert metrics.chunk("text") == before
    assert b'runtype_polls_total{account="a"} 0.0\n' in metrics.chunk("openmetrics")


def test_openmetrics_ends_once(metrics):
    metrics.refresh(0)
    assert metrics.chunk("openmetrics").endswith(b"# EOF\n")
    assert metrics.chunk("openmetrics").count(b"# EOF") == 1
    assert b"# EOF" not in metrics.chunk("text")


def test_the_process_and_the_interpreter_are_described(metrics):
    names = {name for name, _ in samples(metrics)}
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "python_info"} <= names


def test_a_change_is_noticed_and_a_refresh_takes_note(metrics):
    metrics.refresh(0)
    assert not metrics.changed
    metrics.commit(0.1)
    assert metrics.changed
    metrics.refresh(0)
    assert not metrics.changed
    metrics.pending("a", 0, None)
    metrics.refresh(0)
    metrics.forget("unknown")
    assert not metrics.changed


def test_labels_are_checked(metrics):
    with pytest.raises(ValueError, match=r"kind is one of .* not 'other'"):
        metrics.dropped("other", 1)
    with pytest.raises(ValueError, match="runtype_polls_total has the labels"):
        metrics._count(POLLS, acount="a")
    assert value(metrics, "runtype_exporter_series_dropped_total", kind="other") is None


def test_two_of_them_share_nothing():
    first, second = ProcessMetrics(), ProcessMetrics()
    first.account("a")
    assert [value(each, "runtype_polls_total", account="a") for each in (first, second)] == [
        0.0,
        None,
    ]


def test_hostile_label_values_survive(metrics):
    for account, word in product(['"', "\\", "\n", "ü"], repeat=2):
        metrics.attempt(Attempt(account, "runs", word, 0.1))
    shown = {labels for name, labels in samples(metrics) if name == "runtype_api_requests_total"}
    assert len(shown) == 16


def test_the_limit_of_lines_and_what_it_cost_are_shown_from_the_start(metrics):
    metrics.series_limit(50_000)
    assert value(metrics, "runtype_exporter_series_limit") == 50_000.0
    assert value(metrics, "runtype_exporter_series_dropped_total", kind="batch") == 0.0
    metrics.dropped("overflow", 1)
    metrics.dropped("batch", 12)
    metrics.series_limit(1000)
    assert value(metrics, "runtype_exporter_series_limit") == 1000.0
    assert value(metrics, "runtype_exporter_series_dropped_total", kind="overflow") == 1.0
    assert value(metrics, "runtype_exporter_series_dropped_total", kind="batch") == 12.0


@pytest.mark.parametrize("format_", ["text", "openmetrics"])
def test_it_knows_how_many_lines_each_format_has(metrics, format_):
    metrics.attempt(Attempt("a", "results", "200", 0.3))
    total = metrics.refresh(100) + (metrics.created_lines if format_ == "openmetrics" else 0)
    lines = metrics.chunk(format_).decode().splitlines()
    assert total == 100 + sum(not line.startswith("#") for line in lines)
