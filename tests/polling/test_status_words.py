"""Status words, timestamps and rows as values."""

from __future__ import annotations

import pytest

from runtype_exporter.limits import EARLIEST
from runtype_exporter.model import OUTCOMES, Probe, Result
from runtype_exporter.polling.status_words import (
    StatusWords,
    has_timestamp,
    normalise,
    parse_time,
    probe_of,
)
from runtype_exporter.runtype import ResultRow, SummaryRow

T0, T1 = "2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z"
AT0, AT1 = 1767225600.0, 1767225605.0


def read(status_map: dict[str, str] | None = None, **fields: object) -> Result:
    row = ResultRow(
        **{
            "record_id": "r",
            "record_result_id": "k",
            "status": "completed",
            "created_at": T0,
            **fields,
        }
    )  # type: ignore[arg-type]
    return StatusWords(status_map).results([row])[0]


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        *((word, "success") for word in ("completed", "success", "succeeded", " Completed ")),
        *(
            (word, "failure")
            for word in (
                "failed",
                "error",
                "errored",
                "timeout",
                "timed_out",
                "interrupted",
                "FAILED",
            )
        ),
        *((word, "cancelled") for word in ("cancelled", "canceled", "skipped")),
        *(
            (word, None)
            for word in (
                "pending",
                "queued",
                "scheduled",
                "created",
                "running",
                "processing",
                "in_progress",
                "started",
                "paused",
            )
        ),
    ],
)
def test_known_words_have_their_outcome_in_any_case(word, outcome):
    assert outcome == read(status=word, executed_at=T1).outcome


def test_an_unknown_word_is_final_only_with_an_end_time():
    assert read(status="archived").outcome is None
    assert read(status="archived", executed_at=T1).outcome == "unknown"
    assert read(status="archived", failed_at=T1).outcome == "unknown"


def test_the_configuration_adds_and_changes_words():
    words = {"Needs_Review": "unfinished", "archived": "cancelled", "skipped": "success"}
    assert read(words, status="needs_review", executed_at=T1).outcome is None
    assert read(words, status="archived").outcome == "cancelled"
    assert read(words, status="skipped").outcome == "success"
    assert {"needs_review", "archived", "failed"} <= StatusWords(words).known


def test_a_success_ends_when_executed_and_a_failure_when_failed():
    both = {"executed_at": T0, "failed_at": T1}
    assert read(status="completed", **both).finished == AT0
    assert read(status="failed", **both).finished == AT1
    assert read(status="failed", executed_at=T1).finished == AT1
    assert read(status="completed", failed_at=T1).finished == AT1


ZERO = "0001-01-01T00:00:00Z"


def test_a_zero_time_stands_for_none():
    assert read(status="archived", executed_at=ZERO).outcome is None
    assert read(status="completed", executed_at=ZERO, failed_at=T1).finished == AT1
    assert read(status="failed", executed_at=T1, failed_at="1970-01-01T00:00:00Z").finished == AT1
    assert read(status="running", created_at=ZERO).created is None


def test_an_unfinished_result_has_a_creation_and_no_fault():
    assert Result("k", "r", "running", None, AT0, None, "") == read(status="running")


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"executed_at": T1}, ""),
        ({}, "missing"),
        ({"created_at": None, "executed_at": T1}, "missing"),
        ({"created_at": None, "executed_at": "soon"}, "missing"),
        ({"executed_at": "soon"}, "unparseable"),
        ({"created_at": "0001-01-01T00:00:00Z", "executed_at": T1}, "implausible"),
        ({"created_at": "1970-01-01T00:00:00.000Z", "executed_at": T1}, "implausible"),
        ({"created_at": T0, "executed_at": "0001-01-01T00:00:00Z"}, "implausible"),
        ({"created_at": T0, "executed_at": "1970-01-01T00:00:00Z"}, "implausible"),
        ({"created_at": T0, "executed_at": "2014-12-31T23:59:59Z"}, "implausible"),
        ({"created_at": None, "executed_at": "0001-01-01T00:00:00Z"}, "implausible"),
        ({"executed_at": "soon", "failed_at": T1}, "unparseable"),
        ({"created_at": T0, "executed_at": "1700000000"}, "unparseable"),
        ({"created_at": 17, "executed_at": T1}, "unparseable"),
        ({"created_at": T1, "executed_at": T0}, "negative"),
    ],
)
def test_what_is_wrong_with_a_final_results_times(fields, fault):
    assert fault == read(**fields).fault


