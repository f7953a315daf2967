"""What a fault looks at in a request to choose the requests that it hits."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit


def asked_items(target: str) -> int:
    """Return the limit of a request, or how many ids it names; 0 if it has neither."""
    query = parse_qs(urlsplit(target).query)
    if "ids" in query:
        return query["ids"][0].count(",") + 1
    limit = query.get("limit", ["0"])[0]
    return int(limit) if limit.isdecimal() else 0
