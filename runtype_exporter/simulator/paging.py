"""Limits, offsets and cursors, as text in a query and as places in a list.

A cursor is opaque to the client. It anchors at an item, so that new items do not shift a walk,
unless offset cursors are asked for.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from .access import Refusal

Mode = Literal["item", "offset"]


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list to page over: its items in order, an item's id, and the item of an id (None: there is none)."""

    items: Sequence[T]
    ident: Callable[[T], str]
    find: Callable[[str], T | None]

    def position(self, id_: str) -> int | None:
        """Where the item with this id stands; None where it is not in the list."""
        item = self.find(id_)
        return self.items.index(item) if item is not None and item in self.items else None


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a list that a page shows, and the limit that it was asked for with."""

    start: int
    stop: int
    limit: int


def limit(query: Mapping[str, str], default: int, cap: int, *, strict: bool) -> int:
    """The page size that the answer uses.

    Capped, and the default where the text is no positive number.

    Raises:
        Refusal: 400, if strict and the text is no positive number.
    """
    text = query.get("limit")
    if text is None:
        return min(default, cap)
    if text.isascii() and text.isdigit() and int(text) > 0:
        return min(int(text), cap)
    if strict:
        raise Refusal(400, "Invalid limit", code="INVALID_RANGE")
    return min(default, cap)


def offset(query: Mapping[str, str]) -> int:
    """Where a page begins; 0 where the text is no number."""
    text = query.get("offset", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _cursor(kind: str, value: str | int) -> str:
    return urlsafe_b64encode(json.dumps([kind, value]).encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[str, str | int]:
    try:
        kind, value = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (Error, ValueError, TypeError) as error:
        raise Refusal(400, "Invalid cursor", code="INVALID_CURSOR") from error
    return kind, value


def place(listing: Listing[T], query: Mapping[str, str], size: int) -> Window:
    """Where the page that a query asks for begins.

    After its cursor, or before it with `direction=prev`.

    Raises:
        Refusal: 400 for a cursor that none of our answers held, or an unknown direction.
    """
    direction = query.get("direction", "next")
    if direction not in {"next", "prev"}:
        raise Refusal(400, "Invalid direction", code="INVALID_ENUM")
    if "cursor" not in query:
        return Window(0, size, size)
    kind, value = _decode(query["cursor"])
    if kind == "offset" and isinstance(value, int):
        at = value
    elif kind in {"after", "before"} and (position := listing.position(str(value))) is not None:
        at = position + (kind == "after")
    else:
        raise Refusal(400, "Invalid cursor", code="INVALID_CURSOR")
    if direction == "prev":
        return Window(max(at - size, 0), at, size)
    return Window(at, at + size, size)


def pagination(listing: Listing[T], window: Window, mode: Mode) -> dict[str, Any]:
    """The cursor scheme's page information."""
    items, ident = listing.items, listing.ident
    start, end = min(window.start, len(items)), min(window.stop, len(items))
    more, before = end < len(items), start > 0
    following = (
        _cursor("after", ident(items[end - 1]))
        if mode == "item" and end
        else _cursor("offset", end)
    )
    leading = (
        _cursor("before", ident(items[start]))
        if mode == "item" and start < len(items)
        else _cursor("offset", start)
    )
    return {
        "nextCursor": following if more else None,
        "prevCursor": leading if before else None,
        "hasMore": more,
        "hasPrev": before,
        "limit": window.limit,
        "currentOffset": start,
    }
