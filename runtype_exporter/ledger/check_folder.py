"""The folder for a copy of a ledger that is checked.

Each ledger has two fixed places for it, so a killed process leaves one copy at most, and the next
start removes it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_SUFFIXES = ("", "-wal", "-shm", "-journal")


class CheckFolder:
    """An empty folder that no other process uses, and no other user can read.

    Its lock ends with the process, so the next process knows that what a killed one left is stale.
    """

    def __init__(self, place: Path, path: Path) -> None:
        """Make the folder for a ledger, or take it over and delete the copy in it.

        Raises:
            BlockingIOError: another process uses it.
            OSError: it cannot be made, or something else has its place.
        """
        self.place = place
        self.copy = place / path.resolve().name
        with suppress(FileExistsError):
            place.mkdir(mode=0o700)
        self._descriptor = _lock(place)
        try:
            self._empty()
        except BaseException:
            os.close(self._descriptor)
            raise

    def remove(self) -> None:
        """Delete the copy and the folder, as far as it is possible."""
        try:
            with suppress(OSError):
                self._empty()
                self.place.rmdir()
        finally:
            # Last, so that no other process uses the folder while it is removed.
            os.close(self._descriptor)

    def _empty(self) -> None:
        # Only files of these names: the folder may be one of the user's.
        for suffix in _SUFFIXES:
            self.copy.with_name(self.copy.name + suffix).unlink(missing_ok=True)


def places(path: Path) -> Iterator[Path]:
    """Yield a ledger's places: next to it, and where the system has its temporary files."""
    real = path.resolve()
    yield real.with_name(f"{real.name}.check")
    # The system may have no folder for temporary files.
    with suppress(OSError):
        name = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
        yield Path(tempfile.gettempdir(), f"runtype-exporter-check-{name}")


def remove_stale(path: Path) -> None:
    """Remove what a killed process left, and keep what a running one uses."""
    for place in places(path):
        if os.path.lexists(place):
            with suppress(OSError):
                CheckFolder(place, path).remove()


def _lock(place: Path) -> int:
    """Lock a folder. Return its descriptor, which keeps the lock until it is closed.

    Raises:
        BlockingIOError: another process has it, or has just removed it.
        OSError: it is no folder of this user.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _claim(descriptor, place)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _claim(descriptor: int, place: Path) -> None:
    found = os.fstat(descriptor)
    # In the folder for temporary files, another user may have taken the name.
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with suppress(FileNotFoundError):
        if os.path.samestat(found, place.stat()):
            os.fchmod(descriptor, 0o700)
            return
    # The process that had the lock has removed the folder.
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
