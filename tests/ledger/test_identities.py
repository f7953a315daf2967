import sqlite3
from contextlib import closing

import pytest

from runtype_exporter.ledger.identities import (
    CHUNK,
    Adoption,
    Changes,
    Page,
    chunks,
    look_up,
    record_identity,
    result_identity,
    write,
)
from runtype_exporter.ledger.schema import TABLES


@pytest.fixture
def connection():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(TABLES)
        yield connection


def test_a_result_and_a_record_of_the_same_id_are_two_identities():
    assert result_identity("x") != record_identity("x")
    assert [len(result_identity("x")), len(record_identity("x"))] == [16, 16]


def test_stored_identities_never_change():
    # printf krecordresult_01jv | b2sum -l 128
    assert result_identity("recordresult_01jv").hex() == "13e7982fe0d7b1cde6c02a7e77b99115"
    assert record_identity("record_01jv").hex() == "06583c6fa86a890cca54f046749c9ea4"


def test_an_id_that_is_no_valid_unicode_has_an_identity_too():
    assert result_identity("\ud800") != result_identity("\ud801")


def test_a_page_of_a_new_batch_asks_for_the_records_of_all_its_results(connection, a_result):
    results = [a_result("k1", "r1"), a_result(None, "r2")]
    expected = Page(
        [result_identity("k1"), record_identity("r2")], {}, {"r1": record_identity("r1")}
    )
    assert look_up(connection, None, results) == expected


def test_known_results_are_found_and_ask_for_no_record(connection, a_result):
    row = (1, 7, 3)
    write(connection, 1, Changes({result_identity("k1"): row}, frozenset(), 1))
    page = look_up(connection, 1, [a_result("k1", "r1"), a_result("k2", "r2")])
    assert page.stored == {result_identity("k1"): row}
    assert page.records == {"r2": record_identity("r2")}


def test_the_identities_of_another_batch_are_not_found(connection, a_result):
    write(connection, 1, Changes({result_identity("k1"): (1, 7, 3)}, frozenset(), 1))
    assert look_up(connection, 2, [a_result("k1", "r1")]).stored == {}


def test_a_result_that_becomes_final_asks_for_its_record(connection, a_result):
    waiting = {result_identity("k1"): (0, 0, 3), result_identity("k2"): (0, 0, 3)}
    write(connection, 1, Changes(waiting, frozenset(), 2))
    page = look_up(connection, 1, [a_result("k1", "r1"), a_result("k2", "r2", outcome=None)])
    assert page.records == {"r1": record_identity("r1")}


def test_the_record_that_a_new_result_may_adopt_is_found(connection, a_result):
    row = (0, 0, 1)
    write(connection, 1, Changes({record_identity("r1"): row}, frozenset(), 1))
    assert look_up(connection, 1, [a_result("k1", "r1")]).stored == {record_identity("r1"): row}


def test_the_adopter_of_a_record_is_found_with_it(connection, a_result):
    record, adopter = record_identity("r1"), result_identity("k1")
    rows = {record: (255, 0, 0), adopter: (1, 7, 3)}
    adoptions = {1: Adoption(1, 980.0, adopter), 66: Adoption(66, 970.0, None)}
    written = {(record, code): adoption for code, adoption in adoptions.items()}
    write(connection, 1, Changes(rows, frozenset(), 2, written))
    page = look_up(connection, 1, [a_result(None, "r1")])
    assert page.stored == rows
    assert page.adoptions == {record: adoptions}


def test_the_end_of_a_record_without_an_id_is_found_by_the_id_that_may_adopt_it(
    connection, a_result
):
    record = record_identity("r1")
    adoption = Adoption(1, 980.0, None)
    changes = Changes({record: (1, 7, 3)}, frozenset(), 1, {(record, 1): adoption})
    write(connection, 1, changes)
    assert look_up(connection, 1, [a_result("k1", "r1")]).adoptions == {record: {1: adoption}}
    assert look_up(connection, 2, [a_result("k1", "r1")]).adoptions == {}


def test_rows_are_written_over_and_deleted(connection, a_result):
    first, second = result_identity("k1"), result_identity("k2")
    write(connection, 1, Changes({first: (0, 0, 1), second: (0, 0, 1)}, frozenset(), 2))
    write(connection, 1, Changes({first: (1, 7, 2)}, frozenset({second}), -1))
    assert look_up(connection, 1, [a_result("k1"), a_result("k2")]).stored == {first: (1, 7, 2)}


def test_a_page_larger_than_one_select_is_found_whole(connection, a_result):
    results = [a_result(f"k{number}") for number in range(2 * CHUNK + 1)]
    rows = {result_identity(result.key): (1, 7, 3) for result in results}
    write(connection, 1, Changes(rows, frozenset(), len(rows)))
    assert look_up(connection, 1, results).stored == rows


def test_ids_are_portioned_to_what_one_select_takes():
    portions = list(chunks([str(number) for number in range(CHUNK + 2)]))
    assert [len(ids) for ids, _ in portions] == [CHUNK, 2]
    assert portions[1] == ((str(CHUNK), str(CHUNK + 1)), "?,?")
    assert list(chunks([])) == []
