"""What continues from a golden ledger: pages and other steps, and what each of them changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runtype_exporter.catalogue import UNCOUNTED_RECORDS
from runtype_exporter.ledger import Ledger
from runtype_exporter.model import Batch, Result, SweepTally
from runtype_exporter.polling.batches import costs, ends
from runtype_exporter.polling.discovery.run_rows import ended_run
from runtype_exporter.polling.sweeps import sweep
from runtype_exporter.runtype import RunRow
from tests.ledger.golden.contents import Key, account, series
from tests.ledger.golden.words import in_words, result

Change = list[Any]
"""Of a series: its metric, its label values, its value before and after (None: there is none)."""


def difference(before: Mapping[Key, Any], after: Mapping[Key, Any]) -> list[Change]:
    """Return the series whose value differs, in order. Both map to a creation time and a value."""
    none = (None, None)
    changes = [
        [
            metric,
            list(labels),
            before.get((metric, labels), none)[1],
            after.get((metric, labels), none)[1],
        ]
        for metric, labels in sorted(before.keys() | after.keys())
    ]
    return [change for change in changes if change[2] != change[3]]


class WatchedSeries:
    """The series of an open ledger, and how they change."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._now: Mapping[Key, Any] = series(ledger)

    def changes(self) -> list[Change]:
        """Return what changed since the last call."""
        after = dict(self._now)
        for metric, family in self._ledger.snapshot().families.items():
            for labels, sample in family.items():
                if sample is None:
                    after.pop((metric, labels), None)
                else:
                    after[metric, labels] = (sample.created, in_words(sample.value))
        changes, self._now = difference(self._now, after), after
        return changes


def apply_page(ledger: Ledger, page: Mapping[str, Any]) -> tuple[Batch, dict[str, Any]]:
    """Apply one page as a sweep does. Return the batch after it, and the figures of the page."""
    batch = ledger.batches([page["batch"]])[page["batch"]]
    rows = [result(row) for row in page["rows"]]
    if "taken_over" in page:
        _take_over(ledger, batch, [result(row) for row in page["taken_over"]])
    if page["walk"] == "new":
        batch = sweep.begin(batch, ledger._clock.now(), full=True)
    elif page["walk"] == "from_prefix":
        batch = sweep.begin(batch, ledger._clock.now(), full=False)
        prefix = batch.prefix
        assert prefix is not None
        assert sweep.prefix_unchanged(prefix, rows)
        running = replace(
            batch.sweep, offset=prefix.end, tally=prefix.tally, pages=1, total=page["total"]
        )
        batch, rows = replace(batch, sweep=running), rows[prefix.end - prefix.offset :]
    shown: list[SweepTally] = []

    def advance(tally: SweepTally) -> Batch:
        shown.append(tally)
        return sweep.advance(batch, tally, sweep.Chunk(rows, page["total"]))

    now = ledger._clock.now()
    after = ledger.apply(batch, rows, advance, now=now, count=page["count"])
    return after, in_words(shown[0])


def _take_over(ledger: Ledger, batch: Batch, rows: list[Result]) -> None:
    """Show the results that ids take over, as if the last sweep had done so."""
    begun = sweep.begin(batch, 0.0, full=True).sweep
    assert begun is not None
    last = replace(batch, sweep=replace(begun, number=batch.sweeps))
    ledger.apply(last, rows, lambda _: batch, now=ledger._clock.now())


def sweep_after(batch: Batch) -> dict[str, Any]:
    """Return the part of a batch that a page changes."""
    words = in_words(batch)
    return {word: words[word] for word in ("last_walk_number", "running_sweep", "final_prefix")}


def take(ledger: Ledger, step: Mapping[str, Any]) -> dict[str, Any]:
    """Take one of the other steps. Return the ledger's answers."""
    return _STEPS[step["do"]](ledger, step)


def _open(ledger: Ledger, step: Mapping[str, Any]) -> dict[str, Any]:
    """Do nothing: the ledger was already opened as the step requires."""
    return {}


def _count_cost(ledger: Ledger, step: Mapping[str, Any]) -> dict[str, Any]:
    batch = ledger.batches([step["batch"]])[step["batch"]]
    after, delta = costs.with_cost(batch, step["dollars"])
    ledger.commit(delta, batches=(after,))
    return {"costs_due": [one.ref.id for one in ledger.costs_due(batch.ref.account)]}


def _close_batch(ledger: Ledger, step: Mapping[str, Any]) -> dict[str, Any]:
    batch = ledger.batches([step["batch"]])[step["batch"]]
    end = ends.End(step["outcome"], abandoned=step["abandoned"])
    closed, delta = costs.with_cost_due(*ends.close(batch, end, ledger._clock.now()))
    # An end added no such series when the steps were written.
    increments = {
        key: value for key, value in delta.increments.items() if key[0] != UNCOUNTED_RECORDS.name
    }
    ledger.commit(replace(delta, increments=increments), batches=(closed,))
    return {
        "cost_due": closed.cost_due,
        "open_batches": [one.ref.id for one in ledger.open_batches(batch.ref.account)],
    }


def _reopen_batch(ledger: Ledger, step: Mapping[str, Any]) -> dict[str, Any]:
    batch = ledger.update(
        step["batch"], lambda batch: replace(batch, closed=None, outcome=None, reread_at=0.0)
    )
    assert batch is not None
    account = batch.ref.account
    return {
        "given_up": [one.ref.id for one in ledger.given_up_batches(account)],
        "open_batches": [one.ref.id for one in ledger.open_batches(account)],
    }


def _end_run(ledger: Ledger, step: Mapping[str, Any]) -> dict[str, Any]:
    run = ledger.runs([step["run"]])[step["run"]]
    row = RunRow(
        id=run.id,
        schedule_id=run.schedule,
        status="completed",
        created_at=step["created_text"],
        started_at=step["started_text"],
        completed_at=step["completed_text"],
    )
    delta = ended_run(run.account, step["label"], row, "success", ledger._clock.now())
    ledger.commit(delta, runs=(replace(run, outcome="success", ended=step["completed_at"]),))
    return {"unfinished_runs": sorted(one.id for one in ledger.unfinished_runs(run.account))}


def _labels(ledger: Ledger, step: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "labels": [
            ledger.label(ask["account"], ask["kind"], ask["id"], ask["name"])
            for ask in step["asks"]
        ]
    }


def _forget(ledger: Ledger, step: Mapping[str, Any]) -> dict[str, Any]:
    ledger._clock.at = step["at"]
    if step["horizon_at"] is not None:
        ledger.raise_horizon(step["account"], step["horizon_at"])
    rows, deleted = ledger.rows(), 0
    listed, retention = set(step["listed"]), step["retention"]
    while more := ledger.forget(
        step["account"], now=step["at"], listed=listed, retention=retention
    ):
        deleted += more
    return {
        "deleted": deleted,
        "result_rows_deleted": rows - ledger.rows(),
        "left_of_asked": sorted(ledger.batches(step["ask_batches"])),
        "runs_left_of_asked": sorted(ledger.runs(step["ask_runs"])),
        "forgotten_at": account(ledger, step["account"])["forgotten_at"],
    }


def _end_series(ledger: Ledger, step: Mapping[str, Any]) -> dict[str, Any]:
    schedules = set(step["schedules"])
    return {"ended": ledger.end_series(step["account"], schedules, before=step["before"])}


_STEPS = {
    "open with default bounds": _open,
    "count cost": _count_cost,
    "close batch": _close_batch,
    "reopen batch": _reopen_batch,
    "end run": _end_run,
    "labels": _labels,
    "forget": _forget,
    "end series": _end_series,
}
