"""Open copies of a ledger and kill the process that does it, at each step in turn.

`python -m tests.ledger.golden.killed FILE FOLDER` makes FOLDER/1/ledger.db, FOLDER/2/ledger.db and
so on, each as the kill left it, and prints their paths, until a process ends before it is killed. A
step is an SQL statement, some work of SQLite inside of one, or a change of a file without SQLite.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from tests.ledger.golden.pair import Golden, opened

OPERATIONS = 900
"""Operations of SQLite's virtual machine between two steps."""


class Steps:
    """Counts the steps of this process, and kills it at the last one."""

    def __init__(self, last: int) -> None:
        self._left = last

    def take(self, *_: object) -> int:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def watch(self) -> None:
        """Let every statement on a new connection, and every change of a file, be a step."""
        steps = self

        class Watched(sqlite3.Connection):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **options)
                self.set_trace_callback(steps.take)
                self.set_progress_handler(steps.take, OPERATIONS)

            def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
                cursor = super().execute(statement, *arguments)
                if statement == "BEGIN EXCLUSIVE":
                    # A small cache makes SQLite write to the file before it commits.
                    super().execute("PRAGMA cache_size = 4")
                return cursor

        connect = sqlite3.connect

        def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
            return connect(*arguments, factory=Watched, **options)

        sqlite3.connect = watched
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "chmod"), (Path, "touch")):
            setattr(owner, name, self._around(getattr(owner, name)))

    def _around(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*arguments: Any, **options: Any) -> Any:
            self.take()
            answer = change(*arguments, **options)
            self.take()
            return answer

        return stepped


def main(source: Path, folder: Path) -> None:
    settings = Golden(1).settings
    for last in count(1):
        path = folder / str(last) / "ledger.db"
        path.parent.mkdir()
        shutil.copyfile(source, path)
        child = os.fork()
        if child == 0:
            # What the child says is no path.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            Steps(last).watch()
            with opened(path, settings):
                os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return
        if not os.WIFSIGNALED(status):
            sys.exit(1)
        print(path, flush=True)  # noqa: T201  # the reader works meanwhile


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
