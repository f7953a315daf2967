"""What does this page add?

Pure: the rows of a page and what is remembered of them go in, increments and memories come out.

This is where "each record result is counted exactly once" is decided. It must not know how anything
is stored or when it is committed.

What a page may show, and what becomes of it:

* a result never met that is final: counted, unless it ended before the batch's `guard`: then it is
  remembered only;
* unfinished: remembered, and counted once it is final;
* counted and unchanged, or unfinished again: nothing;
* counted, now with another outcome: counted again under that one, and as a change. With the very
  status word that it had, only the meaning of the word changed, and nothing is counted;
* without an id of its own: goes by its record's id until the record gets a result id. The first
  such id adopts what is remembered. Pages that still show the record without an id then speak of
  the adopter, and count nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runtype_exporter import catalogue
from runtype_exporter.ledger.identities import Changes, Held, Page
from runtype_exporter.model import (
    Batch,
    Delta,
    Labels,
    Observation,
    Outcome,
    Result,
    Seen,
    Series,
    Sweep,
)

UNFINISHED = 0
"""A result's state: not counted yet. 1 to 4: counted, with that outcome."""
REMEMBERED = 4
"""Added to an outcome's state: final before the guard, never counted."""
ADOPTED = 9
"""The state of a record's identity that a result id took over."""

_OUTCOMES: tuple[Outcome, ...] = ("success", "failure", "cancelled", "unknown")
_CODES: Mapping[Outcome, int] = {outcome: code for code, outcome in enumerate(_OUTCOMES, 1)}
_STRANGER: Held = (UNFINISHED, 0, -1, None)


class _Words(dict[str, int]):
    """Status words as small numbers.

    Enough to tell whether a result still has the word that it had.
    """

    def __missing__(self, word: str) -> int:
        number = self[word] = zlib.crc32(word.encode("utf-8", "surrogatepass")) & 0x7FFFFF
        return number


def required(batch: Batch) -> tuple[Labels, Sweep]:
    """The batch's labels and its walk, without which nothing can be counted.

    Raises:
        ValueError: one of them is not set.
    """
    if batch.labels is None or batch.sweep is None:
        raise ValueError(
            "a page can be applied only to a batch that has labels and is being walked"
        )
    return batch.labels, batch.sweep


def count_page(
    batch: Batch, results: Sequence[Result], page: Page, now: float, *, count: bool = True
) -> tuple[Delta, Changes]:
    """What a page's results add to the totals, to the walk (`Delta.seen`) and to what is remembered.

    With `count` false nothing is counted, and what was never counted stays to be counted later.

    Raises:
        ValueError: the batch has no labels or no walk.
    """
    labels, sweep = required(batch)
    memory = _Memory(page)
    rows, written, number = memory.rows, memory.written, sweep.number
    tally = _Tally(batch, now)
    words = _Words()
    unfinished = 0
    statuses: dict[str, int] = {}
    oldest_unfinished: float | None = None
    for result, identity in zip(results, page.ids, strict=True):
        id_, held, known, speaks = memory.find(identity, result)
        state, word, walk, _ = held
        outcome = result.outcome
        if walk != number:
            statuses[result.status] = statuses.get(result.status, 0) + 1
            if outcome is None:
                unfinished += 1
                created = result.created
                if created is not None and (
                    oldest_unfinished is None or created < oldest_unfinished
                ):
                    oldest_unfinished = created
        if count and speaks and outcome is not None:
            shown = words[result.status]
            if state == _CODES[outcome]:
                word = shown
            elif state == UNFINISHED or word != shown:
                state, word = tally.judge(result, state, known=known), shown
        row = (state, word, number, None)
        if row != held:
            rows[id_] = written[id_] = row
    last_finished = max(
        (row.finished for row in results if row.outcome and row.finished is not None), default=None
    )
    seen = Seen(sum(statuses.values()), unfinished, statuses, last_finished, oldest_unfinished)
    increments, observations = tally.totals(labels) if results and count else ({}, {})
    return Delta(seen, increments, observations), memory.changes()


