from base64 import urlsafe_b64encode

import pytest

from runtype_exporter.simulator.api.auth import Refusal
from runtype_exporter.simulator.api.paging import (
    Listing,
    PageWindow,
    limit,
    offset,
    page_window,
    pagination,
)

IDS = [f"run_{number}" for number in range(10)]


def listing(ids):
    return Listing(ids, str, lambda id_: id_ if id_ in ids else None)


@pytest.mark.parametrize(("text", "expected"), [(None, 50), ("7", 7), ("100", 100), ("5000", 100)])
def test_a_limit_is_capped_and_has_a_default(text, expected):
    query = {} if text is None else {"limit": text}
    assert limit(query, 50, 100, strict=True) == expected


@pytest.mark.parametrize("text", ["0", "-1", "ten", "", "1.5", "٣"])
def test_a_limit_that_is_no_positive_number_is_refused_or_ignored(text):
    with pytest.raises(Refusal) as caught:
        limit({"limit": text}, 50, 100, strict=True)
    assert (caught.value.status, caught.value.code) == (400, "INVALID_RANGE")
    assert limit({"limit": text}, 50, 100, strict=False) == 50


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("40", 40), ("-1", 0), ("x", 0)])
def test_an_offset_that_is_no_number_is_0(text, expected):
    assert offset({"offset": text}) == expected


def pages(ids_at_each_step, mode, size=4):
    """The ids on all pages of a list that changes between the requests."""
    seen, query = [], {}
    for ids in ids_at_each_step:
        window = page_window(listing(ids), query, size)
        seen += ids[window.start : window.stop]
        answer = pagination(listing(ids), window, mode)
        if answer["nextCursor"] is None:
            break
        query = {"cursor": answer["nextCursor"]}
    return seen


@pytest.mark.parametrize("mode", ["item", "offset"])
def test_the_pages_show_everything_once(mode):
    assert pages([IDS] * 5, mode) == IDS


def test_new_items_in_front_do_not_shift_pages_with_item_cursors():
    newer = [["new_2", "new_1", *IDS], ["new_3", "new_2", "new_1", *IDS]]
    assert pages([IDS, *newer], "item") == IDS


def test_new_items_in_front_shift_pages_with_offset_cursors():
    newer = ["new_1", *IDS]
    assert pages([IDS, newer, newer], "offset") == [*IDS[:4], IDS[3], *IDS[4:]]


@pytest.mark.parametrize("mode", ["item", "offset"])
def test_prev_leads_back_to_the_first_page(mode):
    first = pagination(listing(IDS), page_window(listing(IDS), {}, 4), mode)
    second = pagination(
        listing(IDS),
        window := page_window(
            listing(IDS), {"cursor": first["nextCursor"], "direction": "next"}, 4
        ),
        mode,
    )
    assert (window, second["hasPrev"], second["currentOffset"]) == (PageWindow(4, 8, 4), True, 4)
    back = page_window(listing(IDS), {"cursor": second["prevCursor"], "direction": "prev"}, 4)
    assert back == PageWindow(0, 4, 4)
    assert pagination(listing(IDS), back, mode)["prevCursor"] is None
    near = page_window(listing(IDS), {"cursor": second["prevCursor"], "direction": "prev"}, 9)
    assert near == PageWindow(0, 4, 9)


def test_an_empty_list_is_one_empty_page():
    assert pagination(listing([]), page_window(listing([]), {}, 4), "item") == {
        "nextCursor": None,
        "prevCursor": None,
        "hasMore": False,
        "hasPrev": False,
        "limit": 4,
        "currentOffset": 0,
    }


def test_a_cursor_beyond_the_end_is_an_empty_page_with_a_way_back():
    cursor = pagination(listing(IDS), page_window(listing(IDS), {}, 8), "offset")["nextCursor"]
    answer = pagination(
        listing(IDS[:3]), page_window(listing(IDS[:3]), {"cursor": cursor}, 8), "item"
    )
    assert (answer["hasMore"], answer["hasPrev"], answer["currentOffset"]) == (False, True, 3)
    assert page_window(
        listing(IDS[:3]), {"cursor": answer["prevCursor"], "direction": "prev"}, 2
    ) == PageWindow(1, 3, 2)


def cursor(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "garbage"},
        {"cursor": "é"},
        {"cursor": cursor("[1]")},
        {"cursor": cursor("17")},
        {"cursor": cursor('["offset", "x"]')},
        {"cursor": cursor('["after", "run_unknown"]')},
        {"cursor": cursor('["elsewhere", "run_1"]')},
        {"direction": "sideways"},
    ],
)
def test_a_cursor_or_direction_that_is_not_ours_is_refused(query):
    with pytest.raises(Refusal) as caught:
        page_window(listing(IDS), query, 4)
    assert caught.value.status == 400
