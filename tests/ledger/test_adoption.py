"""Results without an id are stored by their record's id, until a result id adopts the row."""

import pytest

from runtype_exporter.ledger.identities import Adoption, record_identity, result_identity
from runtype_exporter.ledger.states import ADOPTED


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


def test_adopter_with_another_outcome_is_an_outcome_change(table, a_batch, a_result):
    table.count(a_batch(), a_result(None, "r1", outcome="failure"))
    assert table.changes(a_batch(), a_result("k1", "r1")) == {("failure", "success"): 1}


def test_adoption_within_one_page_follows_the_order_of_rows(table, a_batch, a_result):
    assert table.finished(a_batch(), a_result(None, "r1", outcome=None), a_result("k1", "r1")) == {
        "success": 1
    }
    assert list(table.rows) == [result_identity("k1")]
    assert table.finished(
        a_batch(), a_result(None, "r2"), a_result("k2", "r2"), a_result(None, "r2")
    ) == {"success": 1}


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
    table.adoptions[record] = Adoption(1, None, None)
    with pytest.raises(LookupError):
        table.count(a_batch(), a_result(None, "r1"))
