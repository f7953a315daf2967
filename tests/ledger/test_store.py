# ruff: noqa: PLR0917  # fixtures and tables come as arguments

from dataclasses import replace

import pytest

from runtype_exporter import catalogue
from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.model import (
    Delta,
    Labels,
    Observation,
    Probe,
    Sample,
    SweepSnapshot,
    SweepTally,
)

FLOW = ("production", "nightly", "enrich")
SUCCESS = ("runtype_records_finished_total", (*FLOW, "success"))
FAILURE = ("runtype_records_finished_total", (*FLOW, "failure"))
LATENCY = ("runtype_record_latency_seconds", (*FLOW, "success"))
LAG = ("runtype_record_detection_lag_seconds", ("production",))
FINISHED_BATCHES = ("runtype_batches_finished_total", (*FLOW, "success"))


def take(ledger, batch, *results, **options):
    """Apply a page that leaves the batch as it is."""
    return ledger.apply(batch, results, lambda _: batch, **{"now": ledger._clock.now(), **options})


# --- batches ---


def test_open_batches_are_stored_by_account_and_survive(ledger, reopened, a_batch, closed):
    first, second, other = a_batch("b1"), a_batch("b2"), a_batch("b3", account="staging")
    ledger.save(first, second, other, closed("b4"))
    assert ledger.open_batches("production") == [first, second]
    assert reopened(ledger).open_batches("production") == [first, second]


def test_open_and_closed_batches_of_all_accounts_are_looked_up(ledger, a_batch, closed):
    batches = {"b1": a_batch("b1"), "b2": closed("b2"), "b3": a_batch("b3", account="staging")}
    ledger.save(*batches.values())
    assert ledger.batches([*batches, "b4", "b1"]) == batches
    assert ledger.batches([]) == {}


def test_more_batches_are_looked_up_than_one_select_takes(ledger, closed):
    batches = {f"b{number}": closed(f"b{number}") for number in range(1_001)}
    ledger.save(*batches.values())
    assert ledger.batches(batches) == batches


def test_a_batch_that_closes_is_no_longer_open(ledger, reopened, a_batch, closed):
    ledger.save(a_batch())
    ledger.save(closed())
    assert ledger.open_batches("production") == []
    ledger.save(changed := replace(closed(), probes={"run": Probe("completed", 5, 5, 0)}))
    assert ledger.batches(["b1"]) == {"b1": changed}
    assert reopened(ledger).open_batches("production") == []


def test_a_batch_has_one_owner(ledger, a_batch, closed):
    ledger.save(a_batch("b1"), closed("b2"))
    for id_ in ("b1", "b2"):
        with pytest.raises(ValueError, match="another account owns this batch"):
            ledger.save(a_batch("b3"), a_batch(id_, account="staging"))
    assert ledger.batches(["b1", "b3"]) == {"b1": a_batch("b1")}


def test_the_newest_closed_batches_of_each_schedule_come_oldest_first(ledger, closed):
    hourly = Labels("hourly", "enrich")
    batches = [closed(f"n{at}", at=float(at)) for at in (3, 1, 2)] + [
        closed("h1", at=1.5, labels=hourly)
    ]
    ledger.save(*batches, closed("none", labels=None), closed("other", account="staging"))
    assert [batch.ref.id for batch in ledger.recently_closed("production", 2)] == ["h1", "n2", "n3"]
    assert [batch.ref.id for batch in ledger.recently_closed("production", 1)] == ["h1", "n3"]
    assert ledger.recently_closed("production", 0) == []


# --- pages ---


def test_a_page_is_counted_and_the_result_of_advance_is_stored(ledger, totals, a_batch, a_result):
    batch = a_batch()
    tallies = []

    def advance(tally: SweepTally):
        tallies.append(tally)
        return replace(batch, drift=tally.distinct)

    after = ledger.apply(
        batch, [a_result("k1"), a_result("k2", outcome="failure")], advance, now=1_000.0
    )
    assert after == replace(batch, drift=2)
    assert ledger.batches(["b1"]) == {"b1": after}
    assert [tally.distinct for tally in tallies] == [2]
    assert ledger.rows() == 2
    found = totals(ledger)
    assert (found[SUCCESS], found[FAILURE], found[LATENCY], found[LAG]) == (1, 1, 1, 2)


def test_a_result_is_counted_once_over_restarts_and_its_series_keep_their_start(
    ledger, reopened, clock, a_batch, a_result
):
    take(ledger, a_batch(), a_result("k1"))
    clock.at = 2_000.0
    ledger = reopened(ledger)
    take(ledger, a_batch(number=2), a_result("k1"), a_result("k2"))
    families = reopened(ledger).snapshot().families
    assert families[SUCCESS[0]][SUCCESS[1]] == Sample(2.0, 1_000.0)
    assert families[LATENCY[0]][LATENCY[1]].created == 1_000.0
    assert families[LATENCY[0]][LATENCY[1]].value.sum == 60.0


