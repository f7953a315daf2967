# ruff: noqa: PLR0917  # fixtures and tables come as arguments

from dataclasses import replace

import pytest

from runtype_exporter.ledger.counting import count_page
from runtype_exporter.ledger.identities import Page, result_identity
from runtype_exporter.model import Observation, Probe, SweepTally

NOW = 1_000.0
FLOW = ("production", "nightly", "enrich")
PROBES = {"run": Probe("completed", 1, 1, 0)}


# --- what a page adds ---


def test_a_page_adds_its_results_by_outcome(table, a_batch, a_result):
    delta = table.count(
        a_batch(),
        a_result("k1"),
        a_result("k2"),
        a_result("k3", outcome="failure"),
        a_result("k4", outcome=None),
    )
    assert delta.increments == {
        ("runtype_records_finished_total", (*FLOW, "success")): 2,
        ("runtype_records_finished_total", (*FLOW, "failure")): 1,
        ("runtype_records_abandoned_total", FLOW): 0,
    }


def test_a_page_adds_latencies_with_exemplar_ids_and_detection_lags(table, a_batch, a_result):
    delta = table.count(
        a_batch(), a_result("k1", "r1"), a_result("k2", "r2", outcome="failure", finished=999.0)
    )
    assert delta.observations == {
        ("runtype_record_latency_seconds", (*FLOW, "success")): [
            Observation(30.0, NOW, "b1", "r1")
        ],
        ("runtype_record_latency_seconds", (*FLOW, "failure")): [
            Observation(49.0, NOW, "b1", "r2")
        ],
        ("runtype_record_detection_lag_seconds", ("production",)): [
            Observation(20.0, NOW),
            Observation(1.0, NOW),
        ],
    }


def test_success_and_failure_start_at_zero_with_the_first_row_of_a_batch(table, a_batch, a_result):
    delta = table.count(a_batch(), a_result(outcome=None))
    assert delta.increments == {
        ("runtype_records_finished_total", (*FLOW, "success")): 0,
        ("runtype_records_finished_total", (*FLOW, "failure")): 0,
        ("runtype_records_abandoned_total", FLOW): 0,
    }
    assert delta.observations == {
        ("runtype_record_latency_seconds", (*FLOW, "success")): [],
        ("runtype_record_latency_seconds", (*FLOW, "failure")): [],
        ("runtype_record_detection_lag_seconds", ("production",)): [],
    }


def test_an_empty_page_adds_nothing_and_makes_no_series(table, a_batch):
    delta = table.count(a_batch())
    assert (delta.tally, delta.increments, delta.observations) == (SweepTally(), {}, {})


@pytest.mark.parametrize("outcome", ["cancelled", "unknown"])
def test_other_outcomes_appear_with_their_first_count(outcome, table, a_batch, a_result):
    delta = table.count(a_batch(), a_result(outcome=outcome))
    assert delta.increments["runtype_records_finished_total", (*FLOW, outcome)] == 1
    assert len(delta.observations["runtype_record_latency_seconds", (*FLOW, outcome)]) == 1


@pytest.mark.parametrize(
    ("times", "reason", "lags"),
    [
        ({"finished": None, "fault": "missing"}, "missing", []),
        ({"created": None, "fault": "missing"}, "missing", [20.0]),
        ({"created": 990.0, "fault": "negative"}, "negative", [20.0]),
        ({"created": None, "fault": "unparseable"}, "unparseable", []),
        ({"finished": None, "fault": "unparseable"}, "unparseable", []),
        ({"created": None, "fault": ""}, "missing", [20.0]),
        ({"finished": None, "fault": ""}, "missing", []),
    ],
)
def test_a_result_without_trustworthy_times_is_counted_but_not_as_a_latency(
    times, reason, lags, table, a_batch, a_result
):
    delta = table.count(a_batch(), a_result(**times))
    assert delta.increments["runtype_records_finished_total", (*FLOW, "success")] == 1
    assert delta.increments["runtype_record_invalid_timestamps_total", ("production", reason)] == 1
    assert delta.observations["runtype_record_latency_seconds", (*FLOW, "success")] == []
    found = delta.observations["runtype_record_detection_lag_seconds", ("production",)]
    assert [observation.value for observation in found] == lags


