"""The series of deleted schedules end after some time, and no others do."""

from dataclasses import replace

import pytest

from runtype_exporter import catalogue
from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.model import OVERFLOW, Delta, Labels

FINISHED, RUNS, LAG, SLO = (
    catalogue.RECORDS_FINISHED.name,
    catalogue.SCHEDULE_RUNS_FINISHED.name,
    catalogue.RECORD_DETECTION_LAG.name,
    catalogue.SLO_EVENTS.name,
)


def finished(schedule: str, flow: str = "enrich", account: str = "production"):
    return FINISHED, (account, schedule, flow, "success")


@pytest.fixture
def count(ledger, clock):
    """Increments each of these series at a moment."""

    def count_(*series, at: float) -> None:
        clock.at = at
        ledger.commit(Delta(increments=dict.fromkeys(series, 2.0)))

    return count_


def test_series_of_deleted_schedules_end_once_they_are_old(ledger, count):
    runs = (RUNS, ("production", "gone", "success"))
    slo = (SLO, ("fast", "production", "gone", "good"))
    count(finished("gone"), runs, slo, finished("listed"), at=100.0)
    count(finished("gone", "other flow"), at=200.0)
    ledger.snapshot()
    assert ledger.end_series("production", ["listed"], before=200.0) == 3
    assert ledger.snapshot().families == {
        FINISHED: {finished("gone")[1]: None},
        RUNS: {runs[1]: None},
        SLO: {slo[1]: None},
    }
    assert ledger.end_series("production", ["listed"], before=200.1) == 1
    assert ledger.snapshot().families == {FINISHED: {finished("gone", "other flow")[1]: None}}
    assert ledger.end_series("production", ["listed"], before=1e9) == 0


def test_ended_series_are_deleted_from_the_file(ledger, count, open_ledger, totals):
    count(finished("gone"), finished("listed"), at=100.0)
    ledger.end_series("production", ["listed"], before=200.0)
    ledger.close()
    again = open_ledger()
    assert totals(again) == {finished("listed"): 2.0}
    assert again.end_series("production", [], before=100.0) == 0
    assert again.end_series("production", [], before=100.1) == 1


def test_a_schedule_that_comes_back_starts_again_at_0(ledger, count):
    count(finished("gone"), at=100.0)
    ledger.end_series("production", [], before=200.0)
    ledger.snapshot()
    count(finished("gone"), at=300.0)
    (sample,) = ledger.snapshot().families[FINISHED].values()
    assert (sample.value, sample.created) == (2.0, 300.0)


def test_series_of_no_single_schedule_and_of_other_accounts_stay(ledger, count):
    kept = [finished(""), finished(OVERFLOW, OVERFLOW), finished("gone", account="other")]
    count(*kept, (catalogue.RECORD_INVALID_TIMESTAMPS.name, ("production", "missing")), at=100.0)
    assert ledger.end_series("production", [], before=1e9) == 0


def test_the_series_of_a_schedule_with_an_open_batch_stay(ledger, count, a_batch):
    count(finished("frozen"), finished("waiting"), finished("schedule_3"), at=100.0)
    ledger.label("production", "schedule", "schedule_2", "waiting")
    frozen = a_batch("b1", labels=Labels("frozen", "enrich"))
    waiting = a_batch("b2", labels=None, sweep=None, schedule="schedule_2")
    unnamed = a_batch("b3", labels=None, sweep=None, schedule="schedule_3")
    ledger.save(frozen, waiting, unnamed)
    assert ledger.end_series("production", [], before=1e9) == 0
    ledger.save(replace(frozen, sweep=None, closed=200.0))
    assert ledger.end_series("production", [], before=1e9) == 1


def test_an_increment_of_0_is_no_change(ledger, count, clock):
    count(finished("gone"), at=100.0)
    clock.at = 500.0
    ledger.commit(Delta(increments={finished("gone"): 0.0}))
    assert ledger.end_series("production", [], before=200.0) == 1


def test_unused_names_are_forgotten(ledger, count, a_batch, open_ledger):
    for id_, name in (("s1", "gone"), ("s2", "listed"), ("s3", "still counted")):
        ledger.label("production", "schedule", id_, name)
    for id_, name in (
        ("f1", "unused"),
        ("f2", "enrich"),
        ("f3", "of an open batch"),
        ("f4", "gone with it"),
    ):
        ledger.label("production", "flow", id_, name)
    ledger.label("other", "schedule", "s1", "gone")
    count(finished("gone", "gone with it"), at=100.0)
    count(finished("still counted"), at=300.0)
    ledger.save(a_batch("b1", labels=None, sweep=None, flow_id="f3"))
    assert ledger.end_series("production", ["listed"], before=200.0) == 1
    ledger.close()
    again = open_ledger()
    schedules = [again.known_label("production", "schedule", id_) for id_ in ("s1", "s2", "s3")]
    flows = [again.known_label("production", "flow", id_) for id_ in ("f1", "f2", "f3", "f4")]
    assert schedules == [None, "listed", "still counted"]
    assert flows == [None, "enrich", "of an open batch", None]
    assert again.known_label("other", "schedule", "s1") == "gone"
    assert again.label("production", "schedule", "s9", "gone") == "gone"


def test_a_shared_label_is_free_once_both_ids_are_dropped(ledger):
    ledger.label("production", "flow", "f1", "f2")
    ledger.label("production", "flow", "f2", None)
    ledger.end_series("production", [], before=0.0)
    assert ledger.label("production", "flow", "f3", "f2") == "f2"


def test_a_failing_disk_ends_no_series(ledger, count):
    count(finished("gone"), at=100.0)
    ledger.close()
    with pytest.raises(LedgerFailed):
        ledger.end_series("production", [], before=200.0)
    assert ledger.has_series(finished("gone"))


def test_lines_are_those_of_openmetrics_and_follow_every_change(ledger, count):
    buckets = len(catalogue.DURATION_BUCKETS) + 1
    duration = (catalogue.SCHEDULE_RUN_DURATION.name, ("production", "gone"))
    count(finished("gone"), finished("gone"), at=100.0)
    assert ledger.lines() == 2
    ledger.commit(Delta(observations={duration: []}))
    assert ledger.lines() == 2 + buckets + 3
    ledger.set_boundaries({duration[0]: (1.0,)})
    assert ledger.lines() == 2 + 2 + 3
    ledger.end_series("production", [], before=1e9)
    assert ledger.lines() == 0
