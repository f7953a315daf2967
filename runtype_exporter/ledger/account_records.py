"""The ledger's records of accounts that no page of results changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf, nextafter
from typing import Final

from runtype_exporter.clock import Clock
from runtype_exporter.ledger import names, rows
from runtype_exporter.ledger.database import Database
from runtype_exporter.model import Horizon, Learned, Run
from runtype_exporter.protocols import BudgetState

_NOTHING: Final = Learned()


class AccountRecords:
    """The horizons, knowledge, runs, labels and request budgets of all accounts."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        horizons: dict[str, Horizon],
        learned: dict[str, Learned],
        fixed_names: Iterable[names.Fixed],
    ) -> None:
        self._database = database
        self._clock = clock
        self._horizons = horizons
        self._learned = learned
        self._names = names.Names(fixed_names)

    def horizon(self, account: str) -> Horizon | None:
        """Return an account's horizon, None if it was never fixed."""
        return self._horizons.get(account)

    def fix_horizon(self, account: str, at: float) -> None:
        """Set an account's first horizon to a moment. Change nothing if it has one.

        `at` is in seconds since the Unix epoch.
        """
        if account not in self._horizons:
            self._set_horizon(account, Horizon(at, first_discovery_done=False))

    def mark_discovered(self, account: str) -> None:
        """Store that an account's first complete discovery has ended.

        Raises:
            KeyError: the account has no horizon yet.
        """
        stored = self._horizons[account]
        if not stored.first_discovery_done:
            self._set_horizon(account, replace(stored, first_discovery_done=True))

    def raise_horizon(self, account: str, at: float) -> None:
        """Raise an account's horizon to a moment. A lower moment changes nothing.

        `at` is in seconds since the Unix epoch.

        Raises:
            KeyError: the account has no horizon yet.
        """
        stored = self._horizons[account]
        if at > stored.at:
            self._set_horizon(account, replace(stored, at=at))

    def lower_horizon(self, account: str, at: float) -> None:
        """Lower an account's horizon to a moment. A higher moment changes nothing.

        It stays above the creation time of everything that was forgotten: that would be counted
        again. Where format 1 did not store that time, it is lowered to `at` all the same.

        Raises:
            KeyError: the account has no horizon yet.
        """
        stored = self._horizons[account]
        lowest = at if not stored.forgotten else max(at, nextafter(stored.forgotten, inf))
        if lowest < stored.at:
            self._set_horizon(account, replace(stored, at=lowest))

    def learned(self, account: str) -> Learned:
        """Return what an account has learned about the API, the defaults where it is nothing."""
        return self._learned.get(account, _NOTHING)

    def set_learned(self, account: str, learned: Learned) -> None:
        """Store what an account has learned. Write nothing where that is stored already."""
        if learned == self.learned(account):
            return
        with self._database.transaction() as connection:
            rows.write_learned(connection, account, learned)
        self._learned[account] = learned

    def runs(self, ids: Iterable[str]) -> dict[str, Run]:
        """Return the stored ones of these runs, by id, of any account."""
        with self._database.reading() as connection:
            return rows.runs(connection, ids)

    def runs_since(self, at: float) -> list[Run]:
        """Return all accounts' runs that were created at a moment or later, in that order."""
        with self._database.reading() as connection:
            return rows.runs_since(connection, at)

    def unfinished_runs(self, account: str) -> list[Run]:
        """Return an account's runs that have no outcome yet."""
        with self._database.reading() as connection:
            return rows.unfinished_runs(connection, account)

    def label(self, account: str, kind: names.NameKind, id_: str, name: str | None) -> str:
        """Return the label of a schedule or flow, fixed at its first use.

        It is the name, or the id if there is no name or another id has it. Another name later is a
        rename: the label becomes the new name, unless another id has it.
        """
        fixed = self._names.choose(account, kind, id_, name)
        if fixed.label != self._names.known(account, kind, id_):
            with self._database.transaction() as connection:
                names.write(connection, fixed)
            self._names.apply(fixed)
        return fixed.label

    def known_label(self, account: str, kind: names.NameKind, id_: str) -> str | None:
        """Return the label of a schedule or flow, None before its first use."""
        return self._names.known(account, kind, id_)

    def load_budget(self, account: str) -> BudgetState | None:
        """Return an account's request budget as last saved, None for an unknown account."""
        with self._database.reading() as connection:
            return rows.budget(connection, account)

    def labelled(self, account: str, kind: names.NameKind) -> list[str]:
        """Return the ids of an account's schedules or flows that have a label."""
        return self._names.ids(account, kind)

    def save_budget(self, account: str, state: BudgetState) -> None:
        """Store an account's request budget. It is on disk when this returns."""
        with self._database.transaction() as connection:
            rows.write_budget(connection, account, state)

    def _set_horizon(self, account: str, horizon: Horizon) -> None:
        with self._database.transaction() as connection:
            rows.write_horizon(connection, account, horizon)
        self._horizons[account] = horizon
