"""What to change, and that it helps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtype_exporter.config import Account, Collectors, Poll, Secret
from runtype_exporter.forecast import ASSUMED, advice, requests
from runtype_exporter.forecast.advice import duration, largest

BUSY = replace(ASSUMED, read=True, ended=(1000,) * 100, hours=1.0)
"""A hundred batches an hour, eleven requests each."""


def account(**settings: Any) -> Account:
    return Account(**{"name": "acme", "api_key": Secret(env="KEY"), **settings})


def test_the_defaults_fit():
    assert [] == advice(account(), Poll(), ASSUMED)


def test_batches_that_end_faster_than_they_can_be_read_are_the_first_worry():
    (said,) = advice(account(), Poll(), BUSY)
    assert (
        said
        == "batches end faster than the budget can read them: 1,238 requests an hour are wanted,"
        " 900 granted, so counting falls behind for ever. Set requests_per_hour to 1,400 or"
        " more, or page_size to 1,000 (the API may answer with fewer), or exclude schedules"
    )


@pytest.mark.parametrize("limit", [10, 100, 1000])
def test_the_limit_that_is_advised_is_enough_and_not_much_more(limit: int):
    said = advice(account(requests_per_hour=limit), Poll(), BUSY)[0]
    enough = int(said.split("requests_per_hour to ")[1].split(" ")[0].replace(",", ""))
    taken = requests(account(requests_per_hour=enough), Poll(), BUSY)
    assert taken.usual <= taken.sustained
    assert [] == advice(account(requests_per_hour=enough), Poll(), BUSY)
    taken = requests(account(requests_per_hour=int(enough * 0.8)), Poll(), BUSY)
    assert taken.usual > taken.sustained


def test_larger_pages_are_no_advice_where_they_are_largest():
    many = replace(BUSY, ended=(1000,) * 1000)
    assert "page_size" not in advice(account(page_size=1000), Poll(), many)[0]


def test_a_large_batch_that_is_seldom_seen_is_worth_a_word_and_the_advice_helps():
    large = replace(ASSUMED, open=(50_000,))
    (said,) = advice(account(), Poll(), large)
    assert said.startswith(
        "while it runs, a batch of 50,000 records is seen anew every 39 min only; nothing is lost"
        " by that."
    )
    more = int(said.split("requests_per_hour to ")[1].split(", or")[0].replace(",", ""))
    assert [] == advice(account(requests_per_hour=more), Poll(), large)


def test_cycles_that_are_stretched_name_both_remedies():
    said = advice(account(requests_per_hour=100), Poll(), ASSUMED)[-1]
    assert "cycles come every 5 min instead of every 60 s" in said
    assert "Set requests_per_hour to 480, or poll.interval to 5 min" in said
    assert requests(account(requests_per_hour=480), Poll(), ASSUMED).interval == 60


def test_an_unordered_list_of_runs_is_said_to_cost_more_than_is_forecast():
    (said,) = advice(account(), Poll(), replace(ASSUMED, ordered=False))
    assert "in no order" in said


def test_a_configuration_that_finds_no_batch_is_told():
    (said,) = advice(account(collectors=Collectors(runs=False, summary=False)), Poll(), ASSUMED)
    assert "no batch will be found" in said


def test_a_key_that_finds_no_batch_is_told():
    (said,) = advice(
        account(), Poll(), replace(ASSUMED, read=True, forbidden=frozenset({"runs", "summary"}))
    )
    assert said.endswith("no batch will be found. Give the key the scope")


def test_the_largest_batch_is_the_largest_known_or_ten_thousand():
    assert [10_000, 10_000, 20_000, 30_000] == [
        largest(replace(ASSUMED, open=held, ended=ended))
        for held, ended in [((), ()), ((5,), (6,)), ((20_000,), (1,)), ((1,), (30_000,))]
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (60, "60 s"),
        (100, "2 min"),
        (3600, "60 min"),
        (5400, "1 h 30 min"),
        (7200, "2 h"),
        (172_800, "2 days"),
    ],
)
def test_durations_as_people_say_them(seconds: float, said: str):
    assert said == duration(seconds)
