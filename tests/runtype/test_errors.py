import re
from pathlib import Path

import pytest

from runtype_exporter.runtype import errors
from runtype_exporter.runtype.errors import (
    ApiError,
    ClientError,
    DecodeError,
    EdgeRefused,
    Forbidden,
    NetworkError,
    NotFound,
    OversizedError,
    PagingError,
    RedirectError,
    ServerError,
    Throttled,
    TimedOut,
    Unauthorised,
    UrlTooLong,
    of_status,
)

KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ApiError)
]


UNKNOWN = "the API does not know it ({}): it is gone, or not this key's to see"
WAIT = "the API asks to wait ({}); requests pause for 30 s"
FAILED = "the API failed ({}); it will be asked again"
REFUSED = "the API refuses the request ({}): is this exporter too old for it?"
TOO_MUCH = (
    "the API refuses the request ({}): page_size may be more than it takes, or this exporter too"
    " old for it"
)
EDGE = (
    "something between here and the API refused the request (403): no scope is missing, but a"
    " firewall or proxy may block this address or client"
)


@pytest.mark.parametrize(
    ("status", "wait", "kind", "message"),
    [
        (
            401,
            None,
            Unauthorised,
            (
                "the API refuses the key (401):"
                " check that it is whole, current and allowed from this address"
            ),
        ),
        (
            403,
            None,
            Forbidden,
            "the key may not read this (403): give it the scope, or switch off what needs it",
        ),
        (404, None, NotFound, UNKNOWN),
        (410, None, NotFound, UNKNOWN),
        (429, 30.0, Throttled, WAIT),
        (503, 30.0, Throttled, WAIT),
        (503, None, ServerError, FAILED),
        (500, None, ServerError, FAILED),
        (599, 5.0, ServerError, FAILED),
        (400, None, ClientError, TOO_MUCH),
        (402, None, ClientError, REFUSED),
        (422, None, ClientError, TOO_MUCH),
        (403, 30.0, EdgeRefused, EDGE),
        (404, 30.0, NotFound, UNKNOWN),
        (408, None, ServerError, FAILED),
        (409, None, ServerError, FAILED),
        (425, None, ServerError, FAILED),
        (504, None, ServerError, FAILED),
        (
            413,
            None,
            OversizedError,
            "the API refuses to answer with so much (413); a smaller page_size makes it less",
        ),
        (
            414,
            None,
            UrlTooLong,
            "the URL is too long for the API (414); fewer ids in a request make it shorter",
        ),
    ],
)
def test_each_status_tells_what_happened_and_what_to_do(status, wait, kind, message):
    error = of_status("runs", status, retry_after=wait)
    assert str(error) == f"runs: {message.format(status)}"
    assert (type(error), error.operation, error.code) == (kind, "runs", str(status))


@pytest.mark.parametrize("status", [201, 204, 206])
def test_a_success_that_is_not_documented_is_no_answer(status):
    error = of_status("runs", status)
    assert str(error) == f"runs: the API answered {status} where it documents 200"
    assert (type(error), error.code) == (DecodeError, "decode")


def test_a_page_for_people_in_place_of_a_refusal_is_not_the_apis():
    error = of_status("runs", 403, html=True)
    assert (type(error), str(error)) == (EdgeRefused, f"runs: {EDGE}")
    assert type(of_status("runs", 404, html=True)) is NotFound


def test_only_what_may_pass_by_itself_is_worth_asking_again():
    assert {kind for kind in KINDS if kind.retryable} == {
        EdgeRefused,
        Throttled,
        ServerError,
        NetworkError,
        TimedOut,
    }


@pytest.mark.parametrize("kind", [DecodeError, OversizedError, PagingError, RedirectError])
def test_what_fails_after_the_status_has_its_reason_for_a_code(kind):
    error = kind("results", "so it is")
    assert (str(error), error.code, error.retryable) == ("results: so it is", kind.reason, False)


def test_every_kind_has_a_reason_of_its_own():
    # A URL that is too long is a refused request like others, in the label of metrics.
    reasons = [kind.reason for kind in KINDS if kind is not UrlTooLong]
    assert len(set(reasons)) == len(reasons)


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = re.findall(
        r"^([│ ]*)[├└]── (\w+)", Path(errors.__file__).read_text(encoding="utf-8"), re.MULTILINE
    )
    parents = {0: "ApiError"}
    tree = {}
    for indent, name in drawn:
        level = len(indent) // 4
        tree[name] = parents[level]
        parents[level + 1] = name
    assert {
        kind.__name__: kind.__bases__[0].__name__ for kind in KINDS if kind is not ApiError
    } == tree
