"""Results without an id are stored by their record's id, until a result id adopts the row."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtype_exporter.ledger.identities import Adoption, record_identity, result_identity
from runtype_exporter.ledger.states import ADOPTED
from runtype_exporter.model import Batch, Result
from tests.ledger.conftest import Remembered
from tests.support.counted import BATCH, SWEEP


def test_record_without_result_id_is_identified_by_its_record_id(table, a_batch, a_result):
    shown = [
        table.finished(a_batch(), a_result(None, "r1"), a_result(None, "r2")) for _ in range(2)
    ]
    assert shown == [{"success": 2}, {}]


def test_equal_result_id_and_record_id_are_two_identities(table, a_batch, a_result):
    assert table.finished(a_batch(), a_result("x", "r1"), a_result(None, "x")) == {"success": 2}


def test_first_result_id_adopts_a_counted_record(table, a_batch, a_result):
    shown = [table.finished(a_batch(), a_result(key, "r1")) for key in (None, "k1", "k1", "k2")]
    assert shown == [{"success": 1}, {}, {}, {"success": 1}]


def test_stale_page_with_an_adopted_record_counts_nothing(table, a_batch, a_result):
    for key in (None, "k1"):
        table.count(a_batch(), a_result(key, "r1"))
    assert table.finished(a_batch(), a_result(None, "r1")) == {}
    assert table.finished(a_batch(), a_result(None, "r1", outcome="failure")) == {}
    assert table.finished(a_batch(), a_result("k1", "r1")) == {}


def test_first_result_id_adopts_an_unfinished_record(table, a_batch, a_result):
    table.count(a_batch(), a_result(None, "r1", outcome=None))
    assert table.finished(a_batch(), a_result("k1", "r1")) == {"success": 1}
    assert list(table.rows) == [result_identity("k1")]


def test_record_that_is_unfinished_again_is_adopted_by_the_next_id(table, a_batch, a_result):
    page = [a_result("k1", "r1", outcome="failure"), a_result(None, "r1", outcome=None)]
    shown = [table.finished(a_batch(), *page), table.finished(a_batch(), a_result("k2", "r1"))]
    assert shown == [{"failure": 1}, {"success": 1}]
    assert set(table.rows) == {result_identity("k1"), result_identity("k2")}


OTHERS = {
    "another outcome": {"outcome": "failure"},
    "another end": {"finished": 980.000001},
    "no end": {"finished": None, "fault": "missing"},
    "not final": {"outcome": None},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_an_id_with_another_outcome_or_end_is_another_result(other, table, a_batch, a_result):
    table.count(a_batch(), a_result(None, "r1"))
    second = a_result("k2", "r1", **other)
    counted = {second.outcome: 1} if second.outcome else {}
    assert table.finished(a_batch(), second) == counted
    assert table.changes(a_batch(), second) == {}
    assert table.finished(a_batch(), a_result("k1", "r1")) == {}


def test_no_end_is_the_end_of_a_result_without_one(table, a_batch, a_result):
    endless = {"finished": None, "fault": "missing"}
    table.count(a_batch(), a_result(None, "r1", **endless))
    assert table.finished(a_batch(), a_result("k2", "r1")) == {"success": 1}
    assert table.finished(a_batch(), a_result("k1", "r1", **endless)) == {}


@pytest.mark.parametrize("finished", [980.0, 990.0, None])
def test_a_row_of_format_1_is_adopted_by_its_outcome_alone(finished, table, a_batch, a_result):
    table.count(a_batch(), a_result(None, "r1"))
    table.adoptions.clear()
    assert table.finished(a_batch(), a_result("k2", "r1", outcome="failure")) == {"failure": 1}
    assert table.finished(a_batch(), a_result("k1", "r1", finished=finished)) == {}
    assert table.adoptions == {record_identity("r1"): {1: Adoption(1, None, result_identity("k1"))}}


def test_an_id_is_known_by_its_word_if_only_the_meaning_of_the_word_changed(
    table, a_batch, a_result
):
    table.count(a_batch(), a_result(None, "r1", status="odd"))
    same = a_result("k1", "r1", outcome="failure", status="odd")
    assert table.finished(a_batch(), same) == {}
    assert list(table.adoptions.values()) == [{1: Adoption(1, 980.0, result_identity("k1"))}]


def test_an_id_that_was_shown_unfinished_adopts_when_it_is_final(table, a_batch, a_result):
    table.count(a_batch(), a_result(None, "r1"))
    for number in (1, 2):
        waiting = a_result("k1", "r1", outcome=None)
        assert table.count(a_batch(number=number), waiting).tally.distinct == 1
    assert table.finished(a_batch(number=2), a_result("k1", "r1")) == {}
    assert table.count(a_batch(number=2), a_result("k1", "r1")).tally.distinct == 0
    assert set(table.rows) == {record_identity("r1"), result_identity("k1")}


def test_an_id_that_becomes_final_leaves_a_waiting_attempt_alone(table, a_batch, a_result):
    table.count(a_batch(), a_result("k1", "r1", outcome=None))
    table.count(a_batch(), a_result(None, "r1", outcome=None))
    assert table.finished(a_batch(), a_result("k1", "r1")) == {"success": 1}
    assert table.finished(a_batch(), a_result(None, "r1", finished=990.0)) == {"success": 1}


def test_rows_with_an_id_are_taken_first(table, a_batch, a_result):
    waiting, ended = a_result(None, "r1", outcome=None), a_result("k1", "r1")
    for page in ([waiting, ended], [ended, waiting]):
        table.count(a_batch(), *page)
        assert set(table.rows) == {result_identity("k1"), record_identity("r1")}
        table.rows.clear()


def test_a_row_with_an_id_and_one_without_are_one_result(table, a_batch, a_result):
    page = [a_result(None, "r2"), a_result("k2", "r2"), a_result(None, "r2")]
    assert table.finished(a_batch(), *page) == {"success": 1}
    assert list(table.rows) == [result_identity("k2")]


def test_attempts_without_ids_are_counted_once_each(table, a_batch, a_result):
    """They share one identity: what was counted under it is known by outcome and end."""
    page = [a_result(None, "r1", outcome="failure", finished=970.0), a_result(None, "r1")]
    shown = [table.finished(a_batch(number=number), *page) for number in (1, 2, 3)]
    shown.append(table.finished(a_batch(number=4), *reversed(page)))
    assert shown == [{"failure": 1, "success": 1}, {}, {}, {}]


def test_the_attempt_that_has_no_id_yet_stays_with_the_record(table, a_batch, a_result):
    first, second = a_result(None, "r1", outcome="failure", finished=970.0), a_result(None, "r1")
    table.count(a_batch(), first, second)
    for row in (second._replace(key="k2"), first, second, first._replace(key="k1")):
        assert table.finished(a_batch(), row) == {}
    assert table.rows[record_identity("r1")][0] == ADOPTED
    for row in (first, second, a_result(None, "r1", outcome=None)):
        assert table.finished(a_batch(), row) == {}


# --- both attempts of retried records, in any order ---

LISTED = st.lists(
    st.tuples(
        st.sampled_from(["success", "failure", "cancelled"]),
        st.sampled_from(["failure", "success", None]),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)
"""Of each record: how its first attempt and its retry ended, and whether the first was shown
unfinished before."""


def batch_of(sweep: int) -> Batch:
    return replace(BATCH, sweeps=sweep, sweep=replace(SWEEP, number=sweep))


def attempt(key: str | None, record: int, outcome: str | None, finished: float) -> Result:
    word = {"success": "completed", "failure": "failed", "cancelled": "cancelled", None: "running"}
    end = None if outcome is None else finished
    return Result(key, f"r{record}", word[outcome], outcome, 950.0, end, "")


@given(listed=LISTED, data=st.data())
def test_each_attempt_is_counted_once_whatever_the_order_and_the_pages(listed, data):
    """Ids are null at first. After the retries all attempts are listed with ids."""
    table, truth = Remembered(), Counter()
    first, both = [], []
    for number, (outcome, retried, waited) in enumerate(listed):
        truth.update(one for one in (outcome, retried) if one)
        early = attempt(None, number, None if waited else outcome, 960.0)
        first += [early, attempt(None, number, outcome, 960.0)]
        both += [
            attempt(f"k{number}", number, outcome, 960.0),
            attempt(f"k{number}-2", number, retried, 980.0),
        ]
    counted, changes, sweep = Counter(), {}, 1
    # Sometimes a list shows again what it showed before.
    for rows in (first, both, data.draw(st.permutations(both)), data.draw(st.permutations(both))):
        ordered = rows if rows is first else data.draw(st.permutations(rows))
        cuts = sorted(data.draw(st.sets(st.integers(1, len(ordered)), max_size=3)))
        for start, end in pairwise([0, *cuts, len(ordered)]):
            increments = table.count(batch_of(sweep), *ordered[start:end]).increments
            for (name, labels), step in increments.items():
                if name == "runtype_records_finished_total" and step:
                    counted[labels[-1]] += step
                if name == "runtype_record_outcome_changes_total":
                    changes[labels] = step
        sweep += 1
    assert counted == truth
    assert changes == {}


def test_five_records_that_failed_and_were_retried_are_fifteen_results(table, a_batch, a_result):
    """The retries are listed first, as in a list with the newest first (finding M10)."""
    failed = [f"r{number}" for number in range(5)]
    good = [f"r{number}" for number in range(5, 10)]
    page = [a_result(None, record, outcome="failure") for record in failed]
    page += [a_result(None, record) for record in good]
    assert table.finished(a_batch(), *page) == {"failure": 5, "success": 5}
    retries = [a_result(f"{record}-2", record, finished=990.0) for record in failed]
    listed = [
        *retries,
        *(a_result(f"{record}-1", record, outcome="failure") for record in failed),
        *(a_result(f"{record}-1", record) for record in good),
    ]
    delta = table.count(a_batch(number=2), *listed)
    finished = {
        labels[-1]: step
        for (name, labels), step in delta.increments.items()
        if name == "runtype_records_finished_total"
    }
    assert finished == {"success": 5, "failure": 0}
    assert not any("outcome_changes" in name for name, _ in delta.increments)
    assert delta.tally.distinct == 15


def test_record_is_adopted_and_unfinished_again_within_one_page(table, a_batch, a_result):
    waiting = a_result(None, "r1", outcome=None)
    table.count(a_batch(), waiting)
    table.count(a_batch(), a_result("k1", "r1"), waiting)
    assert set(table.rows) == {result_identity("k1"), record_identity("r1")}


@pytest.mark.parametrize("outcome", [None, "success"])
def test_adopted_record_counts_as_one_row(outcome, table, a_batch, a_result):
    distinct = [
        table.count(a_batch(number=number), a_result(key, "r1", outcome=outcome)).tally.distinct
        for number, key in ((1, None), (1, "k1"), (2, "k1"))
    ]
    assert distinct == [1, 0, 1]


def test_stale_row_counts_as_its_adopter_in_a_sweep(table, a_batch, a_result):
    for key in (None, "k1"):
        table.count(a_batch(), a_result(key, "r1"))
    distinct = [
        table.count(a_batch(number=2), a_result(key, "r1")).tally.distinct
        for key in (None, "k1", None)
    ]
    assert distinct == [1, 0, 0]


def test_an_adopted_record_without_its_adopter_is_an_error(table, a_batch, a_result):
    record = record_identity("r1")
    table.rows[record] = (ADOPTED, 0, 0)
    table.adoptions[record] = {1: Adoption(1, None, None)}
    with pytest.raises(LookupError):
        table.count(a_batch(), a_result(None, "r1"))