def test_a_result_that_ends_in_the_future_has_a_detection_lag_of_0(table, a_batch, a_result):
    delta = table.count(a_batch(), a_result(finished=NOW + 60))
    assert delta.observations["runtype_record_detection_lag_seconds", ("production",)] == [
        Observation(0.0, NOW)
    ]


@pytest.mark.parametrize("missing", ["labels", "sweep"])
def test_a_batch_without_labels_or_a_sweep_cannot_be_counted(missing, table, a_batch, a_result):
    with pytest.raises(ValueError, match="has labels and is being walked"):
        table.count(replace(a_batch(), **{missing: None}), a_result())


# --- exactly once ---


def test_a_result_is_counted_once_however_often_it_is_shown(table, a_batch, a_result):
    shown = [
        table.finished(a_batch(number=number), a_result("k1"), a_result("k1"))
        for number in (1, 1, 2)
    ]
    assert shown == [{"success": 1}, {}, {}]


def test_an_unfinished_result_is_counted_when_it_is_final(table, a_batch, a_result):
    shown = [
        table.finished(a_batch(), a_result("k1", outcome=outcome))
        for outcome in (None, None, "failure")
    ]
    assert shown == [{}, {}, {"failure": 1}]


def test_a_result_with_the_same_outcome_again_is_not_counted_again(table, a_batch, a_result):
    shown = [
        table.finished(a_batch(), a_result("k1", outcome=outcome))
        for outcome in ("success", None, "success")
    ]
    assert shown == [{"success": 1}, {}, {}]


def test_a_changed_outcome_counts_again_and_as_a_change(table, a_batch, a_result):
    table.count(a_batch(), a_result("k1"))
    delta = table.count(a_batch(), a_result("k1", "r1", outcome="failure"))
    assert delta.increments["runtype_records_finished_total", (*FLOW, "failure")] == 1
    assert (
        delta.increments["runtype_record_outcome_changes_total", (*FLOW, "success", "failure")] == 1
    )
    assert delta.observations["runtype_record_latency_seconds", (*FLOW, "failure")] == [
        Observation(30.0, NOW, "b1", "r1")
    ]
    assert table.changes(a_batch(), a_result("k1")) == {("failure", "success"): 1}


def test_one_result_twice_in_a_page_is_counted_in_order(table, a_batch, a_result):
    delta = table.count(
        a_batch(), a_result("k1", outcome="failure"), a_result("k1"), a_result("k1", outcome=None)
    )
    assert delta.increments["runtype_records_finished_total", (*FLOW, "failure")] == 1
    assert delta.increments["runtype_records_finished_total", (*FLOW, "success")] == 1
    assert (
        delta.increments["runtype_record_outcome_changes_total", (*FLOW, "failure", "success")] == 1
    )
    assert delta.tally.distinct == 1


def test_a_retry_is_another_result_of_the_same_record(table, a_batch, a_result):
    shown = [
        table.finished(a_batch(), a_result(key, "r1", outcome=outcome))
        for key, outcome in (("k1", "failure"), ("k2", "success"))
    ]
    assert shown == [{"failure": 1}, {"success": 1}]


def test_known_status_words_have_different_numbers(table, a_batch, a_result):
    words = [
        "completed",
        "success",
        "succeeded",
        "failed",
        "error",
        "errored",
        "timeout",
        "timed_out",
    ]
    words += ["cancelled", "canceled", "skipped"]
    table.count(a_batch(), *(a_result(word, status=word) for word in words))
    assert len({row[1] for row in table.rows.values()}) == len(words)


