"""The chunks in which rows are applied: one transaction each, with a turn of the event loop after.

A page of any size holds up a scrape for one chunk at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

CHUNK: Final = 200
"""The rows of one transaction."""

ChunkedT = TypeVar("ChunkedT")


def chunks(items: Sequence[ChunkedT]) -> Iterator[Sequence[ChunkedT]]:
    """Yield the items in chunks. After each, its user yields to the event loop."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
