"""A clock that is set by hand, ledgers that are closed after the test, and builders of values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from runtype_exporter import catalogue
from runtype_exporter.ledger import Ledger
from runtype_exporter.ledger.counting import count_page
from runtype_exporter.ledger.identities import Page, record_identity, result_identity
from runtype_exporter.model import Batch, BatchRef, Labels, Result, Series, Sweep, SweepTally


@dataclass
class StandingClock:
    at: float = 1_000.0

    def now(self) -> float:
        return self.at


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def open_ledger(path: Path, clock: StandingClock) -> Iterator[Callable[..., Ledger]]:
    """Opens a ledger at `path`, and closes it when the test ends."""
    opened: list[Ledger] = []

    def open_(at: Path = path, **options: Any) -> Ledger:
        ledger = Ledger.open(at, clock=clock, **{"boundaries": catalogue.boundaries(), **options})
        opened.append(ledger)
        return ledger

    yield open_
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Callable[..., Ledger]) -> Ledger:
    return open_ledger()


@pytest.fixture
def a_batch() -> Callable[..., Batch]:
    """Builds a batch that can be counted: its labels are frozen, and a sweep runs."""

    def build(
        id_: str = "b1", account: str = "production", number: int = 1, **fields: Any
    ) -> Batch:
        sweep = Sweep(
            number=number,
            full=True,
            is_retry=False,
            offset=0,
            tally=SweepTally(),
            total=0,
            pages=0,
            probes_at_start={},
            began=900.0,
            prefix_grows=True,
        )
        values = {
            "first_seen": 900.0,
            "labels": Labels("nightly", "enrich"),
            "sweep": sweep,
            "sweeps": number,
        }
        return Batch(ref=BatchRef(account, id_), **{**values, **fields})

    return build


@pytest.fixture
def closed(a_batch: Callable[..., Batch]) -> Callable[..., Batch]:
    """Builds a batch that is no longer followed."""

    def build(id_: str = "b1", at: float = 990.0, **fields: Any) -> Batch:
        return replace(a_batch(id_, **fields), sweep=None, closed=at, outcome="success")

    return build


@pytest.fixture
def a_result() -> Callable[..., Result]:
    """Builds a result: by default a success that took 30 s and ended 20 s ago."""

    def build(
        key: str | None = "k1", record: str = "", outcome: str | None = "success", **fields: Any
    ) -> Result:
        words = {None: "running", "success": "completed", "failure": "failed"}
        values = {
            "status": words.get(outcome, outcome),
            "created": 950.0,
            "finished": None if outcome is None else 980.0,
            "fault": "",
        }
        return Result(
            key=key,
            record_key=record or f"record of {key}",
            outcome=outcome,
            **{**values, **fields},
        )  # type: ignore[arg-type]

    return build


@pytest.fixture
def totals() -> Callable[[Ledger], dict[Series, Any]]:
    """Reads every series of a ledger just opened.

    A counter is its value, a histogram the number of its observations.
    """

    def read(ledger: Ledger) -> dict[Series, Any]:
        found = {}
        for metric, family in ledger.snapshot().families.items():
            for labels, sample in family.items():
                value = sample.value
                found[metric, labels] = sum(value.counts) if metric.endswith("_seconds") else value
        return found

    return read


class Remembered:
    """The ledger's tables of results and adoptions, in memory: each page changes them."""

    def __init__(self) -> None:
        self.rows = {}
        self.adoptions = {}

    def count(self, batch, *results, count: bool = True):
        ids = [
            record_identity(row.record_key) if row.key is None else result_identity(row.key)
            for row in results
        ]
        records = {
            row.record_key: record_identity(row.record_key)
            for row in results
            if row.key is not None
        }
        delta, changes = count_page(
            batch,
            results,
            Page(ids, dict(self.rows), records, dict(self.adoptions)),
            now=1_000.0,
            wall=1_000.0,
            count=count,
        )
        for (record, state), adoption in changes.adoptions.items():
            self.adoptions.setdefault(record, {})[state] = adoption
        before = len(self.rows)
        self.rows = {
            id_: row
            for id_, row in {**self.rows, **changes.written}.items()
            if id_ not in changes.deleted
        }
        assert changes.added == len(self.rows) - before
        return delta

    def finished(self, batch, *results, **options) -> dict[str, float]:
        """Return what a page adds to the finished records, by outcome, without zeros."""
        increments = self.count(batch, *results, **options).increments
        return {
            labels[-1]: step
            for (name, labels), step in increments.items()
            if step and name == "runtype_records_finished_total"
        }

    def changes(self, batch, *results) -> dict[tuple[str, ...], float]:
        increments = self.count(batch, *results).increments
        return {
            labels[-2:]: step
            for (name, labels), step in increments.items()
            if name == "runtype_record_outcome_changes_total"
        }


@pytest.fixture
def table() -> Remembered:
    return Remembered()


@pytest.fixture
def reopened(open_ledger: Callable[..., Ledger]) -> Callable[..., Ledger]:
    """Closes a ledger and opens its file again."""

    def reopen(ledger: Ledger, **options: Any) -> Ledger:
        ledger.close()
        return open_ledger(**options)

    return reopen


@pytest.fixture
def break_down() -> Callable[[Ledger, str], None]:
    """Makes inserts into a table fail, as on a full disk, until trigger `broken` is dropped."""

    def break_(ledger: Ledger, table: str) -> None:
        ledger._database._connection.execute(
            f"CREATE TEMP TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT,"
            " 'disk'); END"
        )

    return break_
