"""Records without a result id go by their own, until a result id adopts what is remembered of them."""

import pytest

from runtype_exporter.ledger.identities import Adoption, record_identity, result_identity
from runtype_exporter.ledger.states import ADOPTED


def test_a_record_without_a_result_id_goes_by_its_own(table, a_batch, a_result):
    shown = [
        table.finished(a_batch(), a_result(None, "r1"), a_result(None, "r2")) for _ in range(2)
    ]
    assert shown == [{"success": 2}, {}]


def test_a_result_id_and_a_record_id_that_are_alike_are_two(table, a_batch, a_result):
    assert table.finished(a_batch(), a_result("x", "r1"), a_result(None, "x")) == {"success": 2}


def test_the_first_result_id_adopts_a_record_that_was_counted(table, a_batch, a_result):
    shown = [table.finished(a_batch(), a_result(key, "r1")) for key in (None, "k1", "k1", "k2")]
    assert shown == [{"success": 1}, {}, {}, {"success": 1}]


def test_a_stale_page_that_shows_an_adopted_record_counts_nothing_whatever_it_shows(
    table, a_batch, a_result
):
    for key in (None, "k1"):
        table.count(a_batch(), a_result(key, "r1"))
    assert table.finished(a_batch(), a_result(None, "r1")) == {}
    assert table.finished(a_batch(), a_result(None, "r1", outcome="failure")) == {}
    assert table.finished(a_batch(), a_result("k1", "r1")) == {}


def test_the_first_result_id_adopts_a_record_that_waits(table, a_batch, a_result):
    table.count(a_batch(), a_result(None, "r1", outcome=None))
    assert table.finished(a_batch(), a_result("k1", "r1")) == {"success": 1}
    assert list(table.rows) == [result_identity("k1")]


def test_a_record_that_waits_again_is_adopted_by_the_next_result_id(table, a_batch, a_result):
    page = [a_result("k1", "r1", outcome="failure"), a_result(None, "r1", outcome=None)]
    shown = [table.finished(a_batch(), *page), table.finished(a_batch(), a_result("k2", "r1"))]
    assert shown == [{"failure": 1}, {"success": 1}]
    assert set(table.rows) == {result_identity("k1"), result_identity("k2")}


def test_adopting_an_other_outcome_is_a_change(table, a_batch, a_result):
    table.count(a_batch(), a_result(None, "r1", outcome="failure"))
    assert table.changes(a_batch(), a_result("k1", "r1")) == {("failure", "success"): 1}


def test_adoption_within_one_page_is_taken_in_order(table, a_batch, a_result):
    assert table.finished(a_batch(), a_result(None, "r1", outcome=None), a_result("k1", "r1")) == {
        "success": 1
    }
    assert list(table.rows) == [result_identity("k1")]
    assert table.finished(
        a_batch(), a_result(None, "r2"), a_result("k2", "r2"), a_result(None, "r2")
    ) == {"success": 1}


def test_a_record_that_waits_is_adopted_and_waits_again_within_one_page(table, a_batch, a_result):
    waiting = a_result(None, "r1", outcome=None)
    table.count(a_batch(), waiting)
    table.count(a_batch(), a_result("k1", "r1"), waiting)
    assert set(table.rows) == {result_identity("k1"), record_identity("r1")}


@pytest.mark.parametrize("outcome", [None, "success"])
def test_a_record_and_its_adopter_are_one_row_of_a_walk(outcome, table, a_batch, a_result):
    seen = [
        table.count(a_batch(walk=walk), a_result(key, "r1", outcome=outcome)).tally.distinct
        for walk, key in ((1, None), (1, "k1"), (2, "k1"))
    ]
    assert seen == [1, 0, 1]


def test_a_stale_row_stands_for_its_adopter_in_the_walk(table, a_batch, a_result):
    for key in (None, "k1"):
        table.count(a_batch(), a_result(key, "r1"))
    seen = [
        table.count(a_batch(walk=2), a_result(key, "r1")).tally.distinct
        for key in (None, "k1", None)
    ]
    assert seen == [1, 0, 0]


def test_an_adopted_record_without_its_adopter_is_an_error(table, a_batch, a_result):
    record = record_identity("r1")
    table.rows[record] = (ADOPTED, 0, 0)
    table.adoptions[record] = Adoption(1, None, None)
    with pytest.raises(LookupError):
        table.count(a_batch(), a_result(None, "r1"))
