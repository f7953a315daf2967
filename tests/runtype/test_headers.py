import pytest

from runtype_exporter.runtype.headers import age, is_html, retry_after, server_time

NOW = 1_780_000_000.0
DATE = "Thu, 28 May 2026 20:26:40 GMT"
A_MINUTE_LATER = "Thu, 28 May 2026 20:27:40 GMT"


def test_the_date_header_tells_the_apis_time():
    assert server_time({"date": DATE}) == NOW
    assert server_time({"date": "Thu, 28 May 2026 20:26:40 -0000"}) == NOW


@pytest.mark.parametrize(
    "headers", [{}, {"date": ""}, {"date": "yesterday"}, {"date": "Thu, 99 May 2026 20:26:40 GMT"}]
)
def test_a_date_that_is_absent_or_garbage_tells_nothing(headers):
    assert server_time(headers) is None


@pytest.mark.parametrize(
    ("date", "usable"),
    [
        ("Thu, 01 Jan 1970 00:01:00 GMT", False),
        ("Wed, 31 Dec 2014 23:59:59 GMT", False),
        ("Thu, 01 Jan 2015 00:00:00 GMT", True),
        ("Thu, 31 Dec 2099 23:59:59 GMT", True),
        ("Fri, 01 Jan 2100 00:00:00 GMT", False),
        ("Fri, 31 Dec 9999 23:59:59 GMT", False),
    ],
)
def test_a_date_of_another_century_is_not_believed(date, usable):
    assert (server_time({"date": date}) is not None) is usable


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("3600", 3600.0),
        ("86400", 3600.0),
        ("9" * 5000, 3600.0),
        (A_MINUTE_LATER, 60.0),
        ("Thu, 28 May 2020 20:26:40 GMT", 0.0),
        ("Thu, 28 May 2099 20:26:40 GMT", 3600.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("", None),
    ],
)
def test_the_wait_is_read_as_seconds_or_as_a_date_and_kept_within_an_hour(text, seconds):
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_without_the_header_no_wait_is_asked_for():
    assert retry_after({}, NOW) is None


def test_a_date_is_compared_with_the_clock_that_wrote_it():
    assert retry_after({"retry-after": A_MINUTE_LATER, "date": DATE}, NOW + 500) == 60.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 30 ", 30.0),
        ("999999999", 999_999_999.0),
        ("9999999999", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("", None),
    ],
)
def test_the_time_in_a_cache_is_a_whole_number_of_seconds(text, seconds):
    assert age({"age": text}) == seconds
    assert age({}) is None


@pytest.mark.parametrize(
    ("kind", "html"),
    [
        ("text/html", True),
        ("Text/HTML; charset=utf-8", True),
        ("application/xhtml+xml", True),
        ("application/json", False),
        ("", False),
    ],
)
def test_a_page_for_people_is_known_by_its_type(kind, html):
    assert is_html({"content-type": kind}) == html
    assert not is_html({})
