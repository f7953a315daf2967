"""The process's own instruments."""

from __future__ import annotations

from itertools import product

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from runtype_exporter.catalogue import CATALOGUE
from runtype_exporter.metrics.own import OwnMetrics
from runtype_exporter.model import Attempt
from runtype_exporter.protocols import Telemetry


@pytest.fixture
def own():
    return OwnMetrics()


def samples(own, format_="text", lines=0):
    own.refresh(lines)
    parse = parse_text if format_ == "text" else parse_openmetrics
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(own.chunk(format_).decode())
        for sample in family.samples
    }


def value(own, name, **labels):
    return samples(own).get((name, tuple(sorted(labels.items()))))


def test_it_can_count_for_polling(own):
    telemetry: Telemetry = own
    telemetry.up("a", up=True)
    assert value(own, "runtype_up", account="a") == 1.0


def test_attempts_are_counted_by_operation_and_code_and_timed(own):
    own.attempt(Attempt("a", "results", "200", 0.3))
    own.attempt(Attempt("a", "results", "timeout", 30.0))
    assert (
        value(own, "runtype_api_requests_total", account="a", operation="results", code="200")
        == 1.0
    )
    assert (
        value(own, "runtype_api_requests_total", account="a", operation="results", code="timeout")
        == 1.0
    )
    assert (
        value(own, "runtype_api_request_duration_seconds_sum", account="a", operation="results")
        == 30.3
    )
    assert (
        value(
            own,
            "runtype_api_request_duration_seconds_bucket",
            account="a",
            operation="results",
            le="0.5",
        )
        == 1.0
    )


def test_budget_pauses_and_skew_are_shown(own):
    own.budget("a", 1000, 99.5)
    own.throttled("a", 1.7e9)
    own.skew("a", -0.25)
    assert value(own, "runtype_api_budget_limit_requests", account="a") == 1000.0
    assert value(own, "runtype_api_budget_remaining_requests", account="a") == 99.5
    assert value(own, "runtype_api_throttled_until_timestamp_seconds", account="a") == 1.7e9
    assert value(own, "runtype_api_clock_skew_seconds", account="a") == -0.25


def test_a_cycle_counts_and_only_a_good_one_moves_the_time_of_the_last_success(own):
    own.cycle("a", 0.2, 1000.0, "")
    own.cycle("a", 0.4, 2000.0, "unauthorised")
    assert value(own, "runtype_polls_total", account="a") == 2.0
    assert value(own, "runtype_poll_failures_total", account="a", reason="unauthorised") == 1.0
    assert value(own, "runtype_poll_duration_seconds_count", account="a") == 2.0
    assert value(own, "runtype_last_successful_poll_timestamp_seconds", account="a") == 1000.0


def test_collectors_and_sweeps_are_counted(own):
    own.collector("a", "runs", up=True, failure="")
    own.collector("a", "summary", up=False, failure="forbidden")
    own.sweep("a", "")
    own.sweep("a", "not_found")
    assert value(own, "runtype_collector_up", account="a", collector="runs") == 1.0
    assert value(own, "runtype_collector_up", account="a", collector="summary") == 0.0
    labels = {"account": "a", "collector": "summary", "reason": "forbidden"}
    assert value(own, "runtype_collector_failures_total", **labels) == 1.0
    assert value(own, "runtype_batch_sweeps_total", account="a") == 1.0
    assert value(own, "runtype_batch_sweep_failures_total", account="a", reason="not_found") == 1.0


def test_the_oldest_pending_sweep_is_absent_where_none_waits(own):
    own.pending("a", 2, 1000.0)
    assert value(own, "runtype_oldest_pending_sweep_timestamp_seconds", account="a") == 1000.0
    own.pending("a", 0, None)
    own.pending("a", 0, None)
    assert value(own, "runtype_oldest_pending_sweep_timestamp_seconds", account="a") is None
    assert value(own, "runtype_sweeps_pending", account="a") == 0.0


def test_an_account_s_counters_exist_before_anything_happened(own):
    own.account("a")
    for name in (
        "polls_total",
        "batch_sweeps_total",
        "poll_duration_seconds_count",
        "sweeps_pending",
    ):
        assert value(own, f"runtype_{name}", account="a") == 0.0
    assert value(own, "runtype_api_throttled_until_timestamp_seconds", account="a") == 0.0
    assert value(own, "runtype_up", account="a") is None, "absent before the first cycle"


def test_an_account_that_is_forgotten_loses_its_series_and_no_other_does(own):
    for account in ("a", "b"):
        own.account(account)
        own.attempt(Attempt(account, "runs", "200", 0.1))
        own.collector(account, "runs", up=True, failure="")
    own.build_info("a", "3.13")
    own.forget("a")
    accounts = {dict(labels).get("account") for _, labels in samples(own)}
    assert accounts == {None, "b"}
    assert value(own, "runtype_exporter_build_info", version="a", python="3.13") == 1.0


