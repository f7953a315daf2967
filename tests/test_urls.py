"""Base URLs that can be used, and the reasons why others cannot."""

from __future__ import annotations

import pytest

from runtype_exporter.urls import UrlFault, base_url_fault, is_loopback


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("https://api.runtype.com", None),
        ("https://api.runtype.com:8443/v1", None),
        ("https://bücher.test", None),
        ("http://localhost:8080", None),
        ("http://[::1]:8080", None),
        ("https://a..b", UrlFault.NOT_A_URL),
        (f"https://{'a' * 64}.test", UrlFault.NOT_A_URL),
        ("https://user:password@api.runtype.com", UrlFault.CREDENTIALS),
        ("api.runtype.com", UrlFault.NOT_A_BASE),
        ("https://api.runtype.com?a=b", UrlFault.NOT_A_BASE),
        ("https://api.runtype.com#a", UrlFault.NOT_A_BASE),
        ("http://api.runtype.com", UrlFault.CLEAR_TEXT),
        ("ftp://127.0.0.1", UrlFault.CLEAR_TEXT),
    ],
)
def test_base_url_fault(text: str, fault: UrlFault | None):
    assert fault is base_url_fault(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.test", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_is_loopback(host: str, expected: bool):  # noqa: FBT001  # a table's column
    assert expected is is_loopback(host)