def test_a_word_that_changed_its_meaning_recounts_nothing(table, a_batch, a_result):
    table.count(a_batch(), a_result("k1", outcome="unknown", status="needs_review"))
    delta = table.count(a_batch(), a_result("k1", outcome="failure", status="needs_review"))
    assert not any(delta.increments.values())
    assert table.changes(a_batch(), a_result("k1", status="completed")) == {
        ("unknown", "success"): 1
    }


def test_a_synonym_is_no_change_and_the_newest_word_is_stored(table, a_batch, a_result):
    table.count(a_batch(), a_result("k1", status="completed"))
    assert table.finished(a_batch(), a_result("k1", status="success")) == {}
    assert table.finished(a_batch(), a_result("k1", outcome="failure", status="success")) == {}


def test_a_word_that_becomes_final_counts_the_unfinished_results_with_it(table, a_batch, a_result):
    table.count(a_batch(), a_result("k1", outcome=None, status="needs_review"))
    assert table.finished(a_batch(), a_result("k1", outcome="failure", status="needs_review")) == {
        "failure": 1
    }


# --- the guard: what was final before the first start ---


def test_a_result_from_before_the_guard_is_remembered_and_never_counted(table, a_batch, a_result):
    batch = a_batch(count_from=980.0)
    shown = [
        table.finished(batch, a_result("k1", finished=979.9), a_result("k2", finished=980.0))
        for _ in range(2)
    ]
    assert shown == [{"success": 1}, {}]


def test_a_remembered_result_that_changes_after_the_guard_is_counted(table, a_batch, a_result):
    batch = a_batch(count_from=980.0)
    table.count(batch, a_result("k1", finished=970.0))
    assert table.finished(batch, a_result("k1", outcome="failure", finished=975.0)) == {}
    delta = table.count(batch, a_result("k1", finished=990.0))
    assert delta.increments["runtype_records_finished_total", (*FLOW, "success")] == 1
    assert not any(name == "runtype_record_outcome_changes_total" for name, _ in delta.increments)


def test_a_remembered_result_with_a_synonym_stays_remembered(table, a_batch, a_result):
    batch = a_batch(count_from=980.0)
    table.count(batch, a_result("k1", finished=970.0))
    assert table.finished(batch, a_result("k1", finished=990.0, status="success")) == {}


def test_the_guard_does_not_apply_to_changes_of_counted_results(table, a_batch, a_result):
    batch = a_batch(count_from=980.0)
    table.count(batch, a_result("k1", finished=990.0))
    assert table.finished(batch, a_result("k1", outcome="failure", finished=970.0)) == {
        "failure": 1
    }


@pytest.mark.parametrize(
    ("swept", "waited", "expected"),
    [(None, False, {}), (None, True, {"success": 1}), (PROBES, False, {"success": 1})],
)
def test_a_result_without_end_time_is_counted_if_it_was_unfinished_or_is_new(
    swept, waited, expected, table, a_batch, a_result
):
    batch = a_batch(count_from=980.0, probes_at_last_sweep=swept)
    if waited:
        table.count(batch, a_result("k1", outcome=None))
    assert table.finished(batch, a_result("k1", finished=None, fault="missing")) == expected


# --- filtered pages: they show only some of the rows ---


def test_a_filtered_page_counts_nothing_and_a_complete_one_does_later(table, a_batch, a_result):
    delta = table.count(a_batch(), a_result("k1", outcome="failure"), count=False)
    assert (delta.increments, delta.observations) == ({}, {})
    assert delta.tally.distinct == 1
    assert table.finished(a_batch(), a_result("k1", outcome="failure")) == {"failure": 1}


def test_a_filtered_page_forgets_nothing_that_was_counted(table, a_batch, a_result):
    table.count(a_batch(), a_result("k1"))
    table.count(a_batch(), a_result("k1", outcome="failure"), count=False)
    assert table.finished(a_batch(), a_result("k1")) == {}


