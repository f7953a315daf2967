"""Check the base URL of an API."""

from __future__ import annotations

import ipaddress
from enum import Enum, auto
from typing import Final

import httpx

DEFAULT_BASE_URL: Final = "https://api.runtype.com"
"""Runtype's API (documented)."""


class UrlFault(Enum):
    """Reasons why a text cannot be a base URL."""

    NOT_A_URL = auto()
    CREDENTIALS = auto()
    NOT_A_BASE = auto()
    """It has no host, or has a query or a fragment."""
    CLEAR_TEXT = auto()
    """It would send the API key unencrypted to another machine."""


def base_url_fault(text: str) -> UrlFault | None:
    """Return the reason why `text` cannot be a base URL, None if it can."""
    try:
        url = httpx.URL(text)
        # Resolving the name encodes it in the same way, and fails with an error that is not a
        # network error.
        url.raw_host.decode().encode("idna")
    except (httpx.InvalidURL, TypeError, UnicodeError):
        return UrlFault.NOT_A_URL
    if url.userinfo:
        return UrlFault.CREDENTIALS
    if not url.host or url.query or url.fragment:
        return UrlFault.NOT_A_BASE
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host)):
        return UrlFault.CLEAR_TEXT
    return None


def is_loopback(host: str) -> bool:
    """Return whether a host of a URL is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
