"""The ledger: what must survive a restart, so that each result is counted exactly once.

Every method that changes something is one transaction: on disk when it returns, and memory follows
only then. It must not know the API, nor when and why anything is polled or published.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import structlog

from runtype_exporter import catalogue
from runtype_exporter.clock import Clock
from runtype_exporter.ledger import (
    identities,
    load,
    names,
    rows,
    schedules,
    schema,
    series,
    series_expiry,
)
from runtype_exporter.ledger.counting import count_page, required
from runtype_exporter.ledger.database import Database
from runtype_exporter.ledger.retention import MAX_ROWS, RetentionRule, forget
from runtype_exporter.ledger.totals import Totals
from runtype_exporter.model import (
    Batch,
    BudgetState,
    Delta,
    Horizon,
    LabelValues,
    Result,
    Run,
    Schedule,
    Seen,
    Snapshot,
)
from runtype_exporter.objectives import Objectives
from runtype_exporter.protocols import ignore

_log = structlog.get_logger()


class Ledger:
    """One open ledger file. Not for use from several threads.

    Every method raises LedgerFailed where SQLite fails; then neither the file nor memory has
    changed.
    """

    def __init__(self, database: Database, clock: Clock, contents: load.Contents) -> None:
        """Use `open`."""
        self.path = database.path
        self.created = contents.created
        self._database = database
        self._clock = clock
        self._open = {batch.ref.id: (num, batch) for num, batch in contents.open.items()}
        self._horizons = contents.horizons
        self._names = names.Names(contents.names)
        self._totals = Totals(contents.series.samples, contents.boundaries, contents.series.changed)
        self._schedules = contents.schedules
        self._results = contents.results

    @classmethod
    def open(  # noqa: PLR0913  # all but the path are named
        cls,
        path: Path,
        *,
        clock: Clock,
        boundaries: Mapping[str, tuple[float, ...]],
        objectives: Objectives | None = None,
        on_commit: Callable[[float], None] = ignore,
        on_failure: Callable[[], None] = ignore,
    ) -> Ledger:
        """Open the ledger, creating it where there is none, and keep every other process out until it is closed.

        `boundaries` are the bounds of histograms by metric, in seconds; where one is left out, the
        catalogue's own. `objectives` judge what is counted, in the very transaction that counts it.
        `on_commit` hears how many seconds each transaction took, `on_failure` of each operation
        that failed.

        Raises:
            LedgerRefused: LedgerLocked, LedgerForeign, LedgerNewer, LedgerDamaged or
                LedgerUnusable; the file is as it was.
            LedgerFailed: the file is whole, but the disk failed.
        """
        connection = schema.connect(path, now=clock.now(), try_reading=load.check)
        database = Database(connection, path, on_commit, on_failure)
        try:
            with database.reading():
                contents = load.read(connection)
            if contents.series.retired:
                _log.warning(
                    "series of metrics of earlier versions stay in the ledger and are not shown",
                    series=sum(contents.series.retired.values()),
                    metrics=sorted(contents.series.retired),
                )
            ledger = cls(database, clock, contents)
            ledger.set_objectives(objectives or Objectives())
            ledger.set_boundaries({**catalogue.boundaries(), **boundaries})
        except BaseException:
            connection.close()
            raise
        return ledger

    def close(self) -> None:
        """Close the file and let others in.

        Closing twice does no harm; any other method fails afterwards.
        """
        self._database.close()

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        return schema.size(self.path)

    def check_files(self) -> bool:
        """Check that the file and its log are still those that were opened.

        Whether nothing has failed since the last commit.

        It costs some microseconds.

        Raises:
            LedgerReplaced: they are not. Nothing is written until they are back.
        """
        return self._database.check()

    def rows(self) -> int:
        """How many identities of results are held."""
        return self._results

    def horizon(self, account: str, *, lookback: float) -> Horizon:
        """An account's horizon. The first call for an account fixes it `lookback` seconds ago."""
        if account not in self._horizons:
            self._set_horizon(account, Horizon(self._clock.now() - lookback, opened=False))
        return self._horizons[account]

    def opened(self, account: str) -> None:
        """Remember that an account's first whole discovery ended.

        Raises:
            KeyError: the account has no horizon yet.
        """
        held = self._horizons[account]
        if not held.opened:
            self._set_horizon(account, replace(held, opened=True))

    def advance(self, account: str, at: float) -> None:
        """Raise an account's horizon; a lower moment changes nothing.

        Raises:
            KeyError: the account has no horizon yet.
        """
        held = self._horizons[account]
        if at > held.at:
            self._set_horizon(account, replace(held, at=at))

    def open_batches(self, account: str) -> list[Batch]:
        """An account's batches that are followed, in the order in which they were taken up."""
        return [batch for _, batch in self._open.values() if batch.ref.account == account]

    def lookup(self, ids: Iterable[str]) -> dict[str, Batch]:
        """Those batches that are held, open or closed, whichever account owns them."""
        wanted = set(ids)
        found = {id_: self._open[id_][1] for id_ in wanted & self._open.keys()}
        if closed := wanted - found.keys():
            with self._database.reading() as connection:
                found.update(rows.batches(connection, closed))
        return found

    def recently_closed(self, account: str, per_label: int) -> list[Batch]:
        """The newest `per_label` closed batches of each schedule label, oldest first.

        Those without labels left out.
        """
        with self._database.reading() as connection:
            return rows.recently_closed(connection, account, per_label)

    def costs_due(self, account: str) -> list[Batch]:
        """An account's batches whose cost is still to be had, the longest closed first."""
        with self._database.reading() as connection:
            return rows.costs_due(connection, account)

    def save(self, *batches: Batch) -> None:
        """Keep batches as they stand.

        Raises:
            ValueError: another account owns one of them; none is kept.
        """
        self.settle(Delta(), batches=batches)

    def drop(self, batch_id: str) -> None:
        """Let go of a batch of which no result is held. Should it come again, it is new."""
        with self._database.transaction() as connection:
            rows.delete_batch(connection, batch_id)
        self._open.pop(batch_id, None)

    def apply(
        self,
        batch: Batch,
        results: Sequence[Result],
        advance: Callable[[Seen], Batch],
        *,
        count: bool = True,
    ) -> Batch:
        """Take in one page of a batch's results, and the batch as `advance` makes it of what the page showed.

        Identities, increments and the batch are committed together: a crash at any moment neither
        loses nor repeats a result. With `count` false (a page that shows only some of the rows)
        nothing is counted yet, and a later whole page counts it.

        Raises:
            ValueError: the batch has no labels or is not being walked, or another account owns it.
        """
        required(batch)
        now = self._clock.now()
        with self._database.reading() as connection:
            held = self._open.get(batch.ref.id)
            number = rows.batch_number(connection, batch.ref.id) if held is None else held[0]
            page = identities.look_up(connection, number, results)
        delta, changes = count_page(batch, results, page, now, count=count)
        after = advance(delta.seen)
        planned = self._totals.plan(delta, now)
        with self._database.transaction() as connection:
            number = rows.write_batch(connection, after)
            identities.write(connection, number, changes)
            series.write(connection, planned, now)
        self._keep(number, after)
        self._totals.apply(planned, now)
        self._results += changes.added
        return after

    def settle(
        self,
        delta: Delta,
        *,
        batches: Sequence[Batch] = (),
        runs: Sequence[Run] = (),
        observed: Sequence[Schedule] = (),
    ) -> None:
        """Add a delta to the totals and keep these batches, runs and schedules, all or nothing.

        `delta.seen` is not looked at.

        Raises:
            ValueError: another account owns one of them, a series is none of the ledger's, or a
                counter would go down.
        """
        now = self._clock.now()
        planned = self._totals.plan(delta, now)
        with self._database.transaction() as connection:
            numbers = [rows.write_batch(connection, batch) for batch in batches]
            for run in runs:
                rows.write_run(connection, run)
            schedules.write(connection, observed)
            series.write(connection, planned, now)
        for number, batch in zip(numbers, batches, strict=True):
            self._keep(number, batch)
        self._schedules = schedules.merge(self._schedules, observed)
        self._totals.apply(planned, now)

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """Every schedule that is held, by id, whichever account owns it."""
        return self._schedules

    def runs(self, ids: Iterable[str]) -> dict[str, Run]:
        """Those runs that are held, whichever account owns them."""
        with self._database.reading() as connection:
            return rows.runs(connection, ids)

    def runs_since(self, at: float) -> list[Run]:
        """Every account's runs that were created at a moment or later, in that order.

        Those of unknown creation left out.
        """
        with self._database.reading() as connection:
            return rows.runs_since(connection, at)

    def unfinished_runs(self, account: str) -> list[Run]:
        """An account's runs that have no outcome yet."""
        with self._database.reading() as connection:
            return rows.unfinished_runs(connection, account)

    def label(self, account: str, kind: names.NameKind, id: str, name: str | None) -> str:  # noqa: A002  # the API's own word
        """The label of a schedule or flow, fixed at its first use.

        Its name, or its id without one or while another id has that name.

        Another name later is a rename: the label becomes the new name, unless another id has it.
        """
        fixed = self._names.choose(account, kind, id, name)
        if fixed.label != self._names.known(account, kind, id):
            with self._database.transaction() as connection:
                names.write(connection, fixed)
            self._names.adopt(fixed)
        return fixed.label

    def known_label(self, account: str, kind: names.NameKind, id: str) -> str | None:  # noqa: A002  # the API's own word
        """The label of a schedule or flow, None before its first use."""
        return self._names.known(account, kind, id)

    def forget(
        self,
        account: str,
        *,
        listed: Collection[str],
        retention: float,
        most: int = MAX_ROWS,
    ) -> int:
        """Delete what is no longer needed, after a discovery that read everything.

        Identities go `retention` seconds after their batch closed. A closed batch or ended run goes
        after as long, if it was created before the horizon or, where its creation is unknown, its
        id is not in `listed`. One call deletes `most` rows at most, so that nothing else waits
        long: until it returns 0 there may be more. Return how many rows were deleted.
        """
        horizon = self._horizons.get(account)
        before = -inf if horizon is None else horizon.at
        rule = RetentionRule(account, self._clock.now() - retention, before, listed)
        with self._database.transaction() as connection:
            gone = forget(connection, rule, most)
            known = None if horizon is None else horizon.forgotten
            if horizon is not None and known is not None and gone.newest > known:
                horizon = replace(horizon, forgotten=gone.newest)
                rows.write_horizon(connection, account, horizon)
        if horizon is not None:
            self._horizons[account] = horizon
        self._results -= gone.identities
        return gone.identities + gone.others

    def end_series(self, account: str, schedules: Collection[str], *, before: float) -> int:
        """End an account's series of schedules that are gone, as `series_expiry` has it, all or nothing; how many ended."""
        batches = self.open_batches(account)
        gone = series_expiry.gone(
            self._totals, self._names, account, batches=batches, schedules=schedules, before=before
        )
        if gone:
            with self._database.transaction() as connection:
                series.delete(connection, gone.series)
                names.delete(connection, gone.names)
            self._totals.end(gone.series)
            self._names.drop(gone.names)
        return len(gone.series)

    def has_series(self, metric: str, labels: LabelValues) -> bool:
        """Whether a durable series exists."""
        return (metric, labels) in self._totals

    def lines(self) -> int:
        """How many lines all durable series take in OpenMetrics, the longer of the two formats."""
        return self._totals.lines

    def load_budget(self, account: str) -> BudgetState | None:
        """An account's request budget as last saved, None for an account never seen."""
        with self._database.reading() as connection:
            return rows.budget(connection, account)

    def save_budget(self, account: str, state: BudgetState) -> None:
        """Keep an account's request budget, durably, before this returns."""
        with self._database.transaction() as connection:
            rows.write_budget(connection, account, state)

    def snapshot(self) -> Snapshot:
        """The durable series that changed since the last snapshot, the first time all of them."""
        return self._totals.snapshot()

    @property
    def objectives(self) -> Objectives:
        """The objectives that judge what is counted from now on."""
        return self._totals.objectives

    def set_objectives(self, objectives: Objectives) -> None:
        """Judge by these from now on. What was judged before stays as it is."""
        self._totals.objectives = objectives

    def set_boundaries(self, boundaries: Mapping[str, tuple[float, ...]]) -> None:
        """Use these bounds, by metric, in seconds.

        A histogram whose bounds differ starts again at zero, as created now.
        """
        if boundaries.items() <= self._totals.boundaries.items():
            return
        now = self._clock.now()
        planned = self._totals.restart(boundaries, now)
        with self._database.transaction() as connection:
            series.write_boundaries(connection, boundaries)
            series.write(connection, planned, now)
        self._totals.apply(planned, now, boundaries)

    def _keep(self, number: int, batch: Batch) -> None:
        if batch.closed is None:
            self._open[batch.ref.id] = (number, batch)
        else:
            self._open.pop(batch.ref.id, None)

    def _set_horizon(self, account: str, horizon: Horizon) -> None:
        with self._database.transaction() as connection:
            rows.write_horizon(connection, account, horizon)
        self._horizons[account] = horizon