class _Memory:
    """What is remembered of a page's identities, as the page changes it row by row."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.rows = dict(page.held)
        self.written: dict[bytes, Held] = {}
        self._deleted: set[bytes] = set()

    def find(self, id_: bytes, result: Result) -> tuple[bytes, Held, bool, bool]:
        """Where a row is remembered, as what, whether it was known before, and whether it speaks for itself (or is stale)."""
        held = self.rows.get(id_)
        if held is None:
            held = (
                None
                if result.key is None
                else self._adopt(id_, self._page.records.get(result.record_key))
            )
            return id_, held or _STRANGER, held is not None, True
        adopter = held[3]
        if adopter is None:
            return id_, held, True, True
        return adopter, self.rows[adopter], True, False

    def changes(self) -> Changes:
        """What is to be written and deleted."""
        held = self._page.held
        deleted = frozenset(self._deleted - self.written.keys())
        return Changes(
            self.written, deleted, sum(id_ not in held for id_ in self.written) - len(deleted)
        )

    def _adopt(self, id_: bytes, record: bytes | None) -> Held | None:
        """What a new result id takes over from its record's identity, None if there is nothing (left) to take over."""
        if record is None or (held := self.rows.get(record)) is None or held[0] == ADOPTED:
            return None
        if held[0] == UNFINISHED:
            del self.rows[record]
            self.written.pop(record, None)
            if record in self._page.held:
                self._deleted.add(record)
        else:
            self.rows[record] = self.written[record] = (ADOPTED, 0, 0, id_)
        self.rows[id_] = self.written[id_] = held
        return held


@dataclass(slots=True)
class _Tally:
    """What one page counts, before it becomes a Delta."""

    batch: Batch
    now: float
    counted: dict[Outcome, int] = field(default_factory=dict)
    changed: dict[tuple[Outcome, Outcome], int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    latencies: dict[Outcome, list[Observation]] = field(
        default_factory=lambda: {"success": [], "failure": []}
    )
    lags: list[Observation] = field(default_factory=list)

    def judge(self, result: Result, state: int, *, known: bool) -> int:
        """Count a final result whose outcome is not the one counted, or find that it must not be.

        The result's new state.
        """
        outcome: Outcome = result.outcome  # type: ignore[assignment]  # the caller asks about final results alone
        code = _CODES[outcome]
        if UNFINISHED < state <= REMEMBERED:
            change = (_OUTCOMES[state - 1], outcome)
            self.changed[change] = self.changed.get(change, 0) + 1
        elif not self._counts(result, state, code, known=known):
            return REMEMBERED + code
        self._count(result, outcome)
        return code

    def _counts(self, result: Result, state: int, code: int, *, known: bool) -> bool:
        """Whether a result that was never counted is to be counted now."""
        guard, finished = self.batch.guard, result.finished
        if state == REMEMBERED + code:
            return False
        if guard is None:
            return True
        if finished is not None:
            return finished >= guard
        return (known and state == UNFINISHED) or self.batch.swept is not None

    def _count(self, result: Result, outcome: Outcome) -> None:
        self.counted[outcome] = self.counted.get(outcome, 0) + 1
        _, record, _, _, created, finished, fault = result
        if finished is not None and fault != "unparseable":
            self.lags.append(Observation(max(0.0, self.now - finished), self.now))
        if fault or created is None or finished is None:
            reason = fault or "missing"
            self.faults[reason] = self.faults.get(reason, 0) + 1
            return
        observation = Observation(finished - created, self.now, self.batch.ref.id, record)
        self.latencies.setdefault(outcome, []).append(observation)

    def totals(self, labels: Labels) -> tuple[dict[Series, float], dict[Series, list[Observation]]]:
        """Increments and observations.

        Success and failure start at 0, so that a rate over them has no gap at the first count.
        """
        account = self.batch.ref.account
        flow = (account, *labels)
        increments: dict[Series, float] = {(catalogue.RECORDS_ABANDONED.name, flow): 0}
        for outcome, count in ({"success": 0, "failure": 0} | self.counted).items():
            increments[catalogue.RECORDS_FINISHED.name, (*flow, outcome)] = count
        for change, count in self.changed.items():
            increments[catalogue.RECORD_OUTCOME_CHANGES.name, (*flow, *change)] = count
        for reason, count in self.faults.items():
            increments[catalogue.RECORD_INVALID_TIMESTAMPS.name, (account, reason)] = count
        observations: dict[Series, list[Observation]] = {
            (catalogue.RECORD_LATENCY.name, (*flow, outcome)): values
            for outcome, values in self.latencies.items()
        }
        observations[catalogue.RECORD_DETECTION_LAG.name, (account,)] = self.lags
        return increments, observations
