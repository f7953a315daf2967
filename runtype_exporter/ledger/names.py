"""The labels of schedules and flows.

A label is fixed at its first use, so that a series keeps its labels. Only a rename changes it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple

NameKind = Literal["schedule", "flow"]


class Fixed(NamedTuple):
    """The label of one id."""

    account: str
    kind: str
    id: str
    label: str


class Names:
    """All fixed labels, in memory."""

    def __init__(self, fixed: Iterable[Fixed]) -> None:
        self._labels: dict[tuple[str, str, str], str] = {}
        self._holders: dict[tuple[str, str, str], str] = {}
        for name in fixed:
            self.apply(name)

    def known(self, account: str, kind: NameKind, id_: str) -> str | None:
        """Return an id's label, None before its first use."""
        return self._labels.get((account, kind, id_))

    def ids(self, account: str, kind: NameKind) -> list[str]:
        """Return the ids of an account that have a label."""
        return [id_ for owner, what, id_ in self._labels if owner == account and what == kind]

    def choose(self, account: str, kind: NameKind, id_: str, name: str | None) -> Fixed:
        """Return the label that an id should have from now on. Change nothing.

        It is the name, if there is one and no other id has it. Else it is the label that the id has
        or, before its first use, the id itself.
        """
        label = self.known(account, kind, id_) or id_
        if name and self._free(account, kind, id_, name):
            label = name
        return Fixed(account, kind, id_, label)

    def apply(self, fixed: Fixed) -> None:
        """Set the label of an id. The label that the id had before is free again."""
        account, kind, id_, label = fixed
        before = self._labels.get((account, kind, id_))
        if before is not None and self._holders.get((account, kind, before)) == id_:
            del self._holders[account, kind, before]
        self._labels[account, kind, id_] = label
        self._holders.setdefault((account, kind, label), id_)

    def unused(
        self, account: str, kind: NameKind, *, labels: Collection[str], ids: Collection[str]
    ) -> list[Fixed]:
        """Return an account's labels that are not in `labels`, of ids that are not in `ids`.

        Change nothing: `drop` removes them.
        """
        return [
            Fixed(account, kind, id_, label)
            for (owner, what, id_), label in self._labels.items()
            if owner == account and what == kind and label not in labels and id_ not in ids
        ]

    def drop(self, unused: Iterable[Fixed]) -> None:
        """Remove ids and their labels."""
        for account, kind, id_, label in unused:
            del self._labels[account, kind, id_]
            if self._holders.get((account, kind, label)) == id_:
                del self._holders[account, kind, label]

    def _free(self, account: str, kind: NameKind, id_: str, name: str) -> bool:
        return self._holders.get((account, kind, name), id_) == id_ and (
            name == id_ or self.known(account, kind, name) is None
        )


def read(connection: sqlite3.Connection) -> list[Fixed]:
    """Return every stored label."""
    return [Fixed(*row) for row in connection.execute("SELECT account, kind, id, label FROM names")]


def write(connection: sqlite3.Connection, fixed: Fixed) -> None:
    """Insert or update a label."""
    connection.execute(
        "INSERT OR REPLACE INTO names (account, kind, id, label) VALUES (?, ?, ?, ?)", fixed
    )


def delete(connection: sqlite3.Connection, unused: Iterable[Fixed]) -> None:
    """Delete labels."""
    connection.executemany(
        "DELETE FROM names WHERE account = ? AND kind = ? AND id = ?",
        [fixed[:3] for fixed in unused],
    )
