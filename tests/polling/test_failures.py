"""How far a failed read reaches: the whole table of the judge."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtype_exporter.polling.failures import (
    FAILURES_TO_WITHDRAW,
    REFUSALS_TO_FORBID,
    Evidence,
    Reach,
    ReadFailed,
    judge,
)
from runtype_exporter.runtype import (
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
)

FORBIDDEN = Forbidden("runs", "no scope", code="403")
PAUSES = [Unauthorised("runs", "key", code="401"), Throttled("runs", "wait", code="429")]
OTHERS: list[ApiError] = [
    ClientError("runs", "refused", code="400"),
    DecodeError("runs", "no JSON"),
    EdgeRefused("runs", "firewall", code="403"),
    NetworkError("runs", "reset", code="network"),
    NotFound("runs", "gone", code="404"),
    OversizedError("runs", "too large"),
    PagingError("runs", "no cursor"),
    RedirectError("runs", "elsewhere"),
    ServerError("runs", "failed", code="500"),
    TimedOut("runs", "slow", code="timeout"),
    UrlTooLong("runs", "too long", code="414"),
]
EVIDENCE = [
    Evidence(is_list=is_list, tries=tries, account_silent=silent, refused_items=refused)
    for is_list, tries, silent, refused in product(
        (True, False), (1, 2, 3, 50), (True, False), (0, 1, 2, 3, 4)
    )
]


def of(error: ApiError) -> str:
    return type(error).__name__


def test_every_error_of_the_client_is_in_these_tables():
    def leaves(kind: type[ApiError]) -> set[type[ApiError]]:
        return {kind}.union(*(leaves(child) for child in kind.__subclasses__()))

    tested = {type(error) for error in (FORBIDDEN, *PAUSES, *OTHERS)}
    assert leaves(ApiError) - {ApiError} == tested


@pytest.mark.parametrize("error", PAUSES, ids=of)
def test_a_refused_key_and_a_pause_concern_the_account_whatever_else_is_known(error):
    assert {judge(error, evidence) for evidence in EVIDENCE} == {Reach.ACCOUNT}


def test_a_refusal_concerns_the_collector_only_after_enough_items():
    for evidence in EVIDENCE:
        needed = 1 if evidence.is_list else REFUSALS_TO_FORBID
        expected = Reach.COLLECTOR if evidence.refused_items >= needed else Reach.ITEM
        assert judge(FORBIDDEN, evidence) is expected, evidence


@pytest.mark.parametrize("error", OTHERS, ids=of)
def test_any_other_failure_concerns_the_item_unless_its_list_or_everything_fails(error):
    for evidence in EVIDENCE:
        if evidence.account_silent:
            expected = Reach.ACCOUNT
        elif evidence.is_list and evidence.tries >= FAILURES_TO_WITHDRAW:
            expected = Reach.COLLECTOR
        else:
            expected = Reach.ITEM
        assert judge(error, evidence) is expected, evidence


@settings(deadline=None)
@given(
    st.sampled_from([FORBIDDEN, *OTHERS]),
    st.integers(1, 10_000),
    st.integers(0, REFUSALS_TO_FORBID - 1),
)
def test_one_item_never_stops_the_others_while_anything_answers(error, tries, refused):
    evidence = Evidence(is_list=False, tries=tries, account_silent=False, refused_items=refused)
    assert judge(error, evidence) is Reach.ITEM


def test_a_failure_says_what_it_concerns():
    failure = ReadFailed(OTHERS[0], Reach.ITEM, ("results", "b1"), tries=2, elapsed=60.0)
    assert str(failure) == str(OTHERS[0])
    assert (failure.error, failure.reach) == (OTHERS[0], Reach.ITEM)
    assert (failure.collector, failure.item) == ("results", "b1")
    assert (failure.tries, failure.elapsed) == (2, 60.0)
    assert not failure.others_answered
    assert not failure.same_read_answered
