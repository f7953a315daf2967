# ruff: noqa: PLR0917  # fixtures and tables come as arguments


import pytest

from runtype_exporter import catalogue
from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.model import Delta, Observation, Run
from runtype_exporter.protocols import BudgetState

FLOW = ("production", "nightly", "enrich")
SUCCESS = ("runtype_records_finished_total", (*FLOW, "success"))
LATENCY = ("runtype_record_latency_seconds", (*FLOW, "success"))
LAG = ("runtype_record_detection_lag_seconds", ("production",))
FINISHED_BATCHES = ("runtype_batches_finished_total", (*FLOW, "success"))


def take(ledger, batch, *results):
    """Apply a page that leaves the batch as it is."""
    return ledger.apply(batch, results, lambda _: batch)


def test_a_batch_closes_together_with_its_counts(ledger, reopened, totals, closed):
    duration = ("runtype_batch_duration_seconds", (*FLOW, "success"))
    delta = Delta(
        increments={FINISHED_BATCHES: 1}, observations={duration: [Observation(60.0, 990.0)]}
    )
    ledger.commit(delta, batches=[closed()])
    ledger = reopened(ledger)
    assert ledger.batches(["b1"]) == {"b1": closed()}
    assert totals(ledger) == {FINISHED_BATCHES: 1, duration: 1}


def test_a_delta_that_cannot_be_counted_commits_nothing(ledger, totals, closed):
    with pytest.raises(ValueError, match="not a counter"):
        ledger.commit(Delta(increments={("runtype_up", ("production",)): 1}), batches=[closed()])
    assert (ledger.batches(["b1"]), totals(ledger)) == ({}, {})


def test_a_failing_disk_commits_nothing(break_down, ledger, totals, closed, a_batch):
    ledger.save(a_batch())
    break_down(ledger, "series")
    with pytest.raises(LedgerFailed):
        ledger.commit(Delta(increments={FINISHED_BATCHES: 1}), batches=[closed()])
    assert (ledger.open_batches("production"), totals(ledger)) == ([a_batch()], {})


def a_run(id_: str = "run1", account: str = "production", **fields) -> Run:
    return Run(account=account, id=id_, **{"schedule": "s1", **fields})


def test_runs_of_all_accounts_are_stored_and_found(ledger, reopened):
    runs = [
        a_run(),
        a_run("run2", batch="b1", created=5.0, started=6.0, outcome="failure", ended=7.0),
        a_run("run3", "staging"),
    ]
    ledger.commit(Delta(), runs=runs)
    ledger = reopened(ledger)
    assert ledger.runs(["run1", "run2", "run3", "run4"]) == {run.id: run for run in runs}
    assert ledger.unfinished_runs("production") == [a_run()]


def test_runs_since_a_moment_of_all_accounts_are_in_order(ledger):
    runs = [
        a_run("run3", created=7.0),
        a_run(created=5.0, started=6.0),
        a_run("run2", "staging", created=6.0),
    ]
    ledger.commit(Delta(), runs=[*runs, a_run("run4", created=4.9), a_run("run5")])
    assert [run.id for run in ledger.runs_since(5.0)] == ["run1", "run2", "run3"]
    assert ledger.runs_since(7.0) == [runs[0]]


def test_an_ended_run_is_no_longer_unfinished(ledger):
    ledger.commit(Delta(), runs=[a_run()])
    ledger.commit(Delta(), runs=[a_run(outcome="success", ended=9.0)])
    assert ledger.unfinished_runs("production") == []


def test_a_run_has_one_owner(ledger, a_batch):
    ledger.commit(Delta(), runs=[a_run()])
    with pytest.raises(ValueError, match="another account owns this run"):
        ledger.commit(Delta(), batches=[a_batch()], runs=[a_run(account="staging")])
    assert ledger.batches(["b1"]) == {}


# --- labels, budgets, boundaries ---


def test_labels_are_fixed_and_survive(ledger, reopened):
    assert ledger.known_label("production", "flow", "f1") is None
    assert ledger.label("production", "flow", "f1", "enrich") == "enrich"
    assert ledger.label("production", "flow", "f2", "enrich") == "f2"
    ledger = reopened(ledger)
    assert ledger.known_label("production", "flow", "f1") == "enrich"
    assert ledger.label("production", "flow", "f1", "polish") == "polish"
    assert ledger.label("production", "flow", "f1", None) == "polish"
    assert reopened(ledger).label("production", "flow", "f2", "enrich") == "enrich"


def test_a_label_is_written_only_when_it_changes(open_ledger):
    commits = []
    ledger = open_ledger(on_commit=commits.append)
    ledger.label("production", "flow", "f1", "enrich")
    done = len(commits)
    ledger.label("production", "flow", "f1", "enrich")
    ledger.label("production", "flow", "f1", None)
    assert len(commits) == done


def test_a_label_that_could_not_be_written_is_not_fixed(break_down, ledger):
    break_down(ledger, "names")
    with pytest.raises(LedgerFailed):
        ledger.label("production", "flow", "f1", "enrich")
    assert ledger.known_label("production", "flow", "f1") is None


def test_a_budget_is_stored(ledger, reopened):
    assert ledger.load_budget("production") is None
    ledger.save_budget("production", BudgetState(12.5, 900.0))
    ledger.save_budget("production", BudgetState(11.5, 950.0, paused_until=1_200.0))
    assert reopened(ledger).load_budget("production") == BudgetState(11.5, 950.0, 1_200.0)


def test_other_boundaries_restart_their_histograms_and_leave_the_rest(
    ledger, reopened, clock, totals, a_batch, a_result
):
    take(ledger, a_batch(), a_result("k1"))
    clock.at = 2_000.0
    ledger.set_boundaries({LATENCY[0]: (15.0, 60.0)})
    take(ledger, a_batch(), a_result("k2"))
    families = ledger.snapshot().families
    assert families[LATENCY[0]][LATENCY[1]].created == 2_000.0
    assert families[LATENCY[0]][LATENCY[1]].value.counts == (0, 1, 0)
    ledger = reopened(ledger, boundaries=catalogue.boundaries((15.0, 60.0)))
    found = totals(ledger)
    assert (found[LATENCY], found[LAG], found[SUCCESS]) == (1, 2, 2)


def test_other_boundaries_at_the_next_start_restart_their_histograms(
    ledger, reopened, clock, totals, a_batch, a_result
):
    take(ledger, a_batch(), a_result("k1"))
    clock.at = 2_000.0
    found = totals(reopened(ledger, boundaries=catalogue.boundaries((15.0, 60.0))))
    assert (found[LATENCY], found[LAG], found[SUCCESS]) == (0, 1, 1)


def test_the_same_boundaries_restart_nothing(open_ledger, totals, a_batch, a_result):
    commits = []
    ledger = open_ledger(on_commit=commits.append)
    take(ledger, a_batch(), a_result("k1"))
    done = len(commits)
    ledger.set_boundaries(catalogue.boundaries())
    assert len(commits) == done
    assert totals(ledger)[LATENCY] == 1


def test_boundaries_that_could_not_be_written_are_not_used(break_down, ledger, a_batch, a_result):
    take(ledger, a_batch(), a_result("k1"))
    break_down(ledger, "families")
    with pytest.raises(LedgerFailed):
        ledger.set_boundaries({LATENCY[0]: (15.0, 60.0)})
    assert sum(ledger.snapshot().families[LATENCY[0]][LATENCY[1]].value.counts) == 1
