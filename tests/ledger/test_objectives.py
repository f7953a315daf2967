"""The events of objectives in the ledger: committed with their counts, and kept over restarts."""

import pytest

from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.model import Delta
from runtype_exporter.objectives import Objective, Objectives

EVENTS = "runtype_slo_events_total"
FAST = Objectives(
    [
        Objective(name="succeed", type="success"),
        Objective(name="fast", type="latency", threshold=30.0),
        Objective(name="on-time", type="freshness", max_delay=60.0),
    ]
)


def events(found):
    return {
        (labels[0], labels[-1]): value for (name, labels), value in found.items() if name == EVENTS
    }


def take(ledger, batch, *results):
    return ledger.apply(batch, results, lambda _: batch, now=1_000.0)


@pytest.fixture
def ledger(open_ledger):
    return open_ledger(objectives=FAST)


def test_a_page_is_judged_as_it_is_counted(ledger, reopened, totals, a_batch, a_result):
    batch = a_batch()
    slow = a_result("k2", created=900.0)
    undated = a_result("k4", finished=None, fault="missing")
    take(
        ledger,
        batch,
        a_result("k1"),
        slow,
        a_result("k3", outcome="failure"),
        undated,
        a_result("k5", outcome=None),
    )
    take(ledger, batch, a_result("k1"), slow)
    expected = {
        ("succeed", "good"): 3,
        ("succeed", "bad"): 1,
        ("fast", "good"): 1,
        ("fast", "bad"): 1,
    }
    assert expected == events(totals(reopened(ledger, objectives=FAST)))


def test_a_result_that_changes_its_outcome_is_another_event(ledger, totals, a_batch, a_result):
    take(ledger, a_batch(), a_result("k1", outcome="failure"))
    take(ledger, a_batch(), a_result("k1"))
    expected = {
        ("succeed", "good"): 1,
        ("succeed", "bad"): 1,
        ("fast", "good"): 1,
        ("fast", "bad"): 0,
    }
    assert expected == events(totals(ledger))


def test_a_result_from_before_the_guard_is_no_event_but_its_series_exist(
    ledger, totals, a_batch, a_result
):
    take(ledger, a_batch(count_from=999.0), a_result("k1"))
    expected = {
        ("succeed", "good"): 0,
        ("succeed", "bad"): 0,
        ("fast", "good"): 0,
        ("fast", "bad"): 0,
    }
    assert expected == events(totals(ledger))


def test_abandoned_records_and_starts_are_judged(ledger, totals):
    increments = {
        ("runtype_records_abandoned_total", ("production", "nightly", "enrich")): 3,
        ("runtype_schedule_starts_total", ("production", "nightly", "late")): 1,
    }
    ledger.commit(Delta(increments=increments))
    expected = {
        ("succeed", "good"): 0,
        ("succeed", "bad"): 3,
        ("on-time", "good"): 0,
        ("on-time", "bad"): 1,
    }
    assert expected == events(totals(ledger))


def test_what_could_not_be_counted_is_no_event(ledger, totals, a_batch, a_result, break_down):
    break_down(ledger, "results")
    with pytest.raises(LedgerFailed):
        take(ledger, a_batch(), a_result("k1"))
    assert {} == totals(ledger)


def test_other_objectives_judge_from_now_on(ledger, totals, a_batch, a_result):
    take(ledger, a_batch(), a_result("k1"))
    ledger.set_objectives(Objectives([Objective(name="fast", type="latency", threshold=10.0)]))
    take(ledger, a_batch(), a_result("k2"))
    expected = {
        ("succeed", "good"): 1,
        ("succeed", "bad"): 0,
        ("fast", "good"): 1,
        ("fast", "bad"): 1,
    }
    assert expected == events(totals(ledger))


def test_without_objectives_there_are_no_events(open_ledger, totals, a_batch, a_result):
    ledger = open_ledger()
    take(ledger, a_batch(), a_result("k1"))
    assert {} == events(totals(ledger))
    assert ledger.objectives.max_delay("nightly") is None