# --- the tally of a sweep ---


def test_the_tally_sums_up_a_page(table, a_batch, a_result):
    tally = table.count(
        a_batch(),
        a_result("k1", finished=960.0),
        a_result("k2", finished=955.0),
        a_result("k3", outcome="failure", finished=None, fault="missing"),
        a_result("k4", outcome=None, created=940.0),
        a_result("k5", outcome=None, created=930.0),
        a_result("k6", outcome=None, created=935.0),
        a_result("k7", outcome=None, created=None, status="queued"),
    ).tally
    assert tally == SweepTally(
        7, 4, {"completed": 2, "failed": 1, "running": 3, "queued": 1}, 960.0, 930.0
    )


def test_rows_that_the_sweep_read_before_are_not_tallied_again(table, a_batch, a_result):
    table.count(a_batch(), a_result("k1"), a_result("k2", outcome=None))
    tally = table.count(
        a_batch(), a_result("k2"), a_result("k3", finished=900.0), a_result("k3")
    ).tally
    assert tally == SweepTally(1, 0, {"completed": 1}, 980.0, None)


def test_each_sweep_tallies_every_row(table, a_batch, a_result):
    table.count(a_batch(), a_result("k1"))
    assert table.count(a_batch(number=2), a_result("k1")).tally.distinct == 1


def test_a_counted_result_that_runs_again_is_tallied_as_unfinished(table, a_batch, a_result):
    table.count(a_batch(), a_result("k1"))
    tally = table.count(a_batch(number=2), a_result("k1", outcome=None, created=950.0)).tally
    assert (tally.distinct, tally.unfinished, tally.oldest_unfinished) == (1, 1, 950.0)


# --- what is not believed, and what waits ---


def test_an_implausible_end_is_counted_and_in_no_histogram(table, a_batch, a_result):
    late = a_result("k1", finished=9e9, fault="implausible")
    delta = table.count(a_batch(), late)
    assert delta.increments["runtype_records_finished_total", (*FLOW, "success")] == 1
    faults = "runtype_record_invalid_timestamps_total", ("production", "implausible")
    assert delta.increments[faults] == 1
    assert not any(delta.observations.values())
    assert delta.tally.last_finished is None


@pytest.mark.parametrize("finished", [1.0, 9e9])
def test_the_guard_does_not_believe_an_implausible_end(finished, table, a_batch, a_result):
    """It is a result without an end: it counts if a complete sweep did not show it."""
    shown = a_result("k1", finished=finished, fault="implausible")
    assert table.finished(a_batch(count_from=900.0), shown) == {}
    later = a_result("k2", finished=finished, fault="implausible")
    known = a_batch(count_from=900.0, probes_at_last_sweep=PROBES)
    assert table.finished(known, later) == {"success": 1}


def test_the_lag_is_measured_by_api_time_and_exemplars_have_the_time_of_this_machine(
    a_batch, a_result
):
    results = [a_result("k1", "r1")]
    page = Page([result_identity("k1")], {})
    delta, _ = count_page(a_batch(), results, page, now=1_100.0, wall=5_000.0)
    lag = "runtype_record_detection_lag_seconds", ("production",)
    latency = "runtype_record_latency_seconds", (*FLOW, "success")
    assert delta.observations[lag] == [Observation(120.0, 5_000.0)]
    assert delta.observations[latency] == [Observation(30.0, 5_000.0, "b1", "r1")]


def test_paused_rows_are_counted_among_the_unfinished(table, a_batch, a_result):
    rows = [
        a_result("k1", outcome=None, status="paused"),
        a_result("k2", outcome=None),
        a_result("k3", outcome="unknown", status="paused"),
    ]
    tally = table.count(a_batch(), *rows).tally
    assert (tally.unfinished, tally.paused) == (2, 1)
    assert table.count(a_batch(), *rows).tally.paused == 0
