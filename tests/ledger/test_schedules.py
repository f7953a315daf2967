import pytest

from runtype_exporter.ledger import LedgerFailed
from runtype_exporter.model import Delta, Schedule

STARTS = "runtype_schedule_starts_total"


def a_schedule(id_: str = "s1", **fields) -> Schedule:
    values = {
        "until": 990.0,
        "cron": "*/5 * * * *",
        "timezone": "UTC",
        "next_run": 1_000.0,
        "due": (700.0, 800.0),
    }
    return Schedule(account="production", id=id_, **{**values, **fields})


def test_schedules_are_stored_with_their_due_times(ledger, reopened):
    kept = [
        a_schedule(),
        a_schedule("s2", taken=("r1", "r2"), enabled=False, listed=False),
        a_schedule("s3", due=()),
    ]
    kept += [
        Schedule(account="staging", id="s4"),
        a_schedule("s5", cron="", run_at=5.0, vanished=True),
    ]
    ledger.commit(Delta(), observed=kept)
    expected = {schedule.id: schedule for schedule in kept}
    assert expected == ledger.schedules
    assert expected == reopened(ledger).schedules


def test_an_unlisted_schedule_without_due_times_is_forgotten(ledger, reopened):
    ledger.commit(Delta(), observed=[a_schedule(), a_schedule("s2", listed=False)])
    ledger.commit(Delta(), observed=[a_schedule("s2", listed=False, due=())])
    assert {"s1": a_schedule()} == ledger.schedules == reopened(ledger).schedules


def test_a_start_is_judged_and_forgotten_in_one_transaction(ledger, totals, break_down):
    ledger.commit(Delta(), observed=[a_schedule()])
    break_down(ledger, "series")
    missed = Delta(increments={(STARTS, ("production", "nightly", "missed")): 2})
    with pytest.raises(LedgerFailed):
        ledger.commit(missed, observed=[a_schedule(due=())])
    assert ({"s1": a_schedule()}, {}) == (ledger.schedules, totals(ledger))
