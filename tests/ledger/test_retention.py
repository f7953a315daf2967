from dataclasses import replace

import pytest

from runtype_exporter.model import Delta, Run

WEEK = 7 * 86_400.0
NOW = 10 * WEEK


@pytest.fixture(autouse=True)
def _late(clock):
    clock.at = NOW


@pytest.fixture
def fill(ledger, a_batch, a_result):
    """Counts a batch of three results that closed so many seconds ago."""

    def fill_(id_: str, ago: float, *, created: float | None, account: str = "production") -> None:
        batch = a_batch(id_, account=account, created=created)
        ledger.apply(
            batch, [a_result(f"k{number}") for number in range(3)], lambda _: batch, now=NOW
        )
        ledger.save(replace(batch, sweep=None, closed=NOW - ago))

    ledger.fix_horizon("production", NOW - 2 * WEEK)
    return fill_


def stored(ledger, *ids: str) -> list[str]:
    return sorted(ledger.batches(ids))


def test_identities_are_deleted_after_the_retention_and_the_tombstone_stays(ledger, fill):
    fill("b1", WEEK + 1, created=NOW - WEEK)
    assert ledger.forget("production", listed=[], now=NOW, retention=WEEK) == 3
    assert (ledger.rows(), stored(ledger, "b1")) == (0, ["b1"])


def test_nothing_is_deleted_before_the_retention_has_passed(ledger, fill, a_batch):
    fill("b1", WEEK - 1, created=0.0)
    ledger.save(a_batch("open", created=0.0))
    assert ledger.forget("production", listed=[], now=NOW, retention=WEEK) == 0
    assert (ledger.rows(), stored(ledger, "b1", "open")) == (3, ["b1", "open"])


@pytest.mark.parametrize("created", [NOW - 2 * WEEK - 1, None])
def test_a_tombstone_stays_while_it_is_listed(created, ledger, fill):
    """The API may show a batch that it lists with a later creation time: as new."""
    fill("b1", WEEK + 1, created=created)
    fill("b2", WEEK + 1, created=created)
    assert ledger.forget("production", listed=["b1"], now=NOW, retention=WEEK) == 7
    assert stored(ledger, "b1", "b2") == ["b1"]
    assert ledger.forget("production", listed=[], now=NOW, retention=WEEK) == 1
    assert stored(ledger, "b1") == []


def test_a_tombstone_stays_until_the_horizon_passes_it(ledger, fill):
    fill("b1", WEEK + 1, created=NOW - 2 * WEEK)
    ledger.forget("production", listed=[], now=NOW, retention=WEEK)
    assert stored(ledger, "b1") == ["b1"]
    ledger.raise_horizon("production", NOW - 2 * WEEK + 1)
    assert ledger.forget("production", listed=[], now=NOW, retention=WEEK) == 1
    assert stored(ledger, "b1") == []


def test_the_batches_of_other_accounts_are_not_deleted(ledger, fill):
    fill("b1", WEEK + 1, created=0.0, account="staging")
    assert ledger.forget("production", listed=[], now=NOW, retention=WEEK) == 0
    assert ledger.rows() == 3


def test_an_account_without_a_horizon_keeps_its_tombstones(ledger, fill):
    fill("b1", WEEK + 1, created=0.0, account="staging")
    assert ledger.forget("staging", listed=[], now=NOW, retention=WEEK) == 3
    assert stored(ledger, "b1") == ["b1"]


def test_ended_runs_are_deleted_by_the_same_rules(ledger):
    ledger.fix_horizon("production", NOW - 2 * WEEK)
    runs = [
        Run(
            account="production",
            id="old",
            schedule="s",
            created=0.0,
            outcome="success",
            ended=NOW - WEEK - 1,
        ),
        Run(
            account="production",
            id="young",
            schedule="s",
            created=0.0,
            outcome="success",
            ended=NOW - WEEK + 1,
        ),
        Run(
            account="production",
            id="ahead",
            schedule="s",
            created=NOW - 2 * WEEK,
            outcome="success",
            ended=NOW - WEEK - 1,
        ),
        Run(
            account="production", id="listed", schedule="s", outcome="success", ended=NOW - WEEK - 1
        ),
        Run(
            account="production",
            id="listed and old",
            schedule="s",
            created=0.0,
            outcome="success",
            ended=0.0,
        ),
        Run(
            account="production",
            id="unlisted",
            schedule="s",
            outcome="success",
            ended=NOW - WEEK - 1,
        ),
        Run(account="production", id="endless", schedule="s", created=0.0, outcome="success"),
        Run(account="production", id="running", schedule="s", created=0.0),
        Run(account="staging", id="other", schedule="s", created=0.0, outcome="success", ended=0.0),
    ]
    ledger.commit(Delta(), runs=runs)
    assert (
        ledger.forget("production", listed=["listed", "listed and old"], now=NOW, retention=WEEK)
        == 3
    )
    assert sorted(ledger.runs([run.id for run in runs])) == [
        "ahead",
        "listed",
        "listed and old",
        "other",
        "running",
        "young",
    ]


def test_one_call_deletes_a_portion_and_later_ones_the_rest(ledger, fill):
    for number in range(3):
        fill(f"b{number}", WEEK + 10 - number, created=0.0)
    deleted = [
        ledger.forget("production", listed=[], now=NOW, retention=WEEK, most=4) for _ in range(5)
    ]
    assert deleted == [4, 4, 4, 0, 0]
    assert (ledger.rows(), stored(ledger, "b0", "b1", "b2")) == (0, [])


def test_a_tombstone_is_never_deleted_before_its_identities(ledger, fill):
    fill("b1", WEEK + 1, created=0.0)
    ledger.forget("production", listed=[], now=NOW, retention=WEEK, most=2)
    assert (ledger.rows(), stored(ledger, "b1")) == (1, ["b1"])


def test_what_was_counted_stays_counted(ledger, fill, totals):
    fill("b1", WEEK + 1, created=0.0)
    ledger.forget("production", listed=[], now=NOW, retention=WEEK)
    assert (
        totals(ledger)[
            "runtype_records_finished_total", ("production", "nightly", "enrich", "success")
        ]
        == 3
    )


def test_the_number_of_a_forgotten_batch_may_be_used_again(ledger, fill, a_batch, a_result):
    fill("b1", WEEK + 1, created=0.0)
    ledger.forget("production", listed=[], now=NOW, retention=WEEK)
    batch = a_batch("b2")
    ledger.apply(batch, [a_result("k1")], lambda _: batch, now=NOW)
    assert ledger.rows() == 1
