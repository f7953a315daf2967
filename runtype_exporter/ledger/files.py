"""The ledger's files on disk: where SQLite puts them, and how large they are.

It must not know what is in them, and never opens one: POSIX drops a process's locks on a file when
it closes any descriptor of it.
"""

from __future__ import annotations

from pathlib import Path

from runtype_exporter.ledger.errors import LedgerUnusable


def companion(path: Path, suffix: str) -> Path:
    """Name the file that SQLite keeps for this one.

    Its log (-wal), its index of the log (-shm) or its journal (-journal).
    """
    real = path.resolve()  # SQLite puts its files next to what a link leads to
    return real.with_name(real.name + suffix)


def file_size(path: Path) -> int:
    """Return a file's bytes, 0 where there is none.

    Raises:
        LedgerUnusable: the disk does not say.
    """
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise LedgerUnusable(path, error.strerror or type(error).__name__) from None
