"""Choose format and encoding by the Accept and Accept-Encoding headers (RFC 9110).

A client that accepts nothing that is offered gets the plain text, as from Prometheus's own
libraries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from runtype_exporter.metrics import Encoding, ExpositionFormat

CONTENT_TYPES: dict[ExpositionFormat, str] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

_QUALITY = re.compile(r"(?:0(?:\.\d*)?|1(?:\.0*)?|\.\d+)\Z")


class _Wish(NamedTuple):
    name: str
    version: str
    quality: float


def choose_format(accept: str) -> ExpositionFormat:
    """Return OpenMetrics if the client names it and prefers it or is indifferent.

    Wildcards get the text format.
    """
    openmetrics = text = 0.0
    closest = -1
    for wish in _wishes(accept):
        if wish.name == "application/openmetrics-text" and wish.version in ("", "1.0.0"):
            openmetrics = max(openmetrics, wish.quality)
        elif wish.name == "text/plain" and wish.version in ("", "0.0.4"):
            closest, text = max((closest, text), (3 if wish.version else 2, wish.quality))
        elif wish.name in ("text/*", "*/*"):
            closest, text = max((closest, text), (1 if wish.name == "text/*" else 0, wish.quality))
    return "openmetrics" if openmetrics > 0 and openmetrics >= text else "text"


def choose_encoding(accept_encoding: str) -> Encoding:
    """Return gzip if the client accepts it and does not prefer identity."""
    wishes: dict[str, float] = {}
    for wish in _wishes(accept_encoding):
        name = "gzip" if wish.name == "x-gzip" else wish.name
        wishes[name] = max(wishes.get(name, 0.0), wish.quality)
    gzip_quality = wishes.get("gzip", wishes.get("*", 0.0))
    return (
        "gzip" if gzip_quality > 0 and gzip_quality >= wishes.get("identity", 0.0) else "identity"
    )


def _wishes(header: str) -> Iterator[_Wish]:
    """Yield the elements of a header; elements without a valid quality are left out."""
    for element in header.split(","):
        name, *rest = (part.strip() for part in element.lower().split(";"))
        parameters = {
            key.strip(): value.strip() for key, _, value in (part.partition("=") for part in rest)
        }
        quality = parameters.get("q", "1")
        if name and _QUALITY.match(quality):
            yield _Wish(name, parameters.get("version", "").strip('"'), float(quality))
