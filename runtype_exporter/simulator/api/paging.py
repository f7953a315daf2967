"""Limits, offsets and cursors: how a query becomes a part of a list.

A cursor is opaque to the client. It names an item, so that new items do not shift the pages; with
offset cursors (an option of the world) they do.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from runtype_exporter.simulator.api.auth import Refusal

CursorMode = Literal["item", "offset"]
ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Listing(Generic[ItemT]):
    """A list to page over: its items in order, and two functions between items and ids.

    `ident` returns the id of an item, `find` the item of an id, or None for an unknown id.
    """

    items: Sequence[ItemT]
    ident: Callable[[ItemT], str]
    find: Callable[[str], ItemT | None]

    def position(self, id_: str) -> int | None:
        """Return the index of the item with this id, or None if it is not in the list."""
        item = self.find(id_)
        return self.items.index(item) if item is not None and item in self.items else None


@dataclass(frozen=True, slots=True)
class PageWindow:
    """The part of a list that a page shows, and the limit of the request."""

    start: int
    stop: int
    limit: int


def limit(query: Mapping[str, str], default: int, cap: int, *, strict: bool) -> int:
    """Return the page size that the answer uses, at most `cap`.

    It is the default if the query has no limit, or, unless `strict`, no positive number.

    Raises:
        Refusal: 400, if `strict` and the limit is no positive number.
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
    """Return where a page begins; 0 if the query's offset is no number."""
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


def page_window(listing: Listing[ItemT], query: Mapping[str, str], size: int) -> PageWindow:
    """Return the part of the list after a query's cursor, or before it with `direction=prev`.

    Raises:
        Refusal: 400 for an invalid cursor or an unknown direction.
    """
    direction = query.get("direction", "next")
    if direction not in {"next", "prev"}:
        raise Refusal(400, "Invalid direction", code="INVALID_ENUM")
    if "cursor" not in query:
        return PageWindow(0, size, size)
    kind, value = _decode(query["cursor"])
    if kind == "offset" and isinstance(value, int):
        at = value
    elif kind in {"after", "before"} and (position := listing.position(str(value))) is not None:
        at = position + (kind == "after")
    else:
        raise Refusal(400, "Invalid cursor", code="INVALID_CURSOR")
    if direction == "prev":
        return PageWindow(max(at - size, 0), at, size)
    return PageWindow(at, at + size, size)


def pagination(listing: Listing[ItemT], window: PageWindow, mode: CursorMode) -> dict[str, Any]:
    """Return the page information of a cursor list."""
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