def test_the_number_of_rows_survives(ledger, reopened, a_batch, a_result):
    take(ledger, a_batch(), a_result(None, "r1", outcome=None), a_result("k2"))
    take(ledger, a_batch(), a_result("k1", "r1"), a_result("k3"))
    assert ledger.rows() == reopened(ledger).rows() == 3


def test_batches_share_no_results(ledger, totals, a_batch, a_result):
    take(ledger, a_batch("b1"), a_result("k1"))
    take(ledger, a_batch("b2"), a_result("k1"))
    assert totals(ledger)[SUCCESS] == 2


def test_a_page_of_a_batch_that_was_closed_still_finds_its_rows(
    ledger, totals, a_batch, closed, a_result
):
    take(ledger, a_batch(), a_result("k1"))
    ledger.save(closed())
    take(ledger, a_batch(number=2), a_result("k1"))
    assert totals(ledger)[SUCCESS] == 1


def test_a_filtered_page_is_remembered_and_counted_later(ledger, totals, a_batch, a_result):
    take(ledger, a_batch(), a_result("k1"), count=False)
    assert (ledger.rows(), totals(ledger)) == (1, {})
    take(ledger, a_batch(number=2), a_result("k1"))
    assert totals(ledger)[SUCCESS] == 1


def test_a_page_without_labels_changes_nothing(ledger, a_batch, a_result):
    with pytest.raises(ValueError, match="has labels"):
        take(ledger, a_batch(labels=None), a_result())
    assert (ledger.rows(), ledger.batches(["b1"])) == (0, {})


def test_an_advance_that_raises_changes_nothing(ledger, totals, a_batch, a_result):
    def advance(_: SweepTally):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ledger.apply(a_batch(), [a_result()], advance, now=1_000.0)
    assert (ledger.rows(), ledger.batches(["b1"]), totals(ledger)) == (0, {}, {})


@pytest.mark.parametrize("table", ["batches", "results", "series"])
def test_a_failing_disk_leaves_neither_memory_nor_file_changed(
    break_down, table, open_ledger, reopened, totals, a_batch, a_result
):
    failures, commits = [], []
    ledger = open_ledger(on_failure=lambda: failures.append(1), on_commit=commits.append)
    take(ledger, a_batch(), a_result("k1"))
    totals(ledger)
    done = len(commits)
    break_down(ledger, table)
    with pytest.raises(LedgerFailed, match="nothing was changed"):
        take(ledger, a_batch("b2"), a_result("k1"), a_result("k2"))
    assert (failures, len(commits), ledger.rows()) == ([1], done, 1)
    assert (totals(ledger), ledger.batches(["b2"])) == ({}, {})
    ledger._database._connection.execute("DROP TRIGGER broken")
    take(ledger, a_batch("b2"), a_result("k1"), a_result("k2"))
    assert totals(ledger)[SUCCESS] == 3
    assert totals(reopened(ledger))[SUCCESS] == 3


def test_a_file_system_that_fails_gives_a_size_of_0(tmp_path, open_ledger):
    folder = tmp_path / "volume"
    folder.mkdir()
    ledger = open_ledger(folder / "ledger.db")
    assert ledger.size() > 0
    folder.rename(tmp_path / "gone")
    folder.write_text("what stands there now is no directory")
    assert ledger.size() == 0


def test_a_full_disk_leaves_neither_memory_nor_file_changed(
    ledger, reopened, totals, a_batch, a_result
):
    take(ledger, a_batch(), a_result("k0"))
    connection = ledger._database._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    many = [a_result(f"k{number}") for number in range(2_000)]
    with pytest.raises(LedgerFailed, match="SQLITE_FULL"):
        take(ledger, a_batch(), *many)
    assert (ledger.rows(), totals(ledger)[SUCCESS]) == (1, 1)
    connection.execute("PRAGMA max_page_count = 100000")
    take(ledger, a_batch(), *many)
    assert totals(reopened(ledger))[SUCCESS] == 2_000


def test_a_closed_ledger_raises_an_error(ledger, a_batch):
    ledger.close()
    with pytest.raises(LedgerFailed):
        ledger.save(a_batch())


