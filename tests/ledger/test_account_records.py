import sqlite3
from contextlib import closing
from dataclasses import replace
from math import inf, nextafter

import pytest

from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.model import Delta, Horizon, Learned, Run
from runtype_exporter.protocols import BudgetState

# --- horizons ---


def test_an_accounts_horizon_is_fixed_once(ledger, reopened):
    assert ledger.horizon("production") is None
    ledger.fix_horizon("production", 900.0)
    ledger.fix_horizon("production", 5_000.0)
    ledger.fix_horizon("staging", 5_000.0)
    ledger = reopened(ledger)
    assert ledger.horizon("production") == Horizon(900.0, first_discovery_done=False)
    assert ledger.horizon("staging") == Horizon(5_000.0, first_discovery_done=False)


def test_a_horizon_is_only_raised_by_raising_it(ledger, reopened):
    ledger.fix_horizon("production", 1_000.0)
    ledger.raise_horizon("production", 1_500.0)
    ledger.raise_horizon("production", 1_200.0)
    assert reopened(ledger).horizon("production") == Horizon(1_500.0, first_discovery_done=False)


@pytest.mark.parametrize(
    ("forgotten", "at", "after"),
    [
        (0.0, 1_000.0, 1_000.0),
        (1_200.0, 1_000.0, nextafter(1_200.0, inf)),
        (900.0, 1_000.0, 1_000.0),
        (None, 1_000.0, 1_000.0),
        (0.0, 2_500.0, 2_000.0),
        (None, 2_500.0, 2_000.0),
        (3_000.0, 1_000.0, 2_000.0),
    ],
)
def test_a_horizon_is_lowered_to_what_was_forgotten_at_most(  # noqa: PLR0917  # a table
    forgotten, at, after, ledger, path, open_ledger
):
    ledger.fix_horizon("production", 2_000.0)
    ledger.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE accounts SET forgotten = ?", (forgotten,))
    ledger = open_ledger()
    ledger.lower_horizon("production", at)
    expected = Horizon(after, first_discovery_done=False, forgotten=forgotten)
    assert ledger.horizon("production") == expected
    ledger.close()
    assert open_ledger().horizon("production") == expected


def test_the_first_complete_discovery_is_stored(ledger, reopened):
    ledger.fix_horizon("production", 1_000.0)
    ledger.mark_discovered("production")
    ledger.mark_discovered("production")
    ledger.raise_horizon("production", 1_500.0)
    assert reopened(ledger).horizon("production") == Horizon(1_500.0, first_discovery_done=True)


@pytest.mark.parametrize(
    "call",
    [
        lambda ledger: ledger.mark_discovered("x"),
        lambda ledger: ledger.raise_horizon("x", 1.0),
        lambda ledger: ledger.lower_horizon("x", 1.0),
    ],
)
def test_a_missing_horizon_cannot_be_changed(call, ledger):
    with pytest.raises(KeyError):
        call(ledger)


# --- what an account has learned ---

KNOWLEDGE = Learned(
    run_order="new-first",
    page_sizes={"results": 50},
    forbidden={"cost": 1_234.5},
    unknown_schedules=frozenset({"s1", "s2"}),
    sources={"summary": 900.0},
    absent={"s3": (800.0, 2)},
)


def test_what_an_account_has_learned_survives(ledger, reopened):
    assert ledger.learned("production") == Learned()
    ledger.set_learned("production", KNOWLEDGE)
    ledger = reopened(ledger)
    assert (ledger.learned("production"), ledger.learned("staging")) == (KNOWLEDGE, Learned())
    ledger.set_learned("production", Learned())
    assert reopened(ledger).learned("production") == Learned()


def test_the_horizon_and_what_was_learned_do_not_touch_each_other(ledger, reopened):
    ledger.set_learned("production", KNOWLEDGE)
    assert reopened(ledger).horizon("production") is None


def test_the_horizon_is_kept_with_what_was_learned_before_and_after(ledger, reopened):
    ledger.set_learned("production", KNOWLEDGE)
    ledger.fix_horizon("production", 900.0)
    ledger.set_learned("production", replace(KNOWLEDGE, run_order="none"))
    ledger.raise_horizon("production", 950.0)
    ledger = reopened(ledger)
    assert ledger.horizon("production") == Horizon(950.0, first_discovery_done=False)
    assert ledger.learned("production") == replace(KNOWLEDGE, run_order="none")


def test_what_was_learned_is_written_only_when_it_changes(open_ledger):
    commits = []
    ledger = open_ledger(on_commit=commits.append)
    for _ in range(2):
        ledger.set_learned("production", KNOWLEDGE)
    ledger.set_learned("staging", Learned())
    assert len(commits) == 2


def test_what_could_not_be_written_was_not_learned(break_down, ledger):
    break_down(ledger, "accounts")
    with pytest.raises(LedgerFailed):
        ledger.set_learned("production", KNOWLEDGE)
    assert ledger.learned("production") == Learned()


# --- runs ---


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


# --- labels and budgets ---


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


def test_the_ids_that_have_a_label_are_listed_by_account_and_kind(ledger, reopened):
    for account, kind, id_ in (
        ("production", "schedule", "s1"),
        ("production", "schedule", "s2"),
        ("production", "flow", "f1"),
        ("staging", "schedule", "s3"),
    ):
        ledger.label(account, kind, id_, None)
    assert sorted(reopened(ledger).labelled("production", "schedule")) == ["s1", "s2"]