def test_what_an_account_counted_begins_anew_when_it_comes_back(own):
    own.cycle("a", 0.2, 1000.0, "")
    own.forget("a")
    own.account("a")
    assert value(own, "runtype_polls_total", account="a") == 0.0


def test_the_exporter_tells_of_itself(own):
    own.build_info("1.2.3", "3.13.0")
    own.leader(leads=True)
    own.ledger(rows=7, size=4096, created=1000.0)
    own.ledger_up(up=True)
    own.commit(0.002)
    own.ledger_failed()
    own.reloaded(2000.0, successful=True)
    own.reloaded(3000.0, successful=False)
    expected = {
        "leader": 1.0,
        "ledger_rows": 7.0,
        "ledger_bytes": 4096.0,
        "ledger_created_timestamp_seconds": 1000.0,
        "ledger_commit_duration_seconds_count": 1.0,
        "ledger_up": 1.0,
        "ledger_failures_total": 1.0,
        "config_last_reload_successful": 0.0,
        "config_last_reload_success_timestamp_seconds": 2000.0,
    }
    assert {name: value(own, f"runtype_exporter_{name}") for name in expected} == expected
    assert value(own, "runtype_exporter_build_info", version="1.2.3", python="3.13.0") == 1.0


def test_lines_are_those_of_the_text_format_and_are_shown(own):
    own.attempt(Attempt("a", "runs", "200", 0.1))
    total = own.refresh(100)
    lines = [line for line in own.chunk("text").decode().splitlines() if not line.startswith("#")]
    assert total == 100 + len(lines)
    assert f"runtype_exporter_series {float(total)}" in lines


def test_every_process_metric_has_the_catalogue_s_type_help_and_labels(own):
    own.account("a")
    own.attempt(Attempt("a", "runs", "200", 0.1))
    own.refresh(0)
    shown = {family.name: family for family in parse_text(own.chunk("text").decode())}
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


def test_metrics_without_a_series_show_no_header(own):
    own.refresh(0)
    assert b"runtype_up" not in own.chunk("text")
    assert b"runtype_up" not in own.chunk("openmetrics")


def test_creation_times_are_in_openmetrics_alone(own):
    own.attempt(Attempt("a", "runs", "200", 0.1))
    created = {name for name, _ in samples(own, "openmetrics") if name.endswith("_created")}
    assert "runtype_api_requests_created" in created
    assert not [name for name, _ in samples(own, "text") if name.endswith("_created")]


def test_both_formats_show_the_same_moment(own):
    own.account("a")
    own.refresh(0)
    before = own.chunk("text")
    own.cycle("a", 0.2, 1000.0, "")
    assert own.chunk("text") == before
    assert b'runtype_polls_total{account="a"} 0.0\n' in own.chunk("openmetrics")


def test_openmetrics_ends_once(own):
    own.refresh(0)
    assert own.chunk("openmetrics").endswith(b"# EOF\n")
    assert own.chunk("openmetrics").count(b"# EOF") == 1
    assert b"# EOF" not in own.chunk("text")


def test_the_process_and_the_interpreter_are_described(own):
    names = {name for name, _ in samples(own)}
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "python_info"} <= names


def test_a_change_is_noticed_and_a_refresh_takes_note(own):
    own.refresh(0)
    assert not own.changed
    own.commit(0.1)
    assert own.changed
    own.refresh(0)
    assert not own.changed
    own.pending("a", 0, None)
    own.refresh(0)
    own.forget("nobody")
    assert not own.changed


def test_two_of_them_share_nothing():
    first, second = OwnMetrics(), OwnMetrics()
    first.account("a")
    assert [value(each, "runtype_polls_total", account="a") for each in (first, second)] == [
        0.0,
        None,
    ]


def test_hostile_label_values_survive(own):
    for account, code in product(['"', "\\", "\n", "ü"], repeat=2):
        own.attempt(Attempt(account, "runs", code, 0.1))
    shown = {labels for name, labels in samples(own) if name == "runtype_api_requests_total"}
    assert len(shown) == 16


def test_the_limit_of_lines_and_what_it_cost_are_shown_from_the_start(own):
    own.series_limit(50_000)
    assert value(own, "runtype_exporter_series_limit") == 50_000.0
    assert value(own, "runtype_exporter_series_dropped_total", kind="batch") == 0.0
    own.dropped("overflow", 1)
    own.dropped("batch", 12)
    own.series_limit(1000)
    assert value(own, "runtype_exporter_series_limit") == 1000.0
    assert value(own, "runtype_exporter_series_dropped_total", kind="overflow") == 1.0
    assert value(own, "runtype_exporter_series_dropped_total", kind="batch") == 12.0


@pytest.mark.parametrize("format_", ["text", "openmetrics"])
def test_it_knows_how_many_lines_each_format_has(own, format_):
    own.attempt(Attempt("a", "results", "200", 0.3))
    total = own.refresh(100) + (own.begun if format_ == "openmetrics" else 0)
    lines = own.chunk(format_).decode().splitlines()
    assert total == 100 + sum(not line.startswith("#") for line in lines)
