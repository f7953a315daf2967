"""Pages, retries, restarts and crashes in any order give the totals of a simple model."""

import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runtype_exporter import catalogue
from runtype_exporter.ledger import Ledger, LedgerFailed
from runtype_exporter.ledger.states import COUNTED, REMEMBERED
from runtype_exporter.model import Batch, BatchRef, Delta, Labels, Probe, Result, SweepTally
from runtype_exporter.objectives import Objective, Objectives
from tests.support.counted import SWEEP

GUARD = 100.0
RETENTION = 50.0
THRESHOLD = 10.0
"""In seconds. Records begin 10 s before the guard: one that ends at it is just fast enough."""
OBJECTIVES = Objectives(
    [
        Objective(name="succeed", type="success"),
        Objective(name="fast", type="latency", threshold=THRESHOLD),
        Objective(name="fresh", type="freshness", max_delay=1.0),
    ]
)
VERDICTS = {"success": "good", "failure": "bad", "unknown": "bad"}
WORDS = {
    "running": None,
    "completed": "success",
    "succeeded": "success",
    "failed": "failure",
    "odd": "unknown",
}

batches = st.sampled_from(["b1", "b2"])
rows = st.builds(
    lambda key, record, status, finished: (
        None if key is None else f"{record}.{key}",
        record,
        status,
        finished,
    ),
    st.sampled_from([None, None, "k1", "k2"]),
    st.sampled_from(["r1", "r2", "r3"]),
    st.sampled_from(list(WORDS)),
    st.sampled_from([GUARD - 1, GUARD, GUARD + 1, None]),
)
pages = st.lists(rows, max_size=8)


@dataclass
class Model:
    """The counts that the rules require."""

    finished: Counter = field(default_factory=Counter)
    changes: Counter = field(default_factory=Counter)
    latencies: int = 0
    events: Counter = field(default_factory=Counter)
    # (batch, identity) -> [outcome or None, counted, its word].
    known: dict = field(default_factory=dict)
    # (batch, record) -> how and when its results without an id ended, by state: end, adopter.
    kept: dict = field(default_factory=dict)
    # The records whose results all have ids by now.
    spent: set = field(default_factory=set)
    # batch -> the identities that its sweep has read.
    swept: dict = field(default_factory=dict)
    words: dict = field(default_factory=lambda: dict(WORDS))

    def page(self, batch: Batch, page: list, *, count: bool) -> int:
        id_, distinct = batch.ref.id, 0
        swept = self.swept.setdefault(id_, set())
        rows = [
            (key, record, (self.words[word], word, end if self.words[word] else None))
            for key, record, word, end in sorted(page, key=lambda row: row[0] is None)
        ]
        with_id = {
            (record, shown[0], shown[2]): key for key, record, shown in rows if key and shown[0]
        }
        for key, record, shown in rows:
            if key:
                me, current = (id_, ("result", key)), True
                self.adopt(me, (id_, record), shown)
            else:
                me, current = self.without_id((id_, record), shown, with_id)
            waited = self.known.get(me, [0])[0] is None
            row = self.known.setdefault(me, [None, False, None])
            distinct += me[1] not in swept
            swept.add(me[1])
            if count and current and shown[0]:
                before = row[:2]
                self.final(batch, row, shown, waited=waited)
                if key is None and row[:2] != before:
                    self.kept.setdefault((id_, record), {})[tuple(row[:2])] = [shown[2], None]
        return distinct

    def without_id(self, record, shown, with_id):
        me = (record[0], ("record", record[1]))
        outcome, _, end = shown
        if record not in self.spent and self.known.get(me, [None])[0] is None:
            same = with_id.get((record[1], outcome, end))
            return ((record[0], ("result", same)), False) if same else (me, True)
        kept = sorted(self.kept.get(record, {}).items(), key=lambda one: code(*one[0]))
        same = [one for one in kept if (one[0][0], one[1][0]) == (outcome, end)]
        adopters = [
            adopter for _, (_, adopter) in same or (kept if record in self.spent else ()) if adopter
        ]
        if adopters:
            return (record[0], ("result", adopters[0])), False
        return me, not same or any(state == tuple(self.known[me][:2]) for state, _ in same)

    def adopt(self, me, record, shown) -> None:
        own, its = self.known.get(me), (record[0], ("record", record[1]))
        outcome, word, end = shown
        if its not in self.known or not (own is None or (own[0] is None and outcome)):
            return
        stored, swept = self.known[its], self.swept[me[0]]
        if stored[0] is None:
            if own is not None:
                return
            self.known[me] = self.known.pop(its)
        else:
            kept = sorted(self.kept[record].items(), key=lambda one: code(*one[0]))
            free = [(state, one) for state, one in kept if one[1] is None]
            fits = [
                (state, one)
                for state, one in free
                if one[0] == end
                and (state[0] == outcome or (state == tuple(stored[:2]) and stored[2] == word))
            ]
            if not fits:
                return
            state, one = fits[0]
            one[1] = me[1][1]
            self.known[me] = [*state, stored[2]]
            if len(free) == 1:
                del self.known[its]
                self.spent.add(record)
        if own is None and its[1] in swept:
            swept.add(me[1])
        if its not in self.known:
            swept.discard(its[1])

    def final(self, batch: Batch, row, shown, *, waited: bool) -> None:
        (before, counted, its_word), (outcome, word, end) = row, shown
        if before == outcome:
            row[2] = word
        elif its_word != word:
            old = batch.count_from is not None and (
                end < batch.count_from if end else not waited and batch.probes_at_last_sweep is None
            )
            row[:] = [outcome, counted or not old, word]
            if row[1]:
                self.finished[outcome] += 1
                self.events["succeed", VERDICTS[outcome]] += 1
                if outcome == "success" and end is not None:
                    self.events["fast", "good" if end <= GUARD else "bad"] += 1
                self.latencies += end is not None
                self.changes[before, outcome] += counted

    def forget(self, id_: str) -> None:
        self.known = {me: row for me, row in self.known.items() if me[0] != id_}
        self.kept = {record: kept for record, kept in self.kept.items() if record[0] != id_}
        self.spent = {record for record in self.spent if record[0] != id_}
        self.swept.pop(id_, None)


