"""One connection and its transactions.

All or nothing, timed, and every SQLite error turned into LedgerFailed.

It must not know which statements run inside.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runtype_exporter.ledger.errors import LedgerFailed, LedgerReplaced
from runtype_exporter.ledger.files import Files


class Database:
    """The open file.

    `on_commit` hears how many seconds each committed transaction took, `on_failure` of each failed
    operation.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        on_commit: Callable[[float], None],
        on_failure: Callable[[], None],
    ) -> None:
        self.path = path
        self._connection = connection
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._files = Files(path)
        self._works = True

    def check(self) -> bool:
        """Check that the files are in place; whether nothing has failed since the last commit.

        Raises:
            LedgerReplaced: they are no longer those that were opened.
        """
        self._files.check()
        return self._works

    def close(self) -> None:
        """Close the file and give up its lock. Closing twice does no harm."""
        with self.reading():
            self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements that change nothing.

        Raises:
            LedgerFailed: SQLite reported an error.
        """
        try:
            yield self._connection
        except sqlite3.Error as error:
            self._fail()
            raise LedgerFailed(self.path, error) from None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection inside one transaction.

        Committed and on disk when the block has ended, undone if anything is raised.

        Raises:
            LedgerFailed: SQLite reported an error; nothing was changed.
            LedgerReplaced: the files are no longer those that were opened; what is written into
                them would be lost.
        """
        began = time.perf_counter()
        self._expect_files()
        with self.reading() as connection:
            if connection.in_transaction:  # an earlier failure could not even be undone
                connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                self._expect_files()  # again, for what happened while the statements ran
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite undoes it itself after some errors
                    connection.execute("ROLLBACK")
                raise
        self._works = True
        self._on_commit(time.perf_counter() - began)

    def _expect_files(self) -> None:
        try:
            self._files.check()
        except LedgerReplaced:
            self._fail()
            raise

    def _fail(self) -> None:
        self._works = False
        self._on_failure()
