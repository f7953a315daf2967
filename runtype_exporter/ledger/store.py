"""The ledger: all that must survive a restart, so that each result is counted exactly once.

Every method that changes something is one transaction. The change is on disk when the method
returns, and memory changes only after that.
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
from runtype_exporter.ledger.account_records import AccountRecords
from runtype_exporter.ledger.counting import count_page, required
from runtype_exporter.ledger.database import Database
from runtype_exporter.ledger.retention import MAX_ROWS, RetentionRule, forget
from runtype_exporter.ledger.totals import Totals
from runtype_exporter.model import (
    Batch,
    Delta,
    Result,
    Run,
    Schedule,
    Series,
    Snapshot,
    SweepTally,
)
from runtype_exporter.objectives import Objectives
from runtype_exporter.protocols import ignore

_log = structlog.get_logger()


BatchChange = Callable[[Batch], Batch | tuple[Batch, Delta]]
"""A function that changes one batch. It may also return what is added to the totals.

It must not read or write the ledger.
"""


class Ledger(AccountRecords):
    """One open ledger file. Not for use from several threads.

    Every method raises LedgerFailed where SQLite fails; then neither the file nor memory changed.
    Several parts of polling write the same batch. A batch that was looked up before an await may
    have changed after it: use `update`, or look it up again.
    """

    def __init__(self, database: Database, clock: Clock, contents: load.Contents) -> None:
        """Use what `open` has read."""
        super().__init__(database, clock, contents.horizons, contents.learned, contents.names)
        self.path = database.path
        self.created = contents.created
        self._open = {batch.ref.id: (num, batch) for num, batch in contents.open.items()}
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
        """Open the ledger, or create it, and keep other processes out until it is closed.

        `boundaries` are the bounds of histograms by metric, in seconds. Other histograms have the
        bounds of the catalogue. `objectives` judge what is counted, in the same transaction.
        `on_commit` is called with the seconds that each transaction took, `on_failure` after each
        operation that failed.

        Raises:
            LedgerRefused: LedgerLocked, LedgerForeign, LedgerNewer, LedgerDamaged or
                LedgerUnusable. The file was not changed.
            LedgerFailed: the file is whole, but the disk failed.
        """
        connection = schema.connect(path, now=clock.now(), try_reading=load.check)
        database = Database(connection, path, on_commit, on_failure)
        try:
            with database.reading():
                contents = load.read(connection)
            if retired := contents.series.retired:
                _log.warning(
                    "series of metrics of earlier versions stay in the ledger and are not shown",
                    series=sum(retired.values()),
                    metrics=sorted(retired),
                )
            ledger = cls(database, clock, contents)
            ledger.set_objectives(objectives or Objectives())
            ledger.set_boundaries({**catalogue.boundaries(), **boundaries})
        except BaseException:
            connection.close()
            raise
        return ledger

    def close(self) -> None:
        """Close the file and give up its lock. Closing twice is allowed."""
        self._database.close()

    def size(self) -> int:
        """Return the size on disk in bytes, with that of the write-ahead log."""
        return schema.size(self.path)

    def check_files(self) -> bool:
        """Check that the file and its log are still those that were opened.

        Return whether nothing has failed since the last commit. This takes some microseconds.

        Raises:
            LedgerReplaced: they are not. Nothing is written until they are back.
        """
        return self._database.check()

    def rows(self) -> int:
        """Return the number of stored identities of results."""
        return self._results

    def open_batches(self, account: str) -> list[Batch]:
        """Return an account's batches that are not closed, in the order of their addition."""
        return [batch for _, batch in self._open.values() if batch.ref.account == account]

    def batches(self, ids: Iterable[str]) -> dict[str, Batch]:
        """Return the stored ones of these batches, by id, open or closed, of any account."""
        wanted = set(ids)
        found = {id_: self._open[id_][1] for id_ in wanted & self._open.keys()}
        if closed := wanted - found.keys():
            with self._database.reading() as connection:
                found.update(rows.batches(connection, closed))
        return found

    def recently_closed(self, account: str, per_label: int) -> list[Batch]:
        """Return the newest `per_label` closed batches of each schedule label, oldest first."""
        with self._database.reading() as connection:
            return rows.recently_closed(connection, account, per_label)

    def costs_due(self, account: str) -> list[Batch]:
        """Return an account's batches whose cost is still to be read, the longest closed first."""
        with self._database.reading() as connection:
            return rows.costs_due(connection, account)

    def given_up_batches(self, account: str) -> list[Batch]:
        """Return an account's batches that were given up, the longest closed first."""
        with self._database.reading() as connection:
            return rows.given_up_batches(connection, account)

    def update(self, batch_id: str, change: BatchChange) -> Batch | None:
        """Change a batch as it is stored now. Return it after the change, None if it is not stored.

        `change` returns the batch, or the batch and what is added to the totals with it. Where it
        changes nothing, nothing is written.
        """
        before = self.batches((batch_id,)).get(batch_id)
        if before is None:
            return None
        changed = change(before)
        after, delta = changed if isinstance(changed, tuple) else (changed, Delta())
        if after != before:
            self.commit(delta, batches=(after,))
        return after

    def save(self, *batches: Batch) -> None:
        """Store batches as they are.

        Raises:
            ValueError: another account owns one of them; none is stored.
        """
        self.commit(Delta(), batches=batches)

    def drop(self, batch_id: str) -> None:
        """Delete a batch without stored results. If it is listed again, it is new."""
        with self._database.transaction() as connection:
            rows.delete_batch(connection, batch_id)
        self._open.pop(batch_id, None)

    def apply(
        self,
        batch: Batch,
        results: Sequence[Result],
        advance: Callable[[SweepTally], Batch],
        *,
        now: float,
        count: bool = True,
    ) -> Batch:
        """Count one page of a batch's results, and store what `advance` makes of its tally.

        Identities, increments and the batch are committed together: a crash at any moment neither
        loses nor repeats a result. `now` is API time, for the lag of detection. With `count` false
        (a page that shows only some of the rows) a later complete page counts what it shows.

        Raises:
            ValueError: the batch has no labels or no sweep, or another account owns it.
        """
        required(batch)
        wall = self._clock.now()
        with self._database.reading() as connection:
            stored = self._open.get(batch.ref.id)
            number = rows.batch_number(connection, batch.ref.id) if stored is None else stored[0]
            page = identities.look_up(connection, number, results)
        delta, changes = count_page(batch, results, page, now=now, wall=wall, count=count)
        after = advance(delta.tally)
        planned = self._totals.plan(delta, wall)
        with self._database.transaction() as connection:
            number = rows.write_batch(connection, after)
            identities.write(connection, number, changes)
            series.write(connection, planned, wall)
        self._keep(number, after)
        self._totals.apply(planned, wall)
        self._results += changes.added
        return after

    def commit(
        self,
        delta: Delta,
        *,
        batches: Sequence[Batch] = (),
        runs: Sequence[Run] = (),
        observed: Sequence[Schedule] = (),
    ) -> None:
        """Add a delta to the totals and store these batches, runs and schedules, all or nothing.

        `delta.tally` is not used.

        Raises:
            ValueError: another account owns one of them, a series does not belong to the ledger,
                or a counter would go down.
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
        """Every stored schedule, by id, of any account."""
        return self._schedules

    def forget(
        self,
        account: str,
        *,
        now: float,
        listed: Collection[str],
        retention: float,
        most: int = MAX_ROWS,
    ) -> int:
        """Delete what is no longer needed, after a complete discovery.

        `now` is API time, `listed` are the ids of all batches and runs that the discovery showed.
        Identities are deleted `retention` seconds after their batch closed, a closed batch or ended
        run after as many seconds if it is neither listed nor created after the horizon. One call
        deletes `most` rows at most. Return their number; until it is 0 there may be more.
        """
        horizon = self._horizons.get(account)
        before = -inf if horizon is None else horizon.at
        rule = RetentionRule(account, now - retention, before, listed)
        with self._database.transaction() as connection:
            deleted = forget(connection, rule, most)
            known = None if horizon is None else horizon.forgotten
            if horizon is not None and known is not None and deleted.newest > known:
                horizon = replace(horizon, forgotten=deleted.newest)
                rows.write_horizon(connection, account, horizon)
        if horizon is not None:
            self._horizons[account] = horizon
        self._results -= deleted.identities
        return deleted.identities + deleted.others

    def end_series(self, account: str, schedules: Collection[str], *, before: float) -> int:
        """End an account's series of schedules that no longer exist, all or nothing.

        `series_expiry.gone` decides which. Return the number of ended series.
        """
        batches = self.open_batches(account)
        ended = series_expiry.gone(
            self._totals, self._names, account, batches=batches, schedules=schedules, before=before
        )
        if ended:
            with self._database.transaction() as connection:
                series.delete(connection, ended.series)
                names.delete(connection, ended.names)
            self._totals.end(ended.series)
            self._names.drop(ended.names)
        return len(ended.series)

    def has_series(self, wanted: Series) -> bool:
        """Return whether a durable series exists."""
        return wanted in self._totals

    def lines(self) -> int:
        """Return the number of lines of all durable series in OpenMetrics, the longer format."""
        return self._totals.lines

    def snapshot(self) -> Snapshot:
        """Return the durable series that changed since the last snapshot; the first time all."""
        return self._totals.snapshot()

    @property
    def objectives(self) -> Objectives:
        """The objectives that judge what is counted from now on."""
        return self._totals.objectives

    def set_objectives(self, objectives: Objectives) -> None:
        """Use these objectives from now on. What was judged before stays as it is."""
        self._totals.objectives = objectives

    def set_boundaries(self, boundaries: Mapping[str, tuple[float, ...]]) -> None:
        """Use these bounds, by metric, in seconds. Histograms with other ones start again."""
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