def code(outcome, counted) -> int:
    """Return the number of a state on disk, which decides an order."""
    return (COUNTED if counted else REMEMBERED)[outcome]


def new_batch(id_: str, *, guard: float | None) -> Batch:
    return Batch(
        ref=BatchRef("a", id_),
        first_seen=0.0,
        created=0.0,
        labels=Labels("s", "f"),
        count_from=guard,
        sweeps=1,
        sweep=SWEEP,
    )


def as_result(row, words) -> Result:
    key, record, word, end = row
    outcome = words[word]
    finished = end if outcome else None
    fault = "missing" if outcome and end is None else ""
    return Result(key, record, word, outcome, GUARD - 10, finished, fault)


class ExactlyOnce(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.copies = 0
        self.clock = SimpleNamespace(now=lambda: self.now)
        self.now = 1_000.0
        self.model = Model()
        self.ledger = self.open(self.folder / "ledger.db")
        self.ledger.fix_horizon("a", self.now)

    @initialize(guard=st.sampled_from([None, GUARD]))
    def start(self, guard) -> None:
        self.guard = guard
        self.batches = {id_: new_batch(id_, guard=guard) for id_ in ("b1", "b2")}

    def open(self, path: Path) -> Ledger:
        self.published: Counter = Counter()
        return Ledger.open(
            path, clock=self.clock, boundaries=catalogue.boundaries(), objectives=OBJECTIVES
        )

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)

    def apply(self, id_: str, page: list, *, count: bool = True) -> int:
        distinct = []

        def advance(tally: SweepTally) -> Batch:
            distinct.append(tally.distinct)
            return self.batches[id_]

        self.ledger.apply(
            self.batches[id_],
            [as_result(row, self.model.words) for row in page],
            advance,
            now=self.now,
            count=count,
        )
        return distinct[0]

    def copy(self, folder: Path) -> None:
        """Copy what a power cut at this moment would leave."""
        folder.mkdir()
        for suffix in ("", "-wal"):
            # Before the first commit there is no log.
            with suppress(FileNotFoundError):
                shutil.copy(f"{self.ledger.path}{suffix}", folder)

    def snapshot_folder(self) -> Path:
        self.copies += 1
        return self.folder / f"crash{self.copies}"

    @rule(id_=batches, page=pages)
    def show_a_page(self, id_, page) -> None:
        expected = self.model.page(self.batches[id_], page, count=True)
        assert self.apply(id_, page) == expected

    @rule(id_=batches, page=pages)
    def show_a_filtered_page(self, id_, page) -> None:
        expected = self.model.page(self.batches[id_], page, count=False)
        assert self.apply(id_, page, count=False) == expected

    @rule(id_=batches, complete=st.booleans())
    def start_another_sweep(self, id_, complete) -> None:
        batch = self.batches[id_]
        number = batch.sweeps + 1
        probes = (
            {"run": Probe("running", None, None, None)} if complete else batch.probes_at_last_sweep
        )
        self.batches[id_] = replace(
            batch,
            sweeps=number,
            sweep=replace(batch.sweep, number=number),
            probes_at_last_sweep=probes,
        )
        self.ledger.save(self.batches[id_])
        self.model.swept[id_] = set()

    @rule(
        abandoned=st.integers(0, 3), start=st.sampled_from(["on_time", "late", "missed", "failed"])
    )
    def commit_abandoned_records_and_starts(self, abandoned, start) -> None:
        increments = {
            ("runtype_records_abandoned_total", ("a", "s", "f")): abandoned,
            ("runtype_schedule_starts_total", ("a", "s", start)): 1,
        }
        self.ledger.commit(Delta(increments=increments))
        self.model.events["succeed", "bad"] += abandoned
        self.model.events["fresh", "good" if start == "on_time" else "bad"] += 1

    @rule(meaning=st.sampled_from([None, "failure", "unknown", "success"]))
    def give_a_word_another_meaning(self, meaning) -> None:
        self.model.words["odd"] = meaning

    @rule()
    def restart(self) -> None:
        path = self.ledger.path
        self.ledger.close()
        self.ledger = self.open(path)

    @rule()
    def crash_between_two_pages(self) -> None:
        self.copy(folder := self.snapshot_folder())
        self.ledger.close()
        self.ledger = self.open(folder / "ledger.db")

    @rule(id_=batches, page=pages, statement=st.integers(0, 12))
    def crash_while_a_page_is_written(self, id_, page, statement) -> None:
        folder, statements = self.snapshot_folder(), []

        def count_down(text: str) -> None:
            statements.append(text)
            if len(statements) == statement + 1:
                self.copy(folder)

        before = deepcopy(self.model)
        self.model.page(self.batches[id_], page, count=True)
        connection = self.ledger._database._connection
        connection.set_trace_callback(count_down)
        self.apply(id_, page)
        connection.set_trace_callback(None)
        if folder.exists():
            self.model = before
            self.ledger.close()
            self.ledger = self.open(folder / "ledger.db")

    @rule(
        id_=batches,
        page=pages.filter(bool),
        table=st.sampled_from(["batches", "results", "series"]),
    )
    def show_a_page_while_the_disk_fails(self, id_, page, table) -> None:
        connection = self.ledger._database._connection
        for event in ("INSERT", "UPDATE"):
            connection.execute(
                f"CREATE TEMP TRIGGER broken_{event} BEFORE {event} ON {table} BEGIN SELECT"
                " RAISE(ABORT, 'disk'); END"
            )
        before = deepcopy(self.model)
        expected = self.model.page(self.batches[id_], page, count=True)
        try:
            found = self.apply(id_, page)
        except LedgerFailed:
            self.model = before
        else:
            # Nothing of this page had to be written to that table.
            assert found == expected
        for event in ("INSERT", "UPDATE"):
            connection.execute(f"DROP TRIGGER broken_{event}")

    @precondition(lambda self: self.ledger.rows() > 0)
    @rule(id_=batches)
    def close_and_forget_a_batch(self, id_) -> None:
        self.ledger.save(replace(self.batches[id_], sweep=None, closed=self.now))
        self.now += RETENTION + 1
        self.ledger.forget("a", now=self.now, listed=[], retention=RETENTION)
        self.model.forget(id_)
        self.batches[id_] = replace(new_batch(id_, guard=self.guard), probes_at_last_sweep=None)

    @invariant()
    def the_totals_are_the_models(self) -> None:
        for metric, family in self.ledger.snapshot().families.items():
            for labels, sample in family.items():
                self.published[metric, labels] = sample
        finished = {
            labels[-1]: sample.value
            for (name, labels), sample in self.published.items()
            if name == "runtype_records_finished_total"
        }
        changes = {
            labels[-2:]: sample.value
            for (name, labels), sample in self.published.items()
            if name == "runtype_record_outcome_changes_total"
        }
        events = {
            (labels[0], labels[-1]): sample.value
            for (name, labels), sample in self.published.items()
            if name == "runtype_slo_events_total"
        }
        latencies = sum(
            sum(sample.value.counts)
            for (name, _), sample in self.published.items()
            if name == "runtype_record_latency_seconds"
        )
        assert Counter(finished) == self.model.finished
        assert Counter(changes) == self.model.changes
        assert latencies == self.model.latencies
        assert Counter(events) == self.model.events
        assert self.ledger.rows() == len(self.model.known) + len(self.model.spent)


ExactlyOnce.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestExactlyOnce = ExactlyOnce.TestCase
