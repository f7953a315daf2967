"""One connection and its transactions.

A transaction is all or nothing, and its duration is measured. Every SQLite error becomes
LedgerFailed.
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

    `on_commit` is called with the seconds that each committed transaction took, `on_failure` after
    each operation that failed.
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
        """Check that the files are in place. Return whether nothing failed since the last commit.

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
        """Yield the connection, for statements that change nothing.

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
        """Yield the connection inside one transaction.

        The transaction is on disk when the block has ended. It is undone if anything is raised.

        Raises:
            LedgerFailed: SQLite reported an error; nothing was changed.
            LedgerReplaced: the files are no longer those that were opened; what is written into
                them would be lost.
        """
        began = time.perf_counter()
        self._expect_files()
        with self.reading() as connection:
            # An earlier failure could not even be undone.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                # Again, for what happened while the statements ran.
                self._expect_files()
                connection.execute("COMMIT")
            except BaseException:
                # After some errors SQLite has undone the transaction by itself.
                if connection.in_transaction:
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