NOW = AT1 + 10.0


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"executed_at": T1}, (AT0, AT1, "")),
        ({"executed_at": "2026-01-01T00:05:15Z"}, (AT0, NOW + 300, "")),
        ({"executed_at": "2026-01-01T00:05:16Z"}, (AT0, None, "implausible")),
        ({"executed_at": "9999-12-31T23:59:59Z"}, (AT0, None, "implausible")),
        ({"created_at": "9999-12-31T23:59:59Z", "executed_at": T1}, (None, AT1, "implausible")),
        (
            {"created_at": "soon", "executed_at": "9999-12-31T23:59:59Z"},
            (None, None, "implausible"),
        ),
        ({"status": "running", "created_at": "9999-12-31T23:59:59Z"}, (None, None, "")),
    ],
)
def test_a_time_after_that_of_the_api_is_not_believed(fields, expected):
    row = ResultRow(**{"record_id": "r", "status": "completed", "created_at": T0, **fields})
    (result,) = StatusWords().results([row], latest=NOW)
    assert expected == (result.created, result.finished, result.fault)
    assert (result.outcome is None) == (row.status == "running")


def test_without_the_apis_time_any_future_is_believed():
    assert read(executed_at="9999-12-31T23:59:59Z").fault == ""


def test_a_status_is_cut_before_it_grows_the_ledger():
    assert len(normalise("x" * 1000)) == 64


@pytest.mark.parametrize(
    ("word", "ended", "state"),
    [
        ("queued", False, "queued"),
        ("running", False, "running"),
        ("paused", False, "running"),
        ("interrupted", False, "failed"),
        ("completed", False, "completed"),
        ("failed", False, "failed"),
        ("canceled", False, "cancelled"),
        ("archived", False, "unknown"),
        ("archived", True, "unknown"),
    ],
)
def test_a_batchs_state_is_one_of_a_closed_set(word, ended, state):
    assert state == StatusWords().state(word, ended=ended)


def test_every_outcome_has_a_word_or_is_that_of_unknown_words():
    words = StatusWords()
    meant = {words.outcome(word, ended=True) for word in words.known}
    assert meant == {None, *OUTCOMES} - {"unknown"}


def test_a_time_that_cannot_be_trusted_is_no_time():
    assert (parse_time(None), parse_time("garbage"), parse_time(T0)) == (None, None, AT0)


def test_a_time_that_is_too_far_ahead_is_no_time():
    assert parse_time(T1, latest=AT1 - 300.0) == AT1
    assert parse_time(T1, latest=AT1 - 300.1) is None


def test_the_probe_of_a_row_has_its_word_as_it_is_compared():
    row = SummaryRow(id="b1", status=" Running ", total_records=3, processed_records=2)
    assert probe_of(row) == Probe("running", 3, 2, None)


@pytest.mark.parametrize("text", [ZERO, "1970-01-01T00:00:00Z", "2014-12-31T23:59:59.999Z"])
def test_a_time_from_before_there_was_anything_to_follow_is_no_time(text):
    assert (parse_time(text), has_timestamp(text)) == (None, False)
    assert parse_time("2015-01-01T00:00:00Z") == EARLIEST


@pytest.mark.parametrize(
    "text", ["soon", "", "2014", 17, "2015-01-01T00:00:00Z", "2015-01-01 00:00:00", T0]
)
def test_any_other_text_counts_as_a_given_timestamp(text):
    assert has_timestamp(text)


def test_a_time_just_before_the_bound_by_its_offset_is_none_for_the_sums():
    assert read(created_at="2014-12-31T23:00:00-02:00", executed_at=T1).fault == ""
    assert read(created_at="2015-01-01T01:00:00+02:00", executed_at=T1).fault == "implausible"
