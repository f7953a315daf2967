from __future__ import annotations

import pytest

from runtype_exporter.web.negotiation import choose_encoding, choose_format

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text"),
        ("*/*", "text"),
        ("application/*", "text"),
        (BROWSER, "text"),
        (PROMETHEUS_2, "openmetrics"),
        (PROMETHEUS_3, "openmetrics"),
        ("application/openmetrics-text", "openmetrics"),
        ('APPLICATION/OpenMetrics-Text; Version="1.0.0"', "openmetrics"),
        ("application/openmetrics-text;version=0.0.1", "text"),
        ("application/openmetrics-text;version=2.0.0", "text"),
        ("application/openmetrics-text;q=0", "text"),
        ("application/openmetrics-text;q=0.5,text/plain", "text"),
        ("application/openmetrics-text;q=0.5,text/plain;version=0.0.4;q=0.6", "text"),
        ("application/openmetrics-text,text/plain", "openmetrics"),
        ("application/openmetrics-text;q=0.5,text/plain;version=1.0.0", "openmetrics"),
        ("application/openmetrics-text;q=0.5,text/*", "text"),
        ("application/openmetrics-text;q=0.5,*/*;q=0.1", "openmetrics"),
        ("application/openmetrics-text;q=0.5,*/*", "text"),
        ("application/openmetrics-text;q=0.5,text/plain;q=0.1,*/*", "openmetrics"),
        ("application/openmetrics-text;q=0.5,*/*,text/plain;q=0.1", "openmetrics"),
        (
            "application/openmetrics-text;q=0.5,text/plain;q=0.9,text/plain;version=0.0.4;q=0.1",
            "openmetrics",
        ),
        ("application/openmetrics-text;q=nan", "text"),
        ("application/openmetrics-text;q=-1", "text"),
        ("application/openmetrics-text;q=2", "text"),
        ("application/openmetrics-text;q=", "text"),
        ("application/openmetrics-text;q=1.000", "openmetrics"),
        ("application/openmetrics-text;q=.5", "openmetrics"),
        (",;,=;q=1,application/openmetrics-text ; q = 0.1 ;;", "openmetrics"),
        ("application/json", "text"),
    ],
)
def test_the_format_is_what_the_client_likes_best(accept, expected):
    assert choose_format(accept) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "identity"),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("deflate, br", "identity"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0.0, *", "identity"),
        ("*", "gzip"),
        ("*;q=0", "identity"),
        ("identity", "identity"),
        ("identity, gzip;q=0.5", "identity"),
        ("identity;q=0.5, gzip", "gzip"),
        ("identity, gzip", "gzip"),
        ("gzip;q=0.1", "gzip"),
        ("gzip;q=nonsense", "identity"),
    ],
)
def test_the_encoding_is_what_the_client_likes_best(accept, expected):
    assert choose_encoding(accept) == expected
