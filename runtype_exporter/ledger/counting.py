"""The count of one page: what it adds to the totals, and what is stored of its results.

Pure: the rows of a page and their stored identities go in, increments and changed identities come
out. This is where "each record result is counted exactly once" is decided.

What a page may show, and what follows:

* A new result that is final is counted. If it ended before the batch's guard (`count_from`), it is
  only remembered.
* An unfinished result is stored, and counted once it is final.
* A counted result that is unchanged, or unfinished again, adds nothing.
* A counted result with another outcome is counted again under that outcome, and as a change. If it
  has the same status word as before, only the meaning of the word changed: it adds nothing.
* A result without an id of its own is stored under its record's id. The result id that it gets
  later adopts what is stored: the id whose outcome and end are the stored ones or, where the stored
  result is unfinished, any id. Every other id is another result, as of a retry. Rows that still
  show the record without an id then stand for the adopter, and add nothing.
* The order of the rows on a page decides nothing: those with an id are taken first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runtype_exporter import catalogue
from runtype_exporter.catalogue import series
from runtype_exporter.ledger.adoption import PageRows, WordNumbers
from runtype_exporter.ledger.identities import Changes, Page
from runtype_exporter.ledger.states import (
    COUNTED,
    COUNTED_OUTCOMES,
    REMEMBERED,
    UNFINISHED,
)
from runtype_exporter.model import (
    PAUSED,
    Batch,
    Delta,
    Labels,
    Observation,
    Outcome,
    Result,
    Series,
    Sweep,
    SweepTally,
)


def required(batch: Batch) -> tuple[Labels, Sweep]:
    """Return the batch's labels and its sweep, without which nothing can be counted.

    Raises:
        ValueError: one of them is not set.
    """
    if batch.labels is None or batch.sweep is None:
        raise ValueError(
            "a page can be applied only to a batch that has labels and is being walked"
        )
    return batch.labels, batch.sweep


def count_page(  # noqa: PLR0913  # two clocks, and by keyword what is counted
    batch: Batch,
    results: Sequence[Result],
    page: Page,
    *,
    now: float,
    wall: float,
    count: bool = True,
) -> tuple[Delta, Changes]:
    """Return what a page adds to the totals and the sweep (`Delta.tally`), and what it changes.

    `now` is the API's time, from which the lag of detection is measured. `wall` is the time of this
    machine, for exemplars. Both are in seconds since the Unix epoch. With `count` false nothing is
    counted: a later page counts what was never counted.

    Raises:
        ValueError: the batch has no labels or no sweep.
    """
    labels, sweep = required(batch)
    words = WordNumbers()
    page_rows = PageRows(page, results, words)
    rows, written, number = page_rows.rows, page_rows.written, sweep.number
    counts = _PageCounts(batch, now, wall)
    unfinished = paused = 0
    statuses: dict[str, int] = {}
    oldest_unfinished: float | None = None
    for result, identity in page_rows.in_order():
        id_, stored, known, is_current = page_rows.find(identity, result)
        state, word, last_sweep = stored
        outcome = result.outcome
        if last_sweep != number:
            statuses[result.status] = statuses.get(result.status, 0) + 1
            if outcome is None:
                unfinished += 1
                paused += result.status == PAUSED
                created = result.created
                if created is not None and (
                    oldest_unfinished is None or created < oldest_unfinished
                ):
                    oldest_unfinished = created
        if count and is_current and outcome is not None:
            shown = words[result.status]
            if state == COUNTED[outcome]:
                word = shown
            elif state == UNFINISHED or word != shown:
                state, word = counts.judge(result, state, known=known), shown
        row = (state, word, number)
        if row != stored:
            rows[id_] = written[id_] = row
            # Only a change of state is stored: a later end of the same outcome was not counted.
            if result.key is None and is_current and state != stored[0]:
                page_rows.keep_end(id_, state, result.finished)
    last_finished = max(
        (end for row in results if row.outcome and (end := _believed_end(row)) is not None),
        default=None,
    )
    tally = SweepTally(
        sum(statuses.values()), unfinished, statuses, last_finished, oldest_unfinished, paused
    )
    increments, observations = counts.totals(labels) if results and count else ({}, {})
    return Delta(tally, increments, observations), page_rows.changes()


def _believed_end(result: Result) -> float | None:
    """Return when a result ended, None if that is unknown or not to be believed."""
    return None if result.fault == "implausible" else result.finished


@dataclass(slots=True)
class _PageCounts:
    """The counts of one page, before they become a Delta."""

    batch: Batch
    now: float
    wall: float
    counted: dict[Outcome, int] = field(default_factory=dict)
    changed: dict[tuple[Outcome, Outcome], int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    latencies: dict[Outcome, list[Observation]] = field(
        default_factory=lambda: {"success": [], "failure": []}
    )
    lags: list[Observation] = field(default_factory=list)

    def judge(self, result: Result, state: int, *, known: bool) -> int:
        """Count a final result that is not counted under its outcome, unless it must not be.

        Return the result's new state.
        """
        # The caller asks about final results only.
        outcome: Outcome = result.outcome  # type: ignore[assignment]
        previous = COUNTED_OUTCOMES.get(state)
        if previous is not None:
            change = (previous, outcome)
            self.changed[change] = self.changed.get(change, 0) + 1
        elif not self._counts(result, state, outcome, known=known):
            return REMEMBERED[outcome]
        self._count(result, outcome)
        return COUNTED[outcome]

    def _counts(self, result: Result, state: int, outcome: Outcome, *, known: bool) -> bool:
        """Return whether a result that was never counted is to be counted now."""
        guard, finished = self.batch.count_from, _believed_end(result)
        if state == REMEMBERED[outcome]:
            return False
        if guard is None:
            return True
        if finished is not None:
            return finished >= guard
        return (known and state == UNFINISHED) or self.batch.probes_at_last_sweep is not None

    def _count(self, result: Result, outcome: Outcome) -> None:
        self.counted[outcome] = self.counted.get(outcome, 0) + 1
        _, record, _, _, created, _, fault = result
        finished = _believed_end(result)
        if finished is not None and fault != "unparseable":
            self.lags.append(Observation(max(0.0, self.now - finished), self.wall))
        if fault or created is None or finished is None:
            reason = fault or "missing"
            self.faults[reason] = self.faults.get(reason, 0) + 1
            return
        observation = Observation(finished - created, self.wall, self.batch.ref.id, record)
        self.latencies.setdefault(outcome, []).append(observation)

    def totals(self, labels: Labels) -> tuple[dict[Series, float], dict[Series, list[Observation]]]:
        """Return the increments and observations, by series.

        Success and failure start at 0, so that a rate over them has no gap at the first count.
        """
        account = self.batch.ref.account
        flow = {"account": account, **labels._asdict()}
        increments: dict[Series, float] = {series(catalogue.RECORDS_ABANDONED, **flow): 0}
        for outcome, count in ({"success": 0, "failure": 0} | self.counted).items():
            increments[series(catalogue.RECORDS_FINISHED, **flow, outcome=outcome)] = count
        for (previous, outcome), count in self.changed.items():
            changes = series(
                catalogue.RECORD_OUTCOME_CHANGES, **flow, previous=previous, outcome=outcome
            )
            increments[changes] = count
        for reason, count in self.faults.items():
            faults = series(catalogue.RECORD_INVALID_TIMESTAMPS, account=account, reason=reason)
            increments[faults] = count
        observations = {
            series(catalogue.RECORD_LATENCY, **flow, outcome=outcome): values
            for outcome, values in self.latencies.items()
        }
        observations[series(catalogue.RECORD_DETECTION_LAG, account=account)] = self.lags
        return increments, observations