def test_an_open_record_takes_at_most_60_bytes_and_a_closed_batch_one_kilobyte(
    ledger, path, reopened, a_batch, a_result
):
    number = 10_000
    for start in range(0, number, 200):
        take(ledger, a_batch(), *(a_result(f"k{start + row}") for row in range(200)))
    ledger = reopened(ledger)
    ledger.close()
    with_rows = path.stat().st_size
    assert with_rows / number < 60
    ledger = reopened(ledger)
    probes = {
        source: Probe("completed", 1_000, 1_000, 12) for source in ("run", "summary", "status")
    }
    for index in range(1_000):
        id_ = f"batch_01jv8m3x9p2q7r5t6w8y{index:06d}"
        tally = SweepTally(1_000, 0, {"completed": 988, "failed": 12}, 1.7e9 + 0.123)
        fields = {
            "schedule": "schedule_01jv8m3x9p2q7r5t6w8y0z1a2b",
            "flow_id": "flow_01jv8m3x9p2q7r5t6w8y0z1a2b",
            "flow_name": "Enrich companies",
            "sweep": None,
            "probes": probes,
            "probes_at_last_sweep": probes,
            "created": 1.7e9 + 0.123,
            "started": 1.7e9 + 0.123,
            "completed": 1.7e9 + 0.123,
            "ended": 1.7e9 + 0.123,
            "closed": 1.7e9 + 0.123,
            "outcome": "success",
            "snapshot": SweepSnapshot(1.7e9 + 0.123, 1_000, tally),
        }
        ledger.save(a_batch(id_, **fields))
    ledger.close()
    assert (path.stat().st_size - with_rows) / 1_000 < 1_024


def test_no_id_of_a_result_or_record_is_in_the_file(ledger, path, a_batch, a_result):
    take(
        ledger,
        a_batch(),
        a_result("result-marker", "record-marker"),
        a_result(None, "record-marker-2"),
    )
    ledger.close()
    assert b"marker" not in path.read_bytes()


def test_an_opening_that_fails_halfway_gives_up_the_lock(open_ledger):
    def refuse(_: float) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        open_ledger(on_commit=refuse)
    assert open_ledger().rows() == 0


def test_batches_with_a_due_cost_are_listed_longest_closed_first(ledger, reopened, closed, a_batch):
    due = [closed(f"b{at:.0f}", at, cost_due=True) for at in (30.0, 10.0)]
    ledger.save(*due, closed("b20", 20.0), closed("b5", 5.0, account="other", cost_due=True))
    ledger.save(a_batch("open"), closed("b40", 40.0, flow_name='"cost_due":true'))
    ledger = reopened(ledger)
    assert due[::-1] == ledger.costs_due("production")
    ledger.save(replace(due[1], cost_due=False, cost=1.5))
    assert ["b30"] == [batch.ref.id for batch in ledger.costs_due("production")]


def test_the_search_for_due_costs_reads_no_other_batch(ledger, closed):
    ledger.save(*(closed(f"b{number}") for number in range(100)))
    with ledger._database.reading() as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT num FROM batches WHERE account = ? AND cost_due",
            ("production",),
        ).fetchall()
    assert "batches_cost_due" in plan[0][3]


def test_a_dropped_batch_is_new_when_it_comes_again(ledger, a_batch, open_ledger):
    batch = a_batch("b1")
    ledger.save(batch)
    ledger.drop("b1")
    assert (ledger.batches(["b1"]), ledger.open_batches(batch.ref.account)) == ({}, [])
    ledger.close()
    again = open_ledger()
    assert again.batches(["b1"]) == {}
    again.save(batch)
    assert again.open_batches(batch.ref.account) == [batch]


# --- commits ---


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


# --- boundaries ---


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


def test_an_update_that_changes_nothing_or_finds_no_batch_writes_nothing(open_ledger, a_batch):
    commits = []
    ledger = open_ledger(on_commit=commits.append)
    batch = a_batch()
    ledger.save(batch)
    done = len(commits)
    assert ledger.update("unknown", lambda stored: replace(stored, drift=1)) is None
    assert ledger.update("b1", lambda stored: stored) == batch
    assert len(commits) == done
    assert ledger.update("b1", lambda stored: replace(stored, drift=1)).drift == 1
    assert len(commits) == done + 1


def test_given_up_batches_are_listed_until_they_are_followed_again(ledger, reopened, closed):
    ledger.save(
        closed("b1"),
        replace(closed("b2", at=995.0), outcome="lost"),
        replace(closed("b3", at=992.0), outcome="stale"),
        replace(closed("b4", account="staging"), outcome="unreadable"),
    )
    ledger = reopened(ledger)
    assert [batch.ref.id for batch in ledger.given_up_batches("production")] == ["b3", "b2"]
    ledger.update("b3", lambda batch: replace(batch, closed=None, outcome=None))
    ledger = reopened(ledger)
    assert [batch.ref.id for batch in ledger.given_up_batches("production")] == ["b2"]
    assert [batch.ref.id for batch in ledger.open_batches("production")] == ["b3"]
